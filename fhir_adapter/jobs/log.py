"""The log: JSON lines with an allow-list of keys; what is not on it never leaves the program.

The keys and what their values may look like stand in `KEYS`; any other key, and any value of another form, is dropped
and counted (`dropped` of the line). Exceptions are told by type and, for our own errors, by our own message: those
name elements and rules, never a value. The log knows no names of patients, no ids of records, no addresses.
"""

import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from fhir_adapter.core.errors import AdapterError, UsageError
from fhir_adapter.core.study import LogLevel

EVENTS: dict[str, str] = {
    "run_started": "a run begins: command, program, number of hospitals",
    "run_ended": "a run ended: exit code, seconds",
    "run_failed": "a run was stopped or failed before its end: exit code and error",
    "hospital_started": "a hospital is being asked",
    "hospital_ended": "how a hospital's part ended: exit code, seconds, counts, messages",
    "hospital_skipped": "a hospital is not due: until when, and why",
    "lease_taken": "the right to write was taken: lease and its fencing number",
    "lease_taken_over": "the same, from a run that died or overslept without giving it back",
    "lease_held": "another run holds the lease",
    "windows_opened": "questions that are about to be asked, or are taken up again",
    "window_whole": "a question was answered whole",
    "window_open": "a question's answer is not whole: its gap code",
    "page_refused": "a page or a record of a hospital could not be had or read: gap code",
    "notice_sent": "somebody was told: by which hook, on which occasion",
    "notice_failed": "a hook failed; the run's exit code does not change",
    "metrics_failed": "the metrics file could not be written",
    "library_said": "a library warned; its words may hold values and are left out",
}
"""Every event and what it means."""

_CODE = re.compile(r"[A-Za-z0-9_.:/+*-]{0,80}")
_TYPE = re.compile(r"[A-Z][A-Za-z]{0,40}(/_history)?|\*|records|everything|Sheet")


def _is_code(value: Any) -> bool:
    return isinstance(value, str) and _CODE.fullmatch(value) is not None


def _is_type(value: Any) -> bool:
    return isinstance(value, str) and _TYPE.fullmatch(value) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _is_words(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 1000


def _is_counts(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_code(key) and _is_number(one) for key, one in value.items())


def _is_sentences(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) <= 50 and all(_is_words(one) for one in value)


KEYS: dict[str, Callable[[Any], bool]] = {
    "event": _is_code, "level": _is_code, "timestamp": _is_code, "dropped": _is_number,
    "run": _is_number, "command": _is_code, "program": _is_code, "hospitals": _is_number,
    "hospital": _is_code, "type": _is_type, "code": _is_number, "seconds": _is_number, "counts": _is_counts,
    "messages": _is_sentences, "until": _is_code, "why": _is_words, "lease": _is_code, "number": _is_number,
    "window": _is_number, "windows": _is_number, "pages": _is_number, "gap": _is_code, "hook": _is_code,
    "occasion": _is_code, "error": _is_code, "message": _is_words, "place": _is_code, "logger": _is_code,
}
"""The allow-list: key -> what its value may look like."""

QUIET = ("httpx", "httpcore", "urllib3", "sqlalchemy", "alembic", "apscheduler")
"""Libraries whose own logs hold addresses, parameters or values: never heard below a warning, then without words."""


class Log:
    """Where events go: `log.info("run_started", run=3)`. One with level `off` says nothing."""

    def __init__(self, level: LogLevel = "off", stream: TextIO | None = None) -> None:
        self.level = level
        self.dropped = 0
        self._logger: Any = None
        if level != "off":
            import structlog

            self._logger = structlog.wrap_logger(
                structlog.WriteLogger(stream if stream is not None else sys.stderr),
                processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True),
                            self._allowed, structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=True)],
                wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
            )

    def debug(self, event: str, **fields: object) -> None:
        """What only somebody who searches for a fault needs."""
        self._say("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        """What an operator follows."""
        self._say("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """What an operator should look at."""
        self._say("warning", event, fields)

    def error(self, event: str, error: BaseException, **fields: object) -> None:
        """What went wrong, without its values."""
        self._say("error", event, {**fields, **told(error)})

    def _say(self, level: str, event: str, fields: dict[str, object]) -> None:
        if self._logger is not None:
            getattr(self._logger, level)(event, **fields)

    def _allowed(self, _logger: Any, _method: str, event: Any) -> dict[str, Any]:
        """The structlog processor that lets nothing else through."""
        if event.get("event") not in EVENTS:
            event = {**event, "event": "unnamed"}
        kept = {key: value for key, value in event.items() if key in KEYS and KEYS[key](value)}
        dropped = len(event) - len(kept)
        if dropped:
            kept["dropped"] = dropped
            self.dropped += dropped
        return kept


SILENT = Log()
"""A log that says nothing."""


def told(error: BaseException) -> dict[str, str]:
    """An exception without its values: its type, where in our code it was raised, our own message if it is ours."""
    found = {"error": type(error).__name__}
    if isinstance(error, AdapterError):
        found["message"] = str(error)[:1000]
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "fhir_adapter" in Path(frame.filename).parts]
    if ours:
        found["place"] = f"{Path(ours[-1].filename).stem}:{ours[-1].lineno}"
    return found


@contextmanager
def opened(level: LogLevel, file: Path | None = None) -> Iterator[Log]:
    """The log of a program, until the block ends; libraries speak through it meanwhile, without their words.

    Raises UsageError when the file cannot be written.
    """
    with ExitStack() as stack:
        stream: TextIO | None = None
        if file is not None and level != "off":
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                stream = stack.enter_context(file.open("a", encoding="utf-8", buffering=1))
            except OSError as error:
                raise UsageError(f"[log] file: it cannot be written ({error.strerror})") from None
        log = Log(level, stream)
        stack.enter_context(_libraries_through(log))
        yield log


class _Bridge(logging.Handler):
    """Libraries' warnings as events: who, how bad, never what."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One record of a library."""
        self._log.warning("library_said", logger=record.name, error=record.levelname)


@contextmanager
def _libraries_through(log: Log) -> Iterator[None]:
    bridge = _Bridge(log)
    root = logging.getLogger()
    before = {name: logging.getLogger(name).level for name in QUIET}
    root.addHandler(bridge)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.removeHandler(bridge)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
