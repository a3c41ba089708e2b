"""Too many requests: how a persona counts them, and how long it then answers 429."""

from collections import deque
from datetime import datetime, timedelta

from fhir_adapter.sandbox.house import House
from fhir_adapter.sandbox.messages import Reply, throttled


class Turnstile:
    """Counts requests in a sliding span, and those at this moment."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._passed: deque[datetime] = deque()
        self._shut_until: datetime | None = None
        self.inside = 0
        self.busiest = 0

    def refusal(self) -> Reply | None:
        """429 when there were too many requests; None lets this one in."""
        limit, now = self._house.persona.limit, self._house.clock()
        if limit is None:
            return None
        if self._shut_until is not None and now < self._shut_until:
            return throttled(limit.form, (self._shut_until - now).total_seconds(), now)
        if limit.concurrent and self.inside > limit.concurrent:
            return throttled(limit.form, limit.wait, now)
        while self._passed and now - self._passed[0] >= timedelta(seconds=limit.per):
            self._passed.popleft()
        if len(self._passed) >= limit.requests:
            self._passed.clear()
            self._shut_until = now + timedelta(seconds=limit.wait)
            return throttled(limit.form, limit.wait, now)
        self._passed.append(now)
        return None

    def enter(self) -> None:
        """A request has come in."""
        self.inside += 1
        self.busiest = max(self.busiest, self.inside)

    def leave(self) -> None:
        """It has been answered."""
        self.inside -= 1
