"""Taking in exports: one job at a time, taken up again after a restart, checked by search for what it left out.

The job's window holds the address of its status as its next link; the files that were read are its visited links.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from fhir_adapter.core.study import Hospital
from fhir_adapter.core.windows import Coverage, Gap, Page, Question, WindowState
from fhir_adapter.steps import asking
from fhir_adapter.steps.asking import Asked, members_only
from fhir_adapter.steps.intake import Intake
from fhir_adapter.steps.vanishing import known_ones
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.marks import Marks
from fhir_adapter.store.opened import link_digest
from fhir_adapter.store.records import Kept, StoredWindow
from fhir_adapter.wire import bulk, plan
from fhir_adapter.wire.connection import Connection
from fhir_adapter.wire.faults import Fault

EXPORT = "$export"
"""The type of an export's window."""

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
TRIES = 2
"""How often an export is asked for in one run, when its job or a file of it is lost."""


class _Taken:
    """What an export has brought so far."""

    def __init__(self, wanted: bulk.Order) -> None:
        self.order = wanted
        self.ids: dict[str, Marks] = {}
        self.patients: set[str] = set()
        self.types: set[str] = set()
        self.faulty: set[str] = set()
        self.at: datetime | None = None
        self.resumed = False


def export(connection: Connection, intake: Intake, patients: frozenset[str], started: datetime) -> dict[str, Asked]:
    """Exports the clinical types, and asks by search for those that exports do not bring; what full ones brought."""
    hospital = intake.hospital
    types = plan.exported_types(hospital)
    window = _window(connection, intake, order(intake.work, hospital, patients))
    taken = _taken(connection, intake, window, patients)
    full: dict[str, Asked] = {}
    brought: set[str] = set()
    if taken is not None:
        brought = _brought(intake, taken, types)
        beside = _left_out(intake, taken, patients)
        within = patients - beside
        # A job that was taken up holds what there was when it was begun.
        _cover(intake, taken, sorted(brought), within, min(started, window.opened_at))
        if taken.order.since is None and taken.at is not None:
            full = {type: Asked(ids=taken.ids.get(type, Marks()), patients=set(within),
                                whole=not taken.resumed and not {type, "*"} & taken.faulty) for type in brought}
        if beside and brought:
            full = _joined(full, asking.clinical(connection, intake, beside, started, sorted(brought)))
    else:
        _open(intake, types, patients, started)
    rest = set(plan.clinical_types(hospital)) - (set(types) if taken is None else brought)
    if rest:
        full |= asking.clinical(connection, intake, patients, started, sorted(rest))
    return full


def order(work: Workspace, hospital: Hospital, patients: frozenset[str]) -> bulk.Order:
    """What to export: changes alone, unless a patient or a type has no whole answer yet (Q23)."""
    types = plan.exported_types(hospital)
    settings = hospital.pull.bulk
    level = {"system": "", "patient": "Patient"}.get(settings.level or "", "")
    group = settings.group or hospital.cohort.group
    if settings.level == "group" or (settings.level is None and group):
        level = group or ""
    elif settings.level is None:
        level = "Patient"
    coverage = work.vault.coverage(hospital.id)
    absent = set(types) - set(work.vault.lessons(hospital.id, "exported"))
    since = [row.since if (row := coverage.get((type, patient))) is not None else None
             for type in types if type not in absent for patient in patients]
    known = [one for one in since if one is not None]
    from_when = min(known) - hospital.pull.overlap if settings.since and known and len(known) == len(since) else None
    return bulk.Order(level=level, types=(*types, "Medication"), since=from_when)


def _window(connection: Connection, intake: Intake, wanted: bulk.Order) -> StoredWindow:
    """The window of this export; another one that is still open is ended at the server first (Q21)."""
    question = Question(type=EXPORT, since=wanted.since, mode="last_updated" if wanted.since else "full_reread",
                        parameters=(("level", wanted.level), *wanted.address), reason="one export for all types")
    vault, hospital = intake.work.vault, intake.hospital.id
    for other in vault.windows(hospital, WindowState.OPEN):
        if other.question.type == EXPORT and other.question != question:
            if other.next is not None:
                bulk.end(connection, other.next)
            vault.close_window(intake.lease, other.id, WindowState.FAILED, (), intake.work.clock())
    return intake.windows([question])[0]


def _taken(connection: Connection, intake: Intake, window: StoredWindow, patients: frozenset[str]) -> _Taken | None:
    """Everything that the export brought; None if it could not be had, and the window says why."""
    question = window.question
    wanted = bulk.Order(level=dict(question.parameters)["level"], since=question.since,
                       types=tuple(dict(question.parameters).get("_type", "").split(",")))
    status = window.next
    read = window.visited if not window.issues else frozenset()
    for _ in range(TRIES):
        taken = _Taken(wanted)
        try:
            status = status or _begun(connection, intake, window, wanted)
            if _all_parts(connection, intake, (window, status, read), patients, taken):
                bulk.end(connection, status)
                whole = not taken.faulty
                intake.page(Page(url="", entries=()), (), window=window,
                            state=WindowState.WHOLE if whole else WindowState.FAILED)
                return taken
            return None  # still at work: the next run goes on
        except bulk.JobLost:
            if status is not None:
                bulk.end(connection, status)
            intake.work.vault.restart_window(intake.lease, window.id, intake.work.clock())
            status, read = None, frozenset()
        except Fault as fault:
            intake.page(Page(url="", entries=(), next=status, gaps=(
                Gap(code=fault.code, message=f"export: {fault}", status=fault.status or 0),)), (), window=window)
            return None
    intake.page(Page(url="", entries=(), gaps=(
        Gap(code="cursor_lost", message="the export or a file of it was lost twice; run again"),)), (), window=window)
    return None


def _begun(connection: Connection, intake: Intake, window: StoredWindow, wanted: bulk.Order) -> str:
    """The status of a new job, kept before anything else: a restart must find it."""
    status = bulk.kick_off(connection, wanted)
    intake.page(Page(url="", entries=(), next=status), (), window=window)
    return status


def _all_parts(connection: Connection, intake: Intake, job: tuple[StoredWindow, str, frozenset[str]],
               patients: frozenset[str], taken: _Taken) -> bool:
    """Reads the manifest's parts as they come; False if the job is still at work when the patience ends."""
    window, status, read = job
    address: str | None = status
    for _ in range(bulk.MAX_PARTS):
        manifest = _finished(connection, intake, address or status)
        if manifest is None:
            gap = Gap(code="paused", message="the export is still at work; the next run takes it up")
            intake.page(Page(url="", entries=(), next=status, gaps=(gap,)), (), window=window)
            intake.work.vault.close_window(intake.lease, window.id, WindowState.OPEN, (), intake.work.clock())
            return False
        taken.at = taken.at or manifest.at
        for kind, file in _in_order(manifest):
            if link_digest(file.url) in read:
                taken.types.add(file.type)
                taken.resumed = True
                continue
            for page in bulk.pages(connection, file, kind, known=manifest.requires_access_token):
                _take(intake, (window, status), (kind, file), page, patients, taken)
        if manifest.next is None:
            return True
        address = connection.client.pin.place(manifest.next, status)[0]
    raise bulk.JobLost("a manifest has no end")


def _in_order(manifest: bulk.Manifest) -> Iterator[tuple[bulk.Kind, bulk.File]]:
    """Deleted records first (one may have been made again), Medications last, when it is known who refers to them."""
    yield from (("error", file) for file in manifest.error)
    yield from (("deleted", file) for file in manifest.deleted)
    yield from (("output", file) for file in sorted(manifest.output, key=lambda one: one.type == "Medication"))


def _finished(connection: Connection, intake: Intake, status: str) -> bulk.Manifest | None:
    """The manifest, once the job has ended; None when `bulk.wait` is over. Our lease is kept alive meanwhile."""
    deadline = intake.work.clock() + intake.hospital.pull.bulk.wait
    wait = FIRST_WAIT
    while True:
        answer = bulk.poll(connection, status)
        if isinstance(answer, bulk.Manifest):
            return answer
        wait = min(LONGEST_WAIT, wait * 1.5)
        asked = answer.seconds if answer.seconds is not None else wait
        if intake.work.clock() + timedelta(seconds=asked) > deadline:
            return None
        intake.told(f"{intake.hospital.id}: the hospital exports", 0, 0)
        intake.wait(max(0.05, asked))


def _take(intake: Intake, job: tuple[StoredWindow, str], which: tuple[bulk.Kind, bulk.File], page: Page,
          patients: frozenset[str], taken: _Taken) -> None:
    """Keeps what is the cohort's of one page of a file."""
    (window, status), (kind, file) = job, which
    if kind == "deleted":
        kept = known_ones(intake, page.entries)
        page = msgspec.structs.replace(page, entries=tuple(one.entry for one in kept))
    elif file.type == "Medication":
        wanted = intake.leaning | set(intake.work.vault.ids(intake.hospital.id, "Medication"))
        kept = [Kept(entry=entry) for entry in page.entries if entry.type == "Medication" and entry.id in wanted]
    else:
        kept = [one for one in members_only(page.entries, patients) if one.entry.type in taken.order.types]
    for one in kept:
        asking.lean_on(intake, one.entry)
        if one.patient is not None:
            taken.patients.add(one.patient)
        taken.ids.setdefault(one.entry.type, Marks()).add(hash(one.entry.id))
    if kind == "output":
        taken.types.add(file.type)
    if page.gaps or page.damages:
        taken.faulty.add(file.type if kind == "output" else "*")
    intake.page(msgspec.structs.replace(page, next=status), kept, window=window)


def _brought(intake: Intake, taken: _Taken, types: tuple[str, ...]) -> set[str]:
    """The types that this server's exports bring, as far as one has shown it; the others are asked by search."""
    vault, hospital = intake.work.vault, intake.hospital
    before = set(vault.lessons(hospital.id, "exported"))
    vault.learn(intake.lease, hospital.id, "exported", {type: "" for type in sorted(taken.types - before)},
                intake.work.clock())
    shown = set(types) if hospital.pull.bulk.absent == "trust" else (before | taken.types) & set(types)
    return shown if taken.at is not None else set()


def _left_out(intake: Intake, taken: _Taken, patients: frozenset[str]) -> frozenset[str]:
    """Those of whom a Group's export brings nothing, such as who replaces a member without being one: asked by search.

    A full export shows it, and it is remembered for those of changes alone. Of one that was taken up we do not know
    whom the files were about that had been read before: those are asked once more.
    """
    vault, hospital, name = intake.work.vault, intake.hospital.id, "left out of exports"
    if not taken.order.level.startswith("Group/"):
        return frozenset()
    before = frozenset(vault.lessons(hospital, name))
    if taken.order.since is not None:
        return before & patients
    found = patients - taken.patients
    vault.learn(intake.lease, hospital, name, dict.fromkeys(sorted(found - before), ""), intake.work.clock())
    vault.unlearn(intake.lease, hospital, name, before - found, intake.work.clock())
    return found


def _joined(exported: dict[str, Asked], searched: dict[str, Asked]) -> dict[str, Asked]:
    """What an export and a search together brought in full of each type."""
    joined = {**exported, **searched}
    for type in exported.keys() & searched.keys():
        one, other = exported[type], searched[type]
        joined[type] = Asked(ids=one.ids.joined(other.ids), patients=one.patients | other.patients,
                             whole=one.whole and other.whole)
    return joined


def _cover(intake: Intake, taken: _Taken, types: list[str], patients: frozenset[str], started: datetime) -> None:
    """Coverage after an export: up to the server's own transaction time; open where something was wrong."""
    coverage = intake.work.vault.coverage(intake.hospital.id)
    rows = []
    for type in types:
        is_whole = not {type, "*"} & taken.faulty
        for patient in sorted(patients):
            before = coverage.get((type, patient))
            rows.append(Coverage(
                type=type, patient=patient, mode="last_updated" if taken.order.since else "full_reread",
                since=taken.at if is_whole else (before.since if before is not None else None),
                whole_as_of=started if is_whole else (before.whole_as_of if before is not None else None),
                open_since=None if is_whole else ((before.open_since if before is not None else None) or started)))
    if taken.at is None:
        intake.gap(EXPORT, Gap(code="not_fhir", message="the manifest has no transactionTime; asked by search instead"))
    intake.work.vault.set_coverage(intake.lease, intake.hospital.id, rows, intake.work.clock())


def _open(intake: Intake, types: tuple[str, ...], patients: frozenset[str], started: datetime) -> None:
    """Nothing was exported: what was to be is open."""
    coverage = intake.work.vault.coverage(intake.hospital.id)
    blank = Coverage(type="", patient="", mode="full_reread")
    rows = []
    for type in types:
        for patient in sorted(patients):
            before = coverage.get((type, patient), blank)
            rows.append(msgspec.structs.replace(before, type=type, patient=patient,
                                                open_since=before.open_since or started))
    intake.work.vault.set_coverage(intake.lease, intake.hospital.id, rows, intake.work.clock())
