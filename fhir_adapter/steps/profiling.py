"""The codes and units that the vault holds, with their frequency, mapped or not: what a mapper of codes begins with."""

from collections.abc import Sequence

import msgspec

from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.runs import Progress
from fhir_adapter.domains.profile import Profile
from fhir_adapter.steps.codes import with_decisions
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.raw import all_versions
from fhir_adapter.store.records import Kind

AT_ONCE = 1_000
"""Versions read at once."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """One code or unit of a hospital (domains.profile.Use), and how many elements of newest versions use it."""

    hospital: str
    kind: str
    type: str
    element: str
    system: str
    code: str
    display: str
    found: str
    list: str
    concept: str
    records: int


def profile(work: Workspace, hospitals: Sequence[str], told: Progress, *, unmapped: bool = False) -> list[Counted]:
    """Every code and unit of the hospitals (none named: of all), the most frequent first; decided codes are mapped.

    `unmapped` leaves out what leads to a concept or is known to mean nothing here. Only newest versions count; records
    that cannot be read are not profiled (`problems list` names them).
    """
    for name in hospitals:
        if name not in work.study.hospitals:
            raise UsageError(f"{name}: no such hospital; the study has {', '.join(sorted(work.study.hospitals))}.")
    concepts = with_decisions(work.study.concepts, work.vault.decisions())
    found: list[Counted] = []
    for name in sorted(hospitals or work.study.hospitals):
        made = Profile(name, work.study.hospitals[name].fhir_version, concepts, work.study.units)
        last = work.vault.last_seq(name)
        for batch in all_versions(work.vault, name, 0, AT_ONCE):
            for version in batch:
                if version.is_head and version.kind == Kind.CONTENT:
                    made.add(version.type, version.body)
            told(f"{name}: reading", batch[-1].seq, last)
        found += [Counted(hospital=name, records=count, **msgspec.structs.asdict(use))
                  for use, count in made.uses.items()
                  if not unmapped or use.found not in ("mapped", "unmatched")]
    return sorted(found, key=lambda one: (-one.records, one.hospital, one.kind, one.type, one.element, one.system,
                                          one.code))
