"""When to ask again and how long to wait first: one policy for every request of the room."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from fhir_adapter.wire.faults import Failing, Fault, Refused

T = TypeVar("T")

ATTEMPTS = 5
FIRST_WAIT = 0.5
LONGEST_BACKOFF = 30.0
LONGEST_WAIT = 300.0
"""A server that wants more than five minutes is left alone for this run (Paused), not waited for."""

_A_YEAR = 366 * 86400
_SECONDS = re.compile(r"\d{1,15}(\.\d{1,6})?")
_PERMANENT = frozenset({"required", "invalid", "structure", "value", "invariant", "not-supported", "not-found",
                        "forbidden", "security", "business-rule", "too-costly", "suppressed"})


def classify(status: int, issues: tuple[str, ...], retry_after: float | None) -> Fault:
    """The one place that says which answers are worth another try.

    429 and 5xx are, and whatever calls itself `transient` or `throttled`; other 4xx are not. A 5xx with an issue code
    that names a lasting fault is not either: Oracle answers 500 `required` for a record that lacks a field (Q27), and
    asking again never helps. 501 is a plain no.
    """
    words = f"HTTP {status}" + (f" (issue {', '.join(sorted(set(issues)))})" if issues else "")
    is_passing = bool({"transient", "throttled", "lock-error", "timeout"} & set(issues))
    is_permanent = bool(issues) and set(issues) <= _PERMANENT
    if is_passing or status in (408, 425, 429) or (status >= 500 and status != 501 and not is_permanent):
        failing = Failing(words, status=status, issues=issues)
        failing.retry_after = retry_after
        return failing
    return Refused(words, status=status, issues=issues)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wait that a server asks for, in seconds from `now`; None if it asks for none that can be understood.

    Understood: seconds, HTTP-date, `x-ms-retry-after-ms` (Azure), and an absolute epoch in seconds or milliseconds
    (a bulk reference server sends `1795405067`; taken as a delay that is 57 years).
    """
    milliseconds = headers.get("x-ms-retry-after-ms", "").strip()
    if _SECONDS.fullmatch(milliseconds):
        return float(milliseconds) / 1000
    written = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(written):
        number = float(written)
        if number > _A_YEAR * 1000:
            number /= 1000
        return max(0.0, number - now.timestamp()) if number > _A_YEAR else number
    try:
        moment = parsedate_to_datetime(written)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def patiently(action: Callable[[], T], *, sleep: Callable[[float], None], random: Random,
              attempts: int = ATTEMPTS) -> T:
    """Runs an action, again after each Failing, at most `attempts` times; the last fault is raised as it is.

    The waits grow exponentially with full jitter; a Retry-After is honoured instead, never shortened.
    """

    def wait(state: RetryCallState) -> float:
        fault = state.outcome.exception() if state.outcome is not None else None
        asked = fault.retry_after if isinstance(fault, Failing) else None
        backoff = float(min(LONGEST_BACKOFF, FIRST_WAIT * 2 ** (state.attempt_number - 1)))
        return asked + random.uniform(0, 0.1) if asked is not None else random.uniform(backoff / 2, backoff)

    policy = Retrying(stop=stop_after_attempt(attempts), wait=wait, sleep=sleep,
                      retry=retry_if_exception_type(Failing), reraise=True)
    return policy(action)
