"""Telling somebody that a run was incomplete or refused: a webhook, or a mail. What is told is on an allow-list."""

import ipaddress
import smtplib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from urllib.parse import urlsplit

import msgspec

from fhir_adapter.core.errors import INCOMPLETE, LEASE_HELD, UNAVAILABLE, WHOLE, UsageError
from fhir_adapter.core.study import Email, Occasion

TIMEOUT = 10.0
"""Seconds after which a hook is given up; a run never waits longer for it."""


class HospitalNotice(msgspec.Struct, frozen=True, kw_only=True):
    """One hospital of a notice: its id in the study, its exit code, and numbers."""

    hospital: str
    code: int
    fetched: int = 0
    new: int = 0
    quarantined: int = 0


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What is told, whole: these keys and no others."""

    study: str
    occasion: Occasion
    code: int
    at: str
    hospitals: tuple[HospitalNotice, ...] = ()

    def lines(self) -> list[str]:
        """The same for a reader."""
        return [
            f"Study {self.study}: a run was {self.occasion} (exit code {self.code}) at {self.at}.",
            *(f"{one.hospital}: exit {one.code}, fetched {one.fetched}, new {one.new}, "
              f"quarantined {one.quarantined}" for one in self.hospitals),
            "See `fhir-adapter status` and `fhir-adapter problems list`.",
        ]


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How an earlier run ended for one hospital."""

    code: int
    at: datetime


class HookFailed(Exception):
    """A hook did not take the notice; the text names no address and no answer."""


def occasion(code: int) -> Occasion | None:
    """What an exit code is called; None for one that nobody is told about."""
    if code in (WHOLE, LEASE_HELD):
        return None
    return {INCOMPLETE: "incomplete", UNAVAILABLE: "refused"}.get(code, "failed")  # type: ignore[return-value]


def is_news(code: int, now: datetime, before: Iterable[Ended], again: timedelta) -> bool:
    """Whether an exit code is worth telling: it is new, or it has lasted for another `again`.

    `before` are the hospital's earlier runs. A job that runs every quarter of an hour tells of a fault once, then once
    every `again` until it is over. Nothing is remembered but the runs.
    """
    began, last = now, None
    for one in sorted(before, key=lambda run: run.at, reverse=True):
        if one.code != code:
            break
        began, last = one.at, last or one.at
    if last is None:
        return True
    return (now - began) // again > (last - began) // again


def post(url: str, token: str | None, notice: Notice) -> None:
    """Sends a notice to a webhook as JSON; https only, http on this machine alone; never follows a redirect.

    Raises HookFailed when it does not take it, UsageError when the address is none that may be used.
    """
    import httpx

    require_safe(url)
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
    try:
        answer = httpx.post(url, content=msgspec.json.encode(notice), headers=headers, timeout=TIMEOUT,
                            follow_redirects=False)
    except httpx.HTTPError as error:
        raise HookFailed(f"the webhook did not answer ({type(error).__name__})") from None
    if not answer.is_success:
        raise HookFailed(f"the webhook answered HTTP {answer.status_code}")


def require_safe(url: str) -> None:
    """Raises UsageError for an address that is not https (or http on this machine), or that holds a password."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        has_user = "@" in parts.netloc
    except ValueError:
        raise UsageError("notify.webhook.url: not an address") from None
    if has_user:
        raise UsageError("notify.webhook.url: holds a user or password; give a token by reference instead")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        raise UsageError("notify.webhook.url: only https, or http on this machine")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, as it is written: no name is asked for."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def mail(settings: Email, password: str | None, notice: Notice) -> None:
    """Sends a notice by mail; without TLS on this machine alone.

    Raises HookFailed when the server does not take it, UsageError when it may not be used so.
    """
    import ssl

    if settings.tls == "none" and not is_loopback(settings.host):
        raise UsageError("notify.email.tls: none is allowed on this machine only")
    message = EmailMessage()
    message["From"], message["To"] = settings.sender, ", ".join(settings.to)
    message["Subject"] = f"fhir-adapter: {notice.study} {notice.occasion}"
    message.set_content("\n".join(notice.lines()))
    try:
        if settings.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT,
                                                    context=ssl.create_default_context())
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT)
        with server:
            if settings.tls == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.username is not None:
                server.login(settings.username, password or "")
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise HookFailed(f"the mail server did not take it ({type(error).__name__})") from None


def notice_of(study: str, code: int, at: datetime, hospitals: Sequence[HospitalNotice]) -> Notice:
    """A notice about a run, with the hospitals that are the reason; its code is one of `occasion`."""
    found = occasion(code)
    if found is None:
        raise ValueError("nobody is told about a run that was whole")
    return Notice(study=study, occasion=found, code=code, at=at.isoformat(timespec="seconds"),
                  hospitals=tuple(hospitals))
