"""The story's other half: results are tried, frozen, proved, compared and handed on. One function for each verb.

As in `flow.py`, how a step goes across rooms stands in `steps/`.
"""

from collections.abc import Sequence
from pathlib import Path

from fhir_adapter.core.errors import DatabaseError
from fhir_adapter.core.runs import Progress, silent
from fhir_adapter.steps import cut_page, cutting, differing, proving, rehearsing, sensitivity
from fhir_adapter.steps.cutting import NewCut
from fhir_adapter.steps.differing import Difference
from fhir_adapter.steps.leases import trial_lease
from fhir_adapter.steps.proving import Proof
from fhir_adapter.steps.sensitivity import Impact
from fhir_adapter.steps.worklist import refresh
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.records import Cut

__all__ = ["NewCut"]


def impacts(work: Workspace, told: Progress = silent) -> list[Impact]:
    """What each open conflict could move, were it settled in each way that is possible; stored, ranked, returned."""
    with trial_lease(work) as lease:
        found = sensitivity.compute(work, lease, told)
        refresh(work, lease)
    return found


def create(work: Workspace, wanted: NewCut, told: Progress = silent) -> tuple[Cut, Path]:
    """Freeze what had happened by a day, as it was known at a moment; the signed cut and its folder."""
    cut = cutting.create(work, wanted, told)
    return cut, cutting.folder_of(work) / cut.name


def listed(work: Workspace) -> Sequence[Cut]:
    """The cuts in the order of their signing."""
    return cutting.listed(work)


def verify(work: Workspace, name: str, told: Progress = silent) -> Proof:
    """Compute a cut anew and prove it. Raises DatabaseError with every place where it does not hold."""
    proof = proving.verify(work, name, told)
    if not proof.holds:
        raise DatabaseError(f"The cut {name} does not hold:\n  " + "\n  ".join(proof.faults))
    return proof


def difference(work: Workspace, before: str, after: str) -> Difference:
    """What moved from one cut to another, and why."""
    return differing.difference(work, before, after)


def report(work: Workspace, name: str, folder: Path | None = None) -> list[Path]:
    """Write the report page and the figures of a cut, from what was frozen; one that is not as signed is refused."""
    notice = rehearsing.DEMO_NOTICE if work.vault.mark == rehearsing.DEMO_MARK else ""
    return cut_page.write(work, name, folder or work.folder / "data" / "report" / "cuts" / name, notice)


def export(work: Workspace, form: str, folder: Path | None = None, cut: str = "") -> list[Path]:
    """Write every view and every table of conclusions as files, those of a cut if one is named."""
    place = folder or work.folder / "data" / "export" / (cut or "now") / form
    return cutting.export(work, form, place, cut)
