"""Codes at the desk: how often each is used, how many are covered, and candidates approved together."""

from collections.abc import Sequence

import msgspec

from fhir_adapter.core.desk import Account
from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.runs import silent
from fhir_adapter.steps import desking
from fhir_adapter.steps.desking import Done, Wish
from fhir_adapter.steps.profiling import Counted, profile
from fhir_adapter.steps.showing import find
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.bookkeeping import WorkRow
from fhir_adapter.store.records import NewDecision

KNOWN = ("mapped", "unmatched")
"""What is found of a code that somebody has dealt with: it leads to a concept, or is known to mean nothing here."""

MOST = 200
"""Candidates approved at once, at most."""


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """One domain (a resource type; codes or units): how many codes are known, and how many of their occurrences."""

    domain: str
    kind: str
    codes: int
    known: int
    records: int
    known_records: int


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Every code and unit in use, the most frequent first. `mark`: the records and decisions that it was counted over.
    """

    mark: str
    rows: tuple[Counted, ...]

    def seen_by(self, viewer: Account) -> "Usage":
        """The part of the hospitals that somebody may see."""
        kept = self.rows if viewer.scope is None else tuple(one for one in self.rows if one.hospital in viewer.scope)
        return msgspec.structs.replace(self, rows=kept)

    def of(self, domain: str) -> tuple[Counted, ...]:
        """The codes and units of one domain."""
        return tuple(one for one in self.rows if one.type == domain)

    @property
    def coverage(self) -> tuple[Coverage, ...]:
        """By domain, then codes before units; the last row is the whole."""
        found: dict[tuple[str, str], list[Counted]] = {}
        for one in self.rows:
            found.setdefault((one.type, one.kind), []).append(one)
        each = [_covered(domain, kind, rows) for (domain, kind), rows in sorted(found.items())]
        return (*each, _covered("all", "code and unit", self.rows)) if each else ()


def _covered(domain: str, kind: str, rows: Sequence[Counted]) -> Coverage:
    known = [one for one in rows if one.found in KNOWN]
    return Coverage(domain=domain, kind=kind, codes=len(rows), known=len(known), records=sum(r.records for r in rows),
                    known_records=sum(r.records for r in known))


def usage_mark(work: Workspace) -> str:
    """What changes when frequencies or meanings may have: the newest versions, the last decision."""
    last = [f"{name}:{work.vault.last_seq(name)}" for name in sorted(work.study.hospitals)]
    return " ".join([*last, str(work.vault.last_decision_number())])


def count_usage(work: Workspace) -> Usage:
    """Counts codes and units of all newest versions; takes as long as reading them."""
    mark = usage_mark(work)
    return Usage(mark=mark, rows=tuple(profile(work, [], silent)))


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A waiting code, the concept (`list:concept`) that it is to mean, and the number of the last decision seen."""

    row: WorkRow
    seen: int
    concept: str

    @property
    def value(self) -> str:
        """As a form carries it."""
        return f"{self.row.conflict_key} {self.seen} {self.concept}"


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """Candidates chosen to be approved together."""

    chosen: tuple[Chosen, ...]

    @property
    def records(self) -> int:
        """Records that wait for these codes."""
        return sum(one.row.occurrences for one in self.chosen)


def approval(work: Workspace, viewer: Account, chosen: Sequence[str]) -> Approval:
    """Reads choices (`Chosen.value`; an empty one is none) and checks that they could be signed.

    Raises UsageError for any other text, a code chosen twice, none, or too many; Overtaken for one that somebody else
    has decided about.
    """
    found = []
    for one in filter(None, chosen):
        key, seen, concept = (*one.split(" ", 2), "", "")[:3]
        if not seen.isdecimal() or not concept:
            raise UsageError("A choice names a code and a concept.")
        found.append(Chosen(row=find(work, key, viewer), seen=int(seen[:12]), concept=concept))
    if not 0 < len(found) <= MOST or len({one.row.conflict_key for one in found}) < len(found):
        raise UsageError(f"Choose between 1 and {MOST} codes, each once.")
    _ready(work, viewer, found, "looked at")
    return Approval(chosen=tuple(found))


def approve(work: Workspace, viewer: Account, asked: Approval, reason: str) -> Done:
    """Signs one decision for each, all or none."""
    return desking.sign_ready(work, viewer, _ready(work, viewer, asked.chosen, reason))


def _ready(work: Workspace, viewer: Account, chosen: Sequence[Chosen], reason: str
           ) -> dict[str, tuple[NewDecision, int]]:
    made: dict[str, tuple[NewDecision, int]] = {}
    for one in chosen:
        made |= desking.ready(work, viewer, Wish(conflict=one.row.conflict_key, choice="map_code", value=one.concept,
                                                 reason=reason, seen=one.seen))
    return made
