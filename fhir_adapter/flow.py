"""Hospitals are asked, answers are kept as they came, read whatever their FHIR version, understood, settled by people,
concluded and shown.

One function for each verb of the command line; how a step goes across rooms stands in `steps/`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path

import msgspec

from fhir_adapter import __version__, kit, study
from fhir_adapter.core.errors import (
    DATABASE,
    INCOMPLETE,
    LEASE_HELD,
    UNEXPECTED,
    AdapterError,
    DatabaseError,
    LeaseHeld,
    UsageError,
    worst,
)
from fhir_adapter.core.runs import Counts, HospitalOutcome, NotDue, Progress, RunOutcome, silent
from fhir_adapter.core.study import Hospital, LogLevel
from fhir_adapter.jobs import log as logs
from fhir_adapter.jobs import schedule as loop
from fhir_adapter.steps import (
    deciding,
    planning,
    previewing,
    rebuilding,
    rehearsing,
    reporting,
    scheduling,
    summing_up,
    tracing,
    watching,
    withdrawing,
)
from fhir_adapter.steps.checking import check
from fhir_adapter.steps.deciding import Choice
from fhir_adapter.steps.exchanging import check_mappings, export_mappings, import_mappings
from fhir_adapter.steps.growing import in_order
from fhir_adapter.steps.leases import PullLeases, trial_lease
from fhir_adapter.steps.mapping import Mapper, map_hospital
from fhir_adapter.steps.planning import Examined, Planned
from fhir_adapter.steps.previewing import Preview
from fhir_adapter.steps.profiling import profile
from fhir_adapter.steps.projecting import project
from fhir_adapter.steps.pulling import pull_hospital
from fhir_adapter.steps.rehearsing import wait_until_stopped
from fhir_adapter.steps.settling import conclude as conclude_subjects
from fhir_adapter.steps.summing_up import ConflictShown, ConflictView, Demonstration, ProblemView, Status, SubjectView
from fhir_adapter.steps.supplementing import check_supplements, template_supplements
from fhir_adapter.steps.workspace import Means, Workspace, opened

__all__ = ["Choice", "Preview", "Workspace", "check", "check_mappings", "check_supplements", "export_mappings",
           "import_mappings", "profile", "template_supplements", "wait_until_stopped"]


@contextmanager
def open_workspace(folder: Path, level: LogLevel | None = None) -> Iterator[Workspace]:
    """A study folder, loaded and with its databases open; `level` of the log instead of the settings'."""
    found = rehearsing.study_at(folder)
    settings, here = found.settings.log, folder.resolve()
    place = here / settings.file if settings.file is not None else None
    with logs.opened(level or settings.level, place) as log, opened(found, here, means=Means(log=log)) as work:
        yield work


# --- the scheduled job ---------------------------------------------------------------------------------------------


def sync(work: Workspace, hospitals: Sequence[str], told: Progress = silent) -> RunOutcome:
    """Ask, keep, understand, settle, conclude: one run, hospital by hospital, and how each of them ended."""
    with _running(work, "sync", hospitals) as run:
        asked = _pulled(work, hospitals, run, told)
        ours = [one.hospital for one in asked if one.code != LEASE_HELD]
        understood = _mapped(work, ours, run, told) if ours else []
        outcome = _joined(asked, understood)
        if not {DATABASE, LEASE_HELD} & {one.code for one in understood} and ours:
            conclude(work, told)
        return _finished(work, run, outcome)


def sync_due(work: Workspace, hospitals: Sequence[str], told: Progress = silent) -> RunOutcome:
    """A sync of those hospitals that are due, and which were not; where none is, nothing is asked and no run made."""
    found = scheduling.due_hospitals(work, _chosen(work, hospitals))
    skipped = tuple(NotDue(hospital=one.hospital, until=one.at, why=one.why) for one in found if not one.now)
    for one in skipped:
        work.log.debug("hospital_skipped", hospital=one.hospital, until=one.until.isoformat(), why=one.why)
    named = [one.hospital for one in found if one.now]
    if not named:
        return RunOutcome(skipped=skipped, notes=tuple(watching.measure_idle(work)))
    return msgspec.structs.replace(sync(work, named, told), skipped=skipped)


def schedule(folder: Path, ended: Callable[[RunOutcome], None], level: LogLevel | None = None) -> None:
    """Sync what is due, now and each minute, on this machine, until the program is stopped.

    The study is read anew each time. A tick that fails says so and does not end the loop; `ended` hears of each run.
    """
    rehearsing.study_at(folder)  # what is wrong with it now is said now

    def tick() -> None:
        try:
            with open_workspace(folder, level) as work:
                outcome = sync_due(work, [])
        except AdapterError as error:
            outcome = RunOutcome(failed=error.exit_code, notes=(str(error),))
        except Exception as error:  # one bad tick does not end the schedule; it is told like any failed run
            said = logs.told(error)
            words = f"Unexpected: {said['error']} at {said.get('place', '?')}."
            outcome = RunOutcome(failed=UNEXPECTED, notes=(words,))
        if outcome.hospitals or outcome.notes:
            ended(outcome)

    loop.run(tick)


def pull(work: Workspace, hospitals: Sequence[str], told: Progress = silent) -> RunOutcome:
    """Ask hospitals and keep what they say; nothing is interpreted."""
    with _running(work, "pull", hospitals) as run:
        return _finished(work, run, RunOutcome(hospitals=tuple(_pulled(work, hospitals, run, told))))


def pull_files(work: Workspace, folder: Path, version: str, name: str, told: Progress = silent) -> RunOutcome:
    """Keep a folder of FHIR files as if a hospital of that name had sent them; it is remembered as one."""
    if rehearsing.only_demo(work.folder):
        raise UsageError("Files are kept for a study, and here is none; make one with `fhir-adapter init DIR`.")
    work = msgspec.structs.replace(work, study=study.remember_files(work.study, name, version, folder))
    with _running(work, "pull", [name]) as run:
        with PullLeases(work, [name]) as leases:
            outcome = pull_hospital(work, work.study.hospitals[name], leases, run, told)
        return _finished(work, run, RunOutcome(hospitals=(outcome,)))


def map_records(work: Workspace, hospitals: Sequence[str], told: Progress = silent) -> RunOutcome:
    """Understand what has been kept and not yet read."""
    with _running(work, "map", hospitals) as run:
        return _finished(work, run, RunOutcome(hospitals=tuple(_mapped(work, hospitals, run, told))))


def conclude(work: Workspace, told: Progress = silent, *, everyone: bool = False) -> int:
    """Settle and conclude the subjects that changed, or everyone; how many they were."""
    with trial_lease(work) as lease:
        subjects = conclude_subjects(work, lease, told, everyone=everyone)
        project(work, lease)
    return subjects


def status(work: Workspace) -> Status:
    """What is whole, what is open, how the last runs ended, who is left alone, what waits for a person."""
    shown = summing_up.status(work)
    return msgspec.structs.replace(shown, lines=[*planning.paused_lines(work), *shown.lines])


def plan(work: Workspace, hospital: str) -> list[Planned]:
    """Every question of a hospital's next pull, with its reason; nothing is asked yet."""
    return planning.plan_hospital(work, hospital)


def doctor(work: Workspace, hospitals: Sequence[str]) -> list[Examined]:
    """Each step of asking a hospital, how it went, and how to mend it."""
    return planning.examine_hospitals(work, hospitals)


# --- people decide -------------------------------------------------------------------------------------------------


def conflicts(work: Workspace, *, kind: str = "", state: str = "open") -> list[ConflictView]:
    """Conflicts of a kind and state (`open`, `closed`, `all`)."""
    return summing_up.conflicts(work, kind=kind, state=state)


def conflict(work: Workspace, key: str) -> ConflictShown:
    """One conflict with both sides, what counts meanwhile, and what can be decided."""
    return summing_up.conflict(work, key)


def decide(work: Workspace, choice: Choice) -> str:
    """Sign a decision and settle what it concerns."""
    decision = deciding.decide(work, choice)
    return f"Decision {decision.number} signed by {decision.decided_by}; {apply(work)} subjects settled again."


def preview(work: Workspace, choice: Choice) -> Preview:
    """What signing this choice would change, before and after; nothing is written."""
    return previewing.preview(work, choice)


def undo(work: Workspace, number: int, *, reason: str, by: str) -> str:
    """Take a decision back by another one, and settle what it concerned."""
    decision = deciding.undo(work, number, reason=reason, by=by)
    return f"Decision {decision.number} undoes decision {number}; {apply(work)} subjects settled again."


def import_decisions(work: Workspace, path: Path, *, by: str = "", only_demo: bool = False) -> list[str]:
    """Replay a file of decisions, then settle; a decision about a code may show conflicts that later rows settle."""
    lines = deciding.import_file(work, path, by=by, only_demo=only_demo)
    apply(work)
    if any("no conflict" in line for line in lines):
        lines = deciding.import_file(work, path, by=by, only_demo=only_demo)
        apply(work)
    return lines


def export_decisions(work: Workspace, path: Path) -> int:
    """Write the decisions in force to a file; how many."""
    return deciding.export_file(work, path)


def problems(work: Workspace) -> list[ProblemView]:
    """What was refused or doubted, quarantine first."""
    return summing_up.problems(work)


def acknowledge(work: Workspace, numbers: Sequence[str], *, by: str, reason: str) -> int:
    """Somebody has seen these quarantined records (all, if none is named); how many were new to be seen."""
    waiting = [one.key for one in work.vault.quarantined(unacknowledged=True)]
    chosen = [key for key in waiting if not numbers or any(key.startswith(number) for number in numbers)]
    count = work.vault.acknowledge(chosen, reason, work.signed(by))
    with trial_lease(work) as lease:
        project(work, lease)
    return count


def subjects(work: Workspace) -> list[SubjectView]:
    """The subjects with their hospitals."""
    return summing_up.subjects(work)


# --- results -------------------------------------------------------------------------------------------------------


def trace(work: Workspace, endpoint: str, subject: str) -> list[str]:
    """Walk from a value back to where it was said."""
    return tracing.trace(work, endpoint, subject)


def report(work: Workspace, folder: Path | None = None, told: Progress = silent) -> list[Path]:
    """Write the report page and its figures."""
    told("writing the report", 0, 1)
    notice = rehearsing.DEMO_NOTICE if work.vault.mark == rehearsing.DEMO_MARK else ""
    paths = reporting.write(work, folder or work.folder / "data" / "report", notice=notice)
    told("writing the report", 1, 1)
    return paths


def rebuild(work: Workspace, told: Progress = silent) -> list[str]:
    """Make the trial database anew from the vault and the mappings, and swap it in."""
    return rebuilding.rebuild(work, told)


# --- rehearsal -----------------------------------------------------------------------------------------------------


def demo(folder: Path, told: Progress = silent) -> Demonstration:
    """The whole path offline; the planted quarantine is acknowledged as the person `demo`, so that it ends whole."""
    with rehearsing.demo_workspace(folder) as work:
        outcome = sync(work, [], told)
        import_decisions(work, kit.fixtures_path() / "decisions.csv", by="demo", only_demo=True)
        acknowledge(work, [], by="demo", reason="planted by the demonstration")
        paths = report(work, None, told)
        code = worst([one.code for one in outcome.hospitals if one.code != INCOMPLETE or summing_up.is_open(work)])
        return summing_up.demonstration(work, code, paths[0])


def init(folder: Path, *, rehearsal: bool = False) -> list[str]:
    """Make a study folder, for a `rehearsal` with the rehearsal hospitals; what to do next."""
    return rehearsing.init(folder, rehearsal=rehearsal)


def sandbox(
    folder: Path, persona: str = "plain", quirks: tuple[str, ...] = ()
) -> AbstractContextManager[dict[str, str]]:
    """The rehearsal hospitals of a study with a vendor's habits, open until the block ends; their addresses by name."""
    return rehearsing.rehearsal(folder, persona, quirks)


# --- how runs begin and end ----------------------------------------------------------------------------------------

_WATCHED = ("sync", "pull", "map")
"""Commands after which metrics are written and people are told; decisions and the like are not jobs."""


def _chosen(work: Workspace, names: Sequence[str]) -> list[Hospital]:
    """The hospitals named, or all; sheets last, since they name other hospitals' records."""
    for name in names:
        if name not in work.study.hospitals:
            raise UsageError(f"{name}: no such hospital; the study has {', '.join(sorted(work.study.hospitals))}.")
    return [work.study.hospitals[name] for name in in_order(work) if not names or name in names]


@contextmanager
def _running(work: Workspace, command: str, hospitals: Sequence[str]) -> Iterator[int]:
    """A run from its beginning; one that fails or is stopped before its end says so, unless it is killed."""
    started = work.clock()
    run = work.vault.start_run(command, sorted(hospitals), work.study.digest, __version__, started)
    work.log.info("run_started", run=run, command=command, program=__version__,
                  hospitals=len(hospitals) or len(work.study.hospitals))
    try:
        yield run
    except BaseException as error:
        code = getattr(error, "exit_code", UNEXPECTED)
        work.log.error("run_failed", error, run=run, command=command, code=code)
        with suppress(DatabaseError):
            work.vault.finish_run(run, {}, code, work.clock())
        if isinstance(error, Exception) and command in _WATCHED:
            watching.after_failure(work, code, _since(work, started))
        raise


def _pulled(work: Workspace, hospitals: Sequence[str], run: int, told: Progress) -> list[HospitalOutcome]:
    outcomes, chosen, early = [], _chosen(work, hospitals), _heed_withdrawals(work, run, told)
    with PullLeases(work, [hospital.id for hospital in chosen]) as leases:
        for hospital in chosen:
            started = work.clock()
            work.log.info("hospital_started", run=run, hospital=hospital.id)
            try:
                outcome = pull_hospital(work, hospital, leases, run, told)
            except AdapterError as error:
                outcome = HospitalOutcome(hospital=hospital.id, code=error.exit_code, messages=(str(error),))
            outcomes.append(msgspec.structs.replace(outcome, asked=outcome.code, seconds=_since(work, started),
                                                    counts=outcome.counts + early.get(hospital.id, Counts())))
    work.vault.forget_run(run)
    return outcomes


def _heed_withdrawals(work: Workspace, run: int, told: Progress) -> dict[str, Counts]:
    """Whom we may ask stands in the trial database: what it has not read of that is read first, and counted."""
    if not withdrawing.unread(work):
        return {}
    understood = _mapped(work, [], run, told)
    if LEASE_HELD in {one.code for one in understood}:
        raise LeaseHeld("another run holds the trial database, which says whom we may ask; run again when it is done")
    conclude(work, told)
    return {one.hospital: one.counts for one in understood}


def _mapped(work: Workspace, hospitals: Sequence[str], run: int, told: Progress) -> list[HospitalOutcome]:
    """Map every hospital asked for; quarantine that nobody has acknowledged makes it incomplete."""
    outcomes = []
    try:
        with trial_lease(work) as lease:
            mapper = Mapper(work)
            for hospital in _chosen(work, hospitals):
                started = work.clock()
                counts = map_hospital(work, mapper, hospital, lease, run, told)
                waiting = summing_up.unacknowledged(work, hospital.id)
                said = f"{waiting} refused records wait; see `fhir-adapter problems list`."
                outcomes.append(HospitalOutcome(
                    hospital=hospital.id, code=INCOMPLETE if waiting else 0, counts=counts,
                    messages=(said,) if waiting else (), seconds=_since(work, started),
                ))
    except LeaseHeld as error:
        named = [hospital.id for hospital in _chosen(work, hospitals)]
        outcomes = [HospitalOutcome(hospital=one, code=LEASE_HELD, messages=(str(error),)) for one in named]
    return outcomes


def _joined(asked: Iterable[HospitalOutcome], understood: Iterable[HospitalOutcome]) -> RunOutcome:
    second = {one.hospital: one for one in understood}
    pairs = [(one, second.get(one.hospital, HospitalOutcome(hospital=one.hospital))) for one in asked]
    return RunOutcome(hospitals=tuple(msgspec.structs.replace(
        first, code=worst([first.code, other.code]), counts=first.counts + other.counts,
        messages=first.messages + other.messages, seconds=first.seconds + other.seconds) for first, other in pairs))


def _finished(work: Workspace, run: int, outcome: RunOutcome) -> RunOutcome:
    counts = {one.hospital: scheduling.recorded(one) for one in outcome.hospitals}
    work.vault.finish_run(run, counts, outcome.code, work.clock())
    for one in outcome.hospitals:
        work.log.info("hospital_ended", run=run, hospital=one.hospital, code=one.code, seconds=round(one.seconds, 3),
                      counts=msgspec.to_builtins(one.counts), messages=one.messages)
    with suppress(LeaseHeld), trial_lease(work, patience=0) as lease:  # whoever has it projects this run with its own
        project(work, lease)
    seconds = scheduling.took(work, run)
    notes = watching.after_run(work, outcome, seconds)
    work.log.info("run_ended", run=run, code=outcome.code, seconds=round(seconds, 3))
    return msgspec.structs.replace(outcome, notes=outcome.notes + tuple(notes))


def _since(work: Workspace, started: datetime) -> float:
    return max(0.0, (work.clock() - started).total_seconds())


def apply(work: Workspace) -> int:
    """Map again what decisions about codes and identity concern, then settle and conclude."""
    with _running(work, "decide", []) as run:
        _mapped(work, [], run, silent)
        count = conclude(work)
        work.vault.finish_run(run, {}, 0, work.clock())
    return count
