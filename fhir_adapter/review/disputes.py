"""Disputes: what has been found to contradict, before anyone decided about it."""

import hashlib
import json
from collections.abc import Iterable

import msgspec


class Member(msgspec.Struct, frozen=True, order=True):
    """One fact, or (with an empty `fact_key`) one record, that takes part in a dispute."""

    table: str
    fact_key: str
    hospital: str
    resource: str
    element: str


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """Facts that cannot all be true, something expected that is missing, or a code nobody has mapped.

    `scope` identifies the dispute across syncs and never holds a subject number; `values` are what is disputed.
    A dispute about a code or a unit is shared by every record that carries it, whosever it is: it has no subject, its
    `members` are the facts that it holds among the subjects looked at, and `listed` the first records of them all.
    """

    kind: str
    scope: tuple[str, ...]
    subject: str | None
    members: tuple[Member, ...]
    values: tuple[str, ...]
    message: str
    holds: bool = True
    listed: tuple[Member, ...] = ()

    @property
    def key(self) -> str:
        """Stable identity: the same disagreement is never asked twice."""
        return digest(self.kind, *self.scope)

    @property
    def fingerprint(self) -> str:
        """Changes when the values in dispute change: a decision about other values is not applied."""
        return digest(*self.values)


def digest(*parts: str) -> str:
    """128 bits of SHA-256 over the parts, as 32 hex characters."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()[:32]


def scope_of(members: Iterable[Member]) -> tuple[str, ...]:
    """Resource keys and element paths, sorted: what DESIGN §4 calls a conflict's scope."""
    return tuple(sorted({f"{member.resource}#{member.element}" for member in members}))
