"""Politeness: how many requests a hospital gets at once and per second, whoever asks in this process."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from fhir_adapter.core.errors import UsageError

_PER_SECONDS = {"s": 1, "m": 60, "h": 3600}


def parse_rate(written: str) -> float:
    """Seconds between two requests for a rate such as `10/s`, `90/m` or `500/h`.

    Raises:
        UsageError: the text is no such rate.
    """
    count, _, unit = written.partition("/")
    if not count.strip().isdigit() or int(count) == 0 or unit.strip() not in _PER_SECONDS:
        raise UsageError("pull.rate is not of the form 10/s, 90/m or 500/h")
    return _PER_SECONDS[unit.strip()] / int(count)


class Budget:
    """The one queue through which all requests to a hospital go; safe for threads."""

    def __init__(self, interval: float, at_once: int, clock: Callable[[], datetime],
                 sleep: Callable[[float], None]) -> None:
        """`interval` seconds between two requests, at most `at_once` of them under way."""
        self._interval = timedelta(seconds=interval)
        self._places = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._clock = clock
        self._sleep = sleep
        self._next: datetime | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for a place and for the rate, then holds the place while the request is under way."""
        with self._places:
            wait = self._reserve()
            if wait > 0:
                self._sleep(wait)
            yield

    def _reserve(self) -> float:
        with self._lock:
            now = self._clock()
            start = now if self._next is None or self._next < now else self._next
            self._next = start + self._interval
            return (start - now).total_seconds()
