"""A queue's filter in an address, and back: the same address gives the same rows."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

import msgspec

from fhir_adapter.core.errors import UsageError
from fhir_adapter.desk import Filter

FIELDS = ("search", "kind", "severity", "hospital", "subject", "code", "assignee", "state", "query", "days", "run")
"""What an address may filter by. `days`: open for at least so many; `run`: first seen by the run of that number."""

STATES = ("todo", "open", "deferred", "proposed", "changed", "settling", "closed", "all")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What an address asks for: the fields as they stand there, and the filter that they mean."""

    fields: dict[str, str]
    filter: Filter

    @property
    def any(self) -> bool:
        """Whether anything is filtered at all."""
        return any(self.fields.values())

    def address(self, path: str = "/queue", **changes: str) -> str:
        """An address with the same fields, some of them changed (an empty one leaves)."""
        fields = {name: value for name, value in {**self.fields, **changes}.items() if value}
        return f"{path}?{urlencode(fields)}" if fields else path


def read(given: Mapping[str, str], now: datetime, spans: Mapping[int, tuple[str, str]], me: str) -> Asked:
    """The filter of an address. `spans`: begin and end of each run; `me`: whom `assignee=me` means.

    Raises UsageError for a field that is not what it should be.
    """
    fields = {name: _printable(given.get(name, "")).strip()[:200] for name in FIELDS}
    state = fields["state"] or "todo"
    if state not in STATES or fields["severity"] not in ("", "blocking", "not blocking"):
        raise UsageError("The address asks for a state or severity that there is not.")
    if any(not (fields[name] or "0").isdecimal() or len(fields[name]) > 9 for name in ("days", "run")):
        raise UsageError("`days` and `run` are numbers.")
    since = before = ""
    if fields["days"]:
        before = (now - timedelta(days=min(int(fields["days"]), 36_500))).isoformat(timespec="minutes")
    if fields["run"]:
        since, before = spans.get(int(fields["run"]), ("9999", "9999"))
    assignee = me if fields["assignee"] == "me" else fields["assignee"]
    return Asked(fields=fields, filter=Filter(
        kind=fields["kind"], state=state, severity=fields["severity"], search=fields["search"],
        hospital=fields["hospital"], subject=fields["subject"], code=fields["code"],
        assignee=assignee, query=fields["query"], since=since, before=before))


def _printable(text: str) -> str:
    """Without control characters: no row holds one, and PostgreSQL takes no NUL."""
    return "".join(character for character in text if character.isprintable())


def place(text: str) -> tuple[int, str] | None:
    """Where a page begins, as it stands in an address (`-1000001.KEY`); None for the first page."""
    number, dot, key = text.partition(".")
    if not dot or not number.removeprefix("-").isdecimal() or not key.isalnum():
        return None
    return int(number[:18]), key[:64]
