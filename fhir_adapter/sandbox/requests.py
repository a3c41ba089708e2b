"""What a rehearsal hospital was asked: the log that tests read, and the error for what nobody should have asked."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request and how it was answered; `unexpected` says in words what was wrong with it (empty: nothing).

    The Authorization header is not kept, only whether there was one.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    authorized: bool
    status: int
    unexpected: str = ""
    annex: bool = False
    """It came to the hospital's other origin."""
    at: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    def values(self, name: str) -> list[str]:
        """Every value given for a query parameter."""
        return [value for key, value in self.query if key == name]

    def __str__(self) -> str:
        """`GET /fhir/Patient (_id, _count) -> 400: unknown parameter x`, without values."""
        names = ", ".join(name for name, _ in self.query)
        return f"{self.method} {self.path} ({names}) -> {self.status}: {self.unexpected}"


class UnexpectedRequests(AssertionError):
    """A strict rehearsal hospital was asked what nobody should ask."""

    def __init__(self, seen: list[Seen]) -> None:
        self.seen = seen
        super().__init__("unexpected requests:\n" + "\n".join(str(one) for one in seen))
