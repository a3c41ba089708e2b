"""Instants as text: UTC, microseconds, so that text order is time order on both backends."""

from datetime import UTC, datetime

import msgspec


def stamp(instant: datetime) -> str:
    """`2026-01-05T10:00:00.000000+00:00`.

    Raises:
        ValueError: the instant has no time zone, so nobody could say when it was.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def stamp_or_none(instant: datetime | None) -> str | None:
    """The same for what may be missing."""
    return None if instant is None else stamp(instant)


def instant(text: str) -> datetime:
    """The instant of a stamp."""
    return datetime.fromisoformat(text)


def instant_or_none(text: str | None) -> datetime | None:
    """The same for what may be missing."""
    return None if text is None else instant(text)


def server_instant(written: str) -> datetime | None:
    """A server's `lastUpdated`, if it can be compared: with date, time and zone; None otherwise."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def storable(text: str) -> bool:
    """Whether both backends can keep a text: no NUL, no lone surrogate."""
    try:
        return "\0" not in text and bool(text.encode() or True)
    except UnicodeEncodeError:
        return False


def cleaned(text: str) -> str:
    """A text that both backends can keep; what they cannot is shown as the replacement character."""
    if storable(text):
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def as_json(value: object) -> str:
    """A value as JSON text with sorted keys, fit for both backends."""
    return msgspec.json.encode(value, order="sorted").decode()
