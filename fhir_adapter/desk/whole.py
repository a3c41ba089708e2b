"""The study as a whole at the desk: runs and completeness, results and cuts, codes, the audit trail."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from fhir_adapter import cuts, flow
from fhir_adapter.core.desk import Account
from fhir_adapter.core.errors import UsageError
from fhir_adapter.steps import anchoring, desking, outcomes, overseeing
from fhir_adapter.steps.accounts import by_account
from fhir_adapter.steps.anchoring import Anchor
from fhir_adapter.steps.outcomes import Results
from fhir_adapter.steps.overseeing import Codes, Overview
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.desk_book import Signed
from fhir_adapter.store.records import AuditEntry, Cut


def overview(work: Workspace, viewer: Account) -> Overview:
    """Completeness, runs, refused records."""
    return overseeing.overview(work, viewer)


def rerun(work: Workspace, viewer: Account, hospital: str) -> None:
    """Asks a hospital again, behind the page; the run shows when it begins."""
    if hospital not in work.study.hospitals:
        raise UsageError("There is no such hospital.")
    work.vault.note(by_account(work, viewer.name), "run asked for", f"hospital {hospital}", None)

    def run() -> None:
        try:
            flow.sync(work, [hospital])
        except Exception as error:  # nobody waits for this thread: the log is where it can be told
            work.log.error("run_failed", error)

    threading.Thread(target=run, name="rerun", daemon=True).start()


def results(work: Workspace, cut: str = "") -> Results:
    """Headline numbers and tables, as of now or of a cut."""
    return outcomes.results(work, cut)


_DRAWN: dict[str, dict[str, bytes]] = {}
"""Figures as they were drawn, by what they were drawn from: slow to draw, and the same for the same conclusions."""

_DRAWING = threading.Lock()
"""A page asks for its figures at once: they are drawn once."""

KEPT = 8
"""Sets of figures that are kept: as of now, and of cuts."""


def figure(work: Workspace, name: str, cut: str = "") -> bytes | None:
    """A figure as SVG, as of now or of a cut; None where there is none of that name."""
    with _DRAWING:
        found = outcomes.drawable(work, cut)
        if found.mark not in _DRAWN:
            while len(_DRAWN) >= KEPT:
                del _DRAWN[next(iter(_DRAWN))]
            _DRAWN[found.mark] = found.draw()
        return _DRAWN[found.mark].get(name)


def cut_list(work: Workspace) -> list[tuple[Cut, list[tuple[Signed, bool]]]]:
    """The cuts, each with its electronic signatures and whether they still hold."""
    signed: dict[str, list[Signed]] = {}
    for one in work.vault.signatures():
        signed.setdefault(one.about, []).append(one)
    return [(cut, [(one, one.content == cut.digest) for one in signed.get(f"cut {cut.name}", [])])
            for cut in cuts.listed(work)]


def lock_cut(work: Workspace, viewer: Account, wanted: cuts.NewCut, password: str, meaning: str) -> Cut:
    """Creates, signs and locks a cut, after the password once more."""
    desking.check_signing(work, viewer, password, meaning)
    words = (meaning.strip(), viewer.printed)
    return cuts.create(work, msgspec.structs.replace(wanted, words=words))[0]


def codes(work: Workspace, viewer: Account) -> Codes:
    """Codes that wait, and the lists."""
    return overseeing.codes(work, viewer)


def code_list(work: Workspace, name: str) -> str | None:
    """A code list as CSV."""
    return overseeing.list_as_csv(work, name)


def audit_page(work: Workspace, search: str, before: int, size: int) -> list[AuditEntry]:
    """Entries of the trail that hold a text, the newest first."""
    return work.vault.audit_page(search, before, size)


def audit_faults(work: Workspace) -> list[str]:
    """Where the trail's chain does not hold."""
    return work.vault.verify_audit()


def verify_audit(work: Workspace, anchors: Sequence[Path] = ()) -> str:
    """Whether the trail's chain holds, and agrees with what was anchored; raises DatabaseError with every fault."""
    entries = anchoring.verified(work, anchors)
    said = f", and agrees with what was anchored in {len(anchors)} files" if anchors else ""
    return f"The audit trail holds: {len(entries)} entries{said}."


def anchor_audit(work: Workspace, file: Path | None) -> Anchor:
    """Adds the head of the trail's chain to a file of anchors; without a file it is only told."""
    return anchoring.head(work) if file is None else anchoring.append(work, file)[0]


def audit_file(work: Workspace) -> Iterator[str]:
    """The whole trail as CSV, piece by piece."""
    return overseeing.audit_as_csv(work)
