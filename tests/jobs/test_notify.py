"""Notices: told once and again after a while, with nothing but what is on the list, to places that are safe."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.study import Email
from fhir_adapter.jobs import notify
from fhir_adapter.jobs.notify import Ended, HookFailed, HospitalNotice, Notice
from tests.jobs.build import HOUR, MINUTE, NOW

NOTICE = notify.notice_of("atc-pd1", 3, NOW, [HospitalNotice(hospital="west", code=3, fetched=5, new=2)])
DAY = timedelta(days=1)


class Hook:
    """A webhook on loopback: what it was told, and what it answers."""

    def __init__(self, status: int = 204, headers: dict[str, str] | None = None) -> None:
        self.status, self.headers = status, headers or {}
        self.told: list[tuple[str, dict[str, str], Any]] = []
        self.url = ""


@contextmanager
def hook(status: int = 204, headers: dict[str, str] | None = None) -> Iterator[Hook]:
    """Open until the block ends."""
    made = Hook(status, headers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.told.append((self.path, {key.lower(): value for key, value in self.headers.items()}, json.loads(body)))
            self.send_response(made.status)
            for key, value in made.headers.items():
                self.send_header(key, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with _open(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        made.url = f"http://127.0.0.1:{port}/hook"
        yield made


@contextmanager
def _open(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_webhook_gets_the_notice_and_nothing_else() -> None:
    """The keys of the notice, the token as a bearer token."""
    with hook() as opened:
        notify.post(opened.url, "a token", NOTICE)
    ((path, headers, body),) = opened.told

    assert (path, headers["authorization"]) == ("/hook", "Bearer a token")
    assert body == {
        "study": "atc-pd1", "occasion": "incomplete", "code": 3, "at": "2026-03-02T12:00:00+00:00",
        "hospitals": [{"hospital": "west", "code": 3, "fetched": 5, "new": 2, "quarantined": 0}],
    }


@pytest.mark.parametrize("status", [301, 307, 400, 500])
def test_a_webhook_that_does_not_take_it_has_failed(status: int) -> None:
    """A redirect is not followed: the token would go with it. The answer's text is not told."""
    with hook() as other, hook(status, {"location": other.url}) as opened, pytest.raises(HookFailed) as caught:
        notify.post(opened.url, "a token", NOTICE)

    assert str(caught.value) == f"the webhook answered HTTP {status}"
    assert other.told == []


def test_a_webhook_that_is_not_there_has_failed() -> None:
    """Said by type; the address may hold a secret."""
    with pytest.raises(HookFailed, match=r"^the webhook did not answer \(ConnectError\)$"):
        notify.post("http://127.0.0.1:1/secret-path", None, NOTICE)


@pytest.mark.parametrize("url", [
    "http://hooks.example/x", "http://10.0.0.1/x", "ftp://127.0.0.1/x", "https://user:word@hooks.example/x", "//x", "",
    "http://127.0.0.1.evil.example/x", "http://localhost.evil.example/x", "https://", "http://[::1",
])
def test_only_safe_addresses_are_told(url: str) -> None:
    """https off this machine; no password in an address."""
    with pytest.raises(UsageError, match=r"notify\.webhook\.url"):
        notify.require_safe(url)


@pytest.mark.parametrize("url", ["https://hooks.example/x", "http://127.0.0.1:9/x", "http://[::1]/x",
                                 "http://localhost/x"])
def test_safe_addresses_are_told(url: str) -> None:
    """https anywhere, http on this machine."""
    notify.require_safe(url)


def _mailbox(refuse: bool = False) -> tuple[socketserver.TCPServer, list[str]]:
    """A mail server that keeps what it is told, or takes nobody."""
    kept: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 mail\r\n")
            inside = False
            for raw in self.rfile:
                line = raw.decode().rstrip("\r\n")
                kept.append(line)
                if inside:
                    inside = line != "."
                    self._say(b"" if inside else b"250 ok\r\n")
                elif line.upper().startswith("DATA"):
                    inside = True
                    self._say(b"354 go on\r\n")
                elif line.upper().startswith("QUIT"):
                    self._say(b"221 bye\r\n")
                    return
                else:
                    self._say(b"550 no\r\n" if refuse and line.upper().startswith("RCPT") else b"250 ok\r\n")

        def _say(self, words: bytes) -> None:
            if words:
                self.wfile.write(words)

    return socketserver.TCPServer(("127.0.0.1", 0), Handler), kept


def _email(port: int, **more: Any) -> Email:
    return Email.model_validate({"host": "127.0.0.1", "port": port, "tls": "none", "sender": "adapter@trial.example",
                                 "to": ["ops@trial.example"], **more})


def test_a_mail_says_the_same_in_words() -> None:
    """Sender, receiver, a subject, and the hospitals with their numbers."""
    server, kept = _mailbox()
    with _open(server) as port:
        notify.mail(_email(port), None, NOTICE)

    assert "Subject: fhir-adapter: atc-pd1 incomplete" in kept
    assert "west: exit 3, fetched 5, new 2, quarantined 0" in kept


def test_a_mail_server_that_refuses_has_failed() -> None:
    """Said by type."""
    server, _ = _mailbox(refuse=True)
    with _open(server) as port, pytest.raises(HookFailed, match=r"SMTPRecipientsRefused"):
        notify.mail(_email(port), None, NOTICE)


def test_mail_without_tls_stays_on_this_machine() -> None:
    """And one that shall be encrypted is not sent if it cannot be."""
    with pytest.raises(UsageError, match=r"notify\.email\.tls"):
        notify.mail(_email(25, host="mail.example"), None, NOTICE)
    server, kept = _mailbox()
    with _open(server) as port, pytest.raises(HookFailed):
        notify.mail(_email(port, tls="starttls"), None, NOTICE)

    assert not any(line.upper().startswith(("MAIL", "DATA")) for line in kept)


@pytest.mark.parametrize(("code", "expected"), [(0, None), (4, None), (3, "incomplete"), (5, "refused"),
                                                (1, "failed"), (2, "failed"), (6, "failed")])
def test_occasions_are_exit_codes(code: int, expected: str | None) -> None:
    """Nobody is told about whole runs, nor about one that another run kept out."""
    assert notify.occasion(code) == expected


def _told_at(codes: list[int], step: timedelta, again: timedelta = DAY) -> list[int]:
    """The places of runs, one each `step`, that are told about."""
    ended = [Ended(code=code, at=NOW + place * step) for place, code in enumerate(codes)]
    return [place for place, one in enumerate(ended)
            if one.code and notify.is_news(one.code, one.at, ended[:place], again)]


def test_a_fault_is_told_once_and_then_once_a_day() -> None:
    """Every six hours incomplete: told at the first, the fifth, the ninth run."""
    assert _told_at([3] * 10, 6 * HOUR) == [0, 4, 8]


def test_a_fault_that_comes_back_or_changes_is_told_again() -> None:
    """After a whole run it is news; refused after incomplete is too."""
    assert _told_at([3, 3, 0, 3, 5, 5], 15 * MINUTE) == [0, 3, 4]


def test_a_notice_has_no_room_for_more() -> None:
    """Its keys are fixed; so are those of its hospitals."""
    assert Notice.__struct_fields__ == ("study", "occasion", "code", "at", "hospitals")
    assert HospitalNotice.__struct_fields__ == ("hospital", "code", "fetched", "new", "quarantined")
