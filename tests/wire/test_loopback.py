"""Over a real socket: stalls, broken transfers, slow drips. Time-outs are tenths of a second, waits are not slept."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from fhir_adapter.core.errors import HospitalUnavailable
from fhir_adapter.wire import search
from fhir_adapter.wire.connection import connect
from tests.wire.hospital import hospital
from tests.wire.test_search import _gaps, _ids, _question

METADATA = (b'{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","rest":[{"mode":"server","resource":'
            b'[{"type":"Observation","searchParam":[{"name":"patient"}]}]}]}')
ANSWER = b'{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Observation","id":"o1"}}]}'

_TIMEOUT = timedelta(seconds=0.15)

Behaviour = Callable[[socket.socket], None]


def _send(body: bytes, length: int | None = None) -> Behaviour:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: {length or len(body)}\r\n\r\n"
    return lambda connection: connection.sendall(head.encode() + body)


def _stall(connection: socket.socket) -> None:
    connection.settimeout(5)
    connection.recv(1)  # until the other side gives up


def _hang_up(connection: socket.socket) -> None:
    connection.close()


@contextmanager
def _server(*behaviours: Behaviour) -> Iterator[str]:
    """Answers one request per connection, in this order; the first is asked for /metadata."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)

    def serve() -> None:
        for behave in (_send(METADATA), *behaviours):
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                behave(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/fhir"
    finally:
        listener.close()
        thread.join(5)


def _ask(base_url: str) -> tuple[list[str], list[str]]:
    settings = hospital(base_url=base_url, pull={"timeout": _TIMEOUT})
    with connect(settings, folder=Path(), clock=lambda: datetime.now(UTC), sleep=lambda _: None,
                 random=Random(1)) as connection:
        pages = list(search.pages(connection, _question("p1")))
    return _ids(pages), _gaps(pages)


@pytest.mark.parametrize("trouble", [_stall, _hang_up, _send(ANSWER, len(ANSWER) + 100), _send(ANSWER[:20], 500)],
                         ids=["stall", "hang up", "too short a body", "half a body"])
def test_trouble_on_the_line_heals(trouble: Behaviour) -> None:
    """A stalled, closed or truncated answer is asked for again; nothing of it is taken for an answer."""
    with _server(trouble, _send(ANSWER)) as base_url:
        assert _ask(base_url) == (["o1"], [])


def test_an_answer_that_only_drips_is_given_up() -> None:
    """A byte every now and then resets each read's time-out, but not the limit for the whole answer."""

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n\r\n")
        for _ in range(40):
            try:
                connection.sendall(b" ")
            except OSError:
                return
            time.sleep(0.05)

    with _server(drip, _send(ANSWER)) as base_url:
        assert _ask(base_url) == (["o1"], [])


def test_nobody_there() -> None:
    """A port that nobody listens on: exit code 5, with the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(HospitalUnavailable, match="check base_url"):
        _ask(f"http://127.0.0.1:{port}/fhir")
