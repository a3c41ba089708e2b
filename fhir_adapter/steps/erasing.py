"""Erasing a person from both databases (DESIGN §5.8)."""

from contextlib import ExitStack

from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.runs import silent
from fhir_adapter.steps import withdrawing
from fhir_adapter.steps.leases import PullLeases, trial_lease
from fhir_adapter.steps.projecting import project
from fhir_adapter.steps.settling import conclude
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.erasure import Person


def erase(work: Workspace, subject: str, reason: str, by: tuple[str, str]) -> list[str]:
    """Removes a subject from the vault, then from the trial database; what is left for people to do.

    A run that was killed in between is finished by calling it again. Raises UsageError for a subject that neither
    database knows, a missing reason, or two signatures of one person; LeaseHeld while a hospital is asked.
    """
    first, second = (work.signed(name) for name in by)
    if not reason.strip():
        raise UsageError("An erasure needs a reason; it is kept in the audit trail.")
    patients = tuple((one.hospital, one.patient) for one in work.vault.identities() if one.subject == subject)
    conflicts = tuple(str(one["key"]) for one in work.trial.rows("conflict", "subject", [subject]))
    origins = work.trial.frames(("origin",))["origin"]
    if not patients and subject not in set(origins.subject) and not conflicts:
        raise UsageError(f"{subject}: no such subject; `fhir-adapter subjects list` shows them.")
    asked = sorted({hospital for hospital, _ in patients} | set(_sheets(work)))
    with ExitStack() as held:
        leases = held.enter_context(PullLeases(work, asked))
        lease = held.enter_context(trial_lease(work))
        person = Person(subject=subject, patients=patients, conflicts=conflicts)
        work.vault.erase([leases.of(one) for one in asked], person, reason, (first, second))
        known = set(origins[origins.hospital != "decision"].resource)
        work.trial.forget_records(lease, sorted(work.vault.lost(known)))
        work.trial.touch(lease, [subject])
        conclude(work, lease, silent)
        project(work, lease)
        withdrawing.forget(work, subject)
    return [f"{subject} is erased from both databases; the next syncs leave this person out.",
            *(f"The cut {cut.name} was locked before and still shows the trial number: delete its folder if the order "
              "covers it." for cut in work.vault.cuts()),
            "Not ours to change: reports and exports written before, backups, rows in other signed sheets, and the "
            "hospital's own lists. Decisions and the audit trail stay; they name records by opaque keys only."]


def _sheets(work: Workspace) -> list[str]:
    return [name for name, one in work.study.hospitals.items() if one.pull.mode == "sheet"]
