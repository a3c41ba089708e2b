"""Conflicts, the doubts that raise them, and the decisions that close them."""

from enum import StrEnum

import msgspec

from fhir_adapter.core.origins import Origin


class Standing(StrEnum):
    """What a fact counts for (DESIGN §3)."""

    CURRENT = "current"
    HELD = "held"
    OVERRULED = "overruled"
    SUPERSEDED = "superseded"
    RETRACTED = "retracted"


class Owner(StrEnum):
    """Who may settle a kind of conflict."""

    DATA_MANAGER = "data manager"
    INVESTIGATOR = "investigator"
    ADJUDICATOR = "adjudicator"


class ConflictKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of conflict: who settles it, whether it blocks a cut, and what counts while it is open."""

    name: str
    title: str
    owner: Owner
    blocking: bool
    meanwhile: str
    choices: tuple[str, ...]


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """A conflict that one record raises by itself: an unmapped code, a unit that nobody can convert.

    `scope` identifies the dispute (for codes: system, code, hospital; else empty: the record itself);
    `values` are what is in dispute and may go into the trial database: never identifiers.
    `holds` says whether the facts of the record at `origin.element` are held meanwhile.
    """

    kind: str
    origin: Origin
    message: str
    scope: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    holds: bool = True


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decided about one conflict: laid over the facts, never edited, undone by another decision.

    `choice` is one of its kind's choices (`accept`, `exclude`, `override`, `map_code`, `join`, `split`, `set_role`,
    `set_level`, `defer`); `value` its argument as JSON text: a fact key, a concept, a date, a role.
    """

    number: int
    conflict_key: str
    kind: str
    fingerprint: str
    choice: str
    value: str
    reason: str
    decided_by: str
    system_user: str
    decided_at: str
    undoes: int | None = None
