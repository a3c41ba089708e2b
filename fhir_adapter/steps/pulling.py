"""Pulling one hospital: cohort, patients, clinical types, references, what is gone (DESIGN §4, order of a pull)."""

from datetime import datetime

from fhir_adapter.core.errors import AdapterError, HospitalUnavailable, worst
from fhir_adapter.core.runs import HospitalOutcome, Progress
from fhir_adapter.core.study import Hospital
from fhir_adapter.core.windows import Coverage, Gap
from fhir_adapter.steps import asking, exporting, folders, remembering, vanishing
from fhir_adapter.steps.cohort import find_cohort
from fhir_adapter.steps.intake import Intake
from fhir_adapter.steps.leases import PullLeases
from fhir_adapter.steps.vanishing import HISTORY
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.wire.connection import Connection, joined

EVERYTHING = "*"
"""The type of a coverage row that tells since when a hospital has given nothing, not even its cohort."""


def pull_hospital(work: Workspace, hospital: Hospital, leases: PullLeases, run: int, told: Progress) -> HospitalOutcome:
    """Everything that a hospital says about the cohort, into the vault; what it ended with, as a value.

    Windows that fail stay open and are taken up by the next run; coverage moves only over whole ones. A hospital that
    gives nothing at all opens the coverage of everything that was asked of it before. Raises LeaseHeld when another
    run has this hospital.
    """
    intake = Intake(work, hospital, run, leases, told)
    try:
        _ask(intake)
        work.vault.prune_windows(intake.lease, hospital.id, work.clock())
    except AdapterError as error:
        intake.code = worst([intake.code, error.exit_code])
        intake.messages.append(str(error))
        if isinstance(error, HospitalUnavailable):
            _open_everything(intake)
    return HospitalOutcome(hospital=hospital.id, code=intake.code, counts=intake.counts,
                           messages=tuple(intake.messages))


def _ask(intake: Intake) -> None:
    hospital, work = intake.hospital, intake.work
    if hospital.pull.mode == "sheet":
        folders.read_sheets(intake, work.study.folder / "sync" / (hospital.pull.path or ""))
        return
    if hospital.pull.mode == "files":
        folders.read_files(intake, work.study.folder / "sync" / (hospital.pull.path or ""))
        return
    until = remembering.paused_until(work, hospital)
    if until is not None:
        said = f"{hospital.name} is to be left alone until {until:%Y-%m-%d %H:%M %Z}; nothing was asked"
        intake.gap("everything", Gap(code="paused", message=said))
        return
    with joined(hospital, remembering.means(work, intake), remembering.learned(work, hospital)) as connection:
        try:
            _converse(connection, intake)
        finally:
            remembering.remember(connection, intake)


def _converse(connection: Connection, intake: Intake) -> None:
    """Everything that is asked of a hospital which answers, in order."""
    started = intake.work.clock()
    cohort = find_cohort(connection, intake)
    _answers_again(intake, started)
    unfinished = asking.begin_references(intake)
    if intake.hospital.pull.mode == "bulk":
        full = exporting.export(connection, intake, cohort.asked, started)
    else:
        full = asking.clinical(connection, intake, cohort.asked, started)
    asking.references(connection, intake, unfinished)
    vanishing.deletions(connection, intake, started)
    vanishing.missing(connection, intake, full)
    vanishing.reread(connection, intake, cohort.asked)
    asking.alarm(intake, full)
    intake.work.vault.give_up_windows(intake.lease, intake.hospital.id, intake.run, intake.work.clock())


def _open_everything(intake: Intake) -> None:
    """A hospital that could not be asked: nothing of it is whole any more as of now."""
    now = intake.work.clock()
    rows = [Coverage(type=row.type, patient=row.patient, mode=row.mode, since=row.since, whole_as_of=row.whole_as_of,
                     open_since=row.open_since or now)
            for row in intake.work.vault.coverage(intake.hospital.id).values() if not row.type.endswith(HISTORY)]
    if rows:
        intake.work.vault.set_coverage(intake.lease, intake.hospital.id, rows, now)
    else:
        everything = Coverage(type=EVERYTHING, patient="*", mode="full_reread", open_since=now)
        intake.work.vault.set_coverage(intake.lease, intake.hospital.id, [everything], now)
        intake.gap("everything", Gap(code="failed", message="the hospital gave nothing at all"))


def _answers_again(intake: Intake, started: datetime) -> None:
    """A hospital that gave nothing at all has answered now: from here on each type speaks for itself."""
    vault, hospital = intake.work.vault, intake.hospital.id
    before = vault.coverage(hospital).get((EVERYTHING, "*"))
    if before is not None and before.open_since is not None:
        row = Coverage(type=EVERYTHING, patient="*", mode="full_reread", whole_as_of=started)
        vault.set_coverage(intake.lease, hospital, [row], intake.work.clock())
