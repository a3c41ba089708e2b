"""The log: nothing but what is on the allow-list, whoever asks for it."""

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter.core.errors import DatabaseError, UsageError
from fhir_adapter.jobs.log import EVENTS, KEYS, SILENT, Log, opened, told
from tests.jobs.build import ROOT

CANARY = "ZZCANARY-FAMILY-001"


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_what_is_on_the_list_is_a_line_of_json() -> None:
    """Keys with their values, the level, and the time with its zone."""
    stream = io.StringIO()
    Log("info", stream).info("run_ended", run=3, code=0, seconds=1.5)
    (line,) = _lines(stream)

    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "run_ended", "level": "info", "run": 3, "code": 0, "seconds": 1.5}


def test_what_is_not_on_the_list_is_dropped_and_counted() -> None:
    """An unknown key, a value of another form, a value that looks like free text where a code belongs."""
    stream = io.StringIO()
    log = Log("debug", stream)
    log.info("page_refused", hospital="west", type="Observation", patient=CANARY, gap=f"{CANARY} died", code="9")
    (line,) = _lines(stream)

    assert (line["hospital"], line["type"], line["dropped"]) == ("west", "Observation", 3)
    assert log.dropped == 3
    assert CANARY not in stream.getvalue()


def test_an_event_nobody_has_named_says_nothing() -> None:
    """The event's text cannot carry a value either."""
    stream = io.StringIO()
    Log("debug", stream).info(CANARY)

    assert _lines(stream)[0]["event"] == "unnamed"


def test_levels_are_heeded() -> None:
    """`warning` leaves out what is told at info; `off` leaves out everything."""
    stream = io.StringIO()
    log = Log("warning", stream)
    log.debug("lease_taken")
    log.info("run_started")
    log.warning("lease_taken_over")
    SILENT.error("run_failed", ValueError(CANARY))

    assert [line["event"] for line in _lines(stream)] == ["lease_taken_over"]


def test_errors_are_told_by_type_place_and_our_own_words() -> None:
    """Another's message may hold a value; ours may not, and is told."""
    stream = io.StringIO()
    log = Log("info", stream)
    log.error("run_failed", ValueError(CANARY), code=1)
    log.error("run_failed", DatabaseError("the disk is full"), code=6)
    first, second = _lines(stream)

    assert (first["error"], "message" in first) == ("ValueError", False)
    assert (second["error"], second["message"]) == ("DatabaseError", "the disk is full")
    assert CANARY not in stream.getvalue()


def test_the_place_of_an_error_is_in_our_code() -> None:
    """File and line, without the folder; the log's own fault names no path."""
    with pytest.raises(UsageError) as caught, opened("info", Path("/proc/nowhere/log")):
        pass

    assert told(caught.value)["place"].startswith("log:")
    assert "/proc" not in str(caught.value)


def test_libraries_are_heard_without_their_words(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A warning of a library is told by its name; httpx, which logs addresses, is not heard below a warning."""
    before = list(logging.getLogger().handlers)
    with opened("debug", tmp_path / "log"):
        logging.getLogger("sqlalchemy.pool").warning("value %s", CANARY)
        logging.getLogger("httpx").info("GET https://west.example/Patient/%s", CANARY)
        logging.getLogger("httpcore.http11").debug("send %s", CANARY)
    said, written = capfd.readouterr(), (tmp_path / "log").read_text()

    assert [(json.loads(line)["event"], json.loads(line)["logger"]) for line in written.splitlines()] == [
        ("library_said", "sqlalchemy.pool"),
    ]
    assert CANARY not in written + said.out + said.err
    assert logging.getLogger().handlers == before


def test_the_file_gets_whole_lines(tmp_path: Path) -> None:
    """Two programs append to one file; each line is one write."""
    place = tmp_path / "log" / "sync.jsonl"
    for number in (1, 2):
        with opened("info", place) as log:
            log.info("run_started", run=number)

    assert [json.loads(line)["run"] for line in place.read_text().splitlines()] == [1, 2]


def test_every_event_is_documented() -> None:
    """docs/jobs.md has the table of events; each is used by its name somewhere."""
    page = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "fhir_adapter").rglob("*.py"))

    assert [event for event, meaning in EVENTS.items() if f"| `{event}` | {meaning} |" not in page] == []
    assert [event for event in EVENTS if f'("{event}"' not in code] == []
    assert {"patient", "subject", "id", "url", "value", "exception", "exc_info"} & set(KEYS) == set()
