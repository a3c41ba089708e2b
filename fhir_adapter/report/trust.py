"""How far a number can be trusted: open conflicts that may change it, and how whole the data behind it are."""

import msgspec

from fhir_adapter.core.figures import Completeness
from fhir_adapter.core.study import Hospital
from fhir_adapter.report.conclusions import Row, kinds_of
from fhir_adapter.report.context import Context

_DRUGS = ("Medication", "MedicationAdministration", "MedicationStatement", "MedicationRequest", "MedicationDispense")
_PEOPLE = ("Patient", "ResearchStudy", "ResearchSubject", "Group")
_START = (*_PEOPLE, *_DRUGS, "Procedure")
LEANS_ON: dict[str, tuple[str, ...] | None] = {
    "population": (*_START, "Observation", "BodyStructure"),
    "response": (*_START, "Observation", "BodyStructure"),
    "progression": (*_START, "Observation", "BodyStructure", "Condition"),
    "survival": None,
    "adverse_events": (*_START, "AdverseEvent"),
}
"""The resource types that a result leans on; None: every type, because any record may prove that somebody lived."""


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """`conflicts` open ones touch `subjects` provisional rows; `as_of` is the oldest "whole as of" behind it."""

    conflicts: int
    subjects: int
    titles: tuple[str, ...]
    as_of: str | None
    incomplete: tuple[str, ...]
    gaps: tuple[str, ...]

    @property
    def provisional(self) -> bool:
        """Whether an open conflict may still change the number."""
        return self.conflicts > 0 or self.subjects > 0


def trust(context: Context, found: list[Row], result: str) -> Trust:
    """What stands beside a result that was counted over these conclusions."""
    held: dict[str, set[str]] = {}
    provisional = [row for row in found if row["provisional"]]
    for row in provisional:
        for kind in kinds_of(row):
            held.setdefault(kind, set()).add(row["subject"])
    touching = sum(
        conflict.kind in held and (not conflict.subjects or bool(held[conflict.kind] & set(conflict.subjects)))
        for conflict in context.conflicts
    )
    behind = [row for row in context.completeness if _leans(result, row)]
    ages = [row.whole_as_of for row in behind]
    known = [age for age in ages if age is not None]
    return Trust(
        conflicts=touching,
        subjects=len({row["subject"] for row in provisional}),
        titles=tuple(_title(context, kind) for kind in sorted(held)),
        as_of=min(known) if known else None,
        incomplete=tuple(
            f"{context.hospital_name(row.hospital)}, {row.type}: {state(row)}" for row in behind if lacking(row)
        ),
        gaps=tuple(_gaps(context, result)),
    )


def lacking(row: Completeness) -> bool:
    """Whether something of this hospital and type is missing."""
    return row.open_since is not None or row.whole_as_of is None or row.quarantined > 0


def state(row: Completeness) -> str:
    """What is missing, or since when everything is there, in words."""
    said = []
    if row.open_since is not None:
        said.append(f"open since {moment(row.open_since)}")
    if row.whole_as_of is None:
        said.append("never whole")
    if row.quarantined:
        said.append(f"{row.quarantined} in quarantine")
    return ", ".join(said) or f"whole as of {moment(row.whole_as_of)}"


def moment(text: str | None) -> str:
    """A moment to the minute: `2026-07-01 04:00`; a date stays a date."""
    return (text or "").replace("T", " ")[:16]


def gap(hospital: Hospital, kind: str) -> str | None:
    """A declared gap of a hospital and type in words; None if there is none."""
    settings = hospital.types.get(kind)
    declared = settings.unavailable if settings is not None else None
    if declared is None:
        return None
    return f"not available since {declared.since.isoformat()}: {declared.reason} (signed by {declared.signed_by})"


def _leans(result: str, row: Completeness) -> bool:
    types = LEANS_ON[result]
    return types is None or row.mode == "sheet" or row.type in types


def _gaps(context: Context, result: str) -> list[str]:
    types = LEANS_ON[result]
    return [
        f"{hospital.name}, {kind}: {said}"
        for _, hospital in sorted(context.hospitals.items())
        for kind in sorted(hospital.types)
        if (types is None or kind in types) and (said := gap(hospital, kind)) is not None
    ]


def _title(context: Context, kind: str) -> str:
    found = context.kind(kind)
    return found.title if found is not None else kind
