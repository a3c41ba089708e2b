"""Taking in what one hospital says, page by page: membership, counts, windows and coverage."""

from collections.abc import Iterable
from datetime import datetime

from fhir_adapter.core.errors import INCOMPLETE, WHOLE, worst
from fhir_adapter.core.runs import Counts, Progress
from fhir_adapter.core.study import Hospital
from fhir_adapter.core.windows import Coverage, Entry, Gap, Page, Question, WindowState
from fhir_adapter.steps.leases import PullLeases
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.records import Kept, PageCounts, PageProgress, StoredWindow
from fhir_adapter.wire import instants
from fhir_adapter.wire.search import UNEXPECTED_TYPE

LONGEST_SLEEP = 60.0


class Intake:
    """One hospital's part of a pull: what it may write (lease), for which run, and what it has counted so far."""

    def __init__(self, work: Workspace, hospital: Hospital, run: int, leases: PullLeases, told: Progress) -> None:
        """Raises LeaseHeld when another run has this hospital."""
        self.work, self.hospital, self.run, self.told = work, hospital, run, told
        self.leases, self.lease = leases, leases.of(hospital.id)
        self.counts = Counts()
        self.messages: list[str] = []
        self.code = WHOLE
        self.gaps = 0
        self.latest: datetime | None = None
        self._any_erased = work.vault.erasures(work.clock()) > 0
        self.leaning: set[str] = set()
        self.read: set[str] = set()
        """The Patients of the cohort that were read in this run."""

    def page(self, page: Page, kept: Iterable[Kept], *, window: StoredWindow | None = None,
             state: WindowState = WindowState.OPEN, coverage: tuple[Coverage, ...] = ()) -> None:
        """Keeps one page in one transaction; entries of the page that are not kept count as outside the cohort.

        What is an erased person's is never kept, whoever sends it.
        """
        self.renew()
        kept = self._without_erased(tuple(kept))
        issues = (*(gap.code for gap in page.gaps), *(("damaged",) if page.damages else ()))
        progress = PageProgress(
            run=self.run, window=window.id if window is not None else None, kept=kept, damages=page.damages,
            outside=len(page.entries) - len(kept), url=page.url, type=window.question.type if window else "",
            next=page.next, state=state, coverage=coverage, issues=issues,
        )
        self.count(self.work.vault.keep_page(self.lease, self.hospital.id, progress, self.work.clock()))
        for gap in page.gaps:
            self.gap(window.question.type if window else "records", gap)
        if window is not None and state is WindowState.WHOLE:
            self.work.log.debug("window_whole", run=self.run, hospital=self.hospital.id, window=window.id,
                                type=window.question.type)
        elif window is not None and page.gaps:
            self.work.log.warning("window_open", run=self.run, hospital=self.hospital.id, window=window.id,
                                  type=window.question.type, gap=page.gaps[0].code)
        if any(outcome.code == UNEXPECTED_TYPE for outcome in page.outcomes):
            self.say(f"{window.question.type if window else 'records'}: records of another type came too "
                     f"({UNEXPECTED_TYPE}); those of members were kept.")
        now = self.work.clock()
        times = {instants.read(entry.last_updated) for entry in page.entries} | {self.latest}
        self.latest = max((at for at in times if at is not None and at <= now), default=None)

    def _without_erased(self, kept: tuple[Kept, ...]) -> tuple[Kept, ...]:
        if not self._any_erased:
            return kept
        gone = self.work.vault.erased(self.hospital.id, {one.patient for one in kept if one.patient is not None})
        return tuple(one for one in kept if one.patient not in gone)

    def count(self, counts: PageCounts) -> None:
        """Adds what became of a page."""
        self.counts += Counts(fetched=counts.fetched, outside=counts.outside, unchanged=counts.unchanged,
                              repeated=counts.repeated, unreadable=counts.unreadable, new=counts.new)

    def gap(self, what: str, gap: Gap) -> None:
        """Something is missing: the run will say so."""
        self.code = worst([self.code, INCOMPLETE])
        self.gaps += 1
        self.work.log.warning("page_refused", run=self.run, hospital=self.hospital.id, type=what, gap=gap.code)
        self.say(f"{what}: {gap.message} ({gap.code})")

    def say(self, message: str) -> None:
        """Something that a person should know; said once."""
        if message not in self.messages:
            self.messages.append(message)

    def wait(self, seconds: float) -> None:
        """Sleeps, however long, without losing the lease."""
        while seconds > 0:
            self.renew()
            self.work.sleep(min(seconds, LONGEST_SLEEP))
            seconds -= LONGEST_SLEEP

    def renew(self) -> None:
        """Moves the lease's end when half of its time is over, and those of the hospitals that wait for their turn."""
        self.lease = self.leases.renew(self.hospital.id)

    def windows(self, questions: Iterable[Question]) -> list[StoredWindow]:
        """One open window a question; a question left open by an earlier run goes on where it stood."""
        found = self.work.vault.open_windows(self.lease, self.hospital.id, tuple(questions), self.run,
                                             self.work.clock())
        self.work.log.info("windows_opened", run=self.run, hospital=self.hospital.id, windows=len(found))
        return found


def patient_of(entry: Entry, members: "set[str] | frozenset[str]") -> str | None:
    """The member whose record an entry is: the first of its subjects that belongs to the cohort; None for nobody."""
    for subject in entry.subjects:
        patient = subject.removeprefix("Patient/")
        if patient in members:
            return patient
    return None
