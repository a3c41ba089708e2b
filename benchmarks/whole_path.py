"""A hospital's HTTP pages to committed facts, and the second sync that finds nothing new."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import msgspec

from benchmarks import floor, writes
from benchmarks.clocks import Stopwatch
from benchmarks.copies import HOSPITALS, write_hospitals, write_study
from benchmarks.places import Place, places
from benchmarks.replayed import Replayed
from benchmarks.rows import Row, ratio
from fhir_adapter import flow, study
from fhir_adapter.core.study import Databases as Named
from fhir_adapter.core.study import Study
from fhir_adapter.sandbox.rehearse import rehearse
from fhir_adapter.steps.workspace import Means, Workspace, opened
from tests.databases import Databases

TARGET = 0.25
AGAIN = 2.0
SECRET = b"a secret of the benchmarks, the same in every run"
ALLOWED = {"run", "lease", "fence", "question_window", "visited", "coverage", "completeness"}
"""What a second sync with nothing new may write (DESIGN §5.4): its run, lease and fence, its windows with the links
that they followed (`visited`), `whole_as_of` (in `coverage`), and `completeness`."""


@dataclass
class Times:
    """What the rounds on one kind of database gave, in seconds, and what stood in the databases at the end."""

    ours: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    floor_wall: list[float] = field(default_factory=list)
    declared: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    sync: list[float] = field(default_factory=list)
    sync_again: list[float] = field(default_factory=list)
    written: dict[str, int] = field(default_factory=dict)
    resources: int = 0
    facts: int = 0
    pages: int = 0


@dataclass(frozen=True)
class Hall:
    """A study whose hospitals answer from memory what they once answered over HTTP."""

    study: Study
    folder: Path
    answers: Replayed

    @contextmanager
    def workspace(self, databases: Databases) -> Iterator[Workspace]:
        """The study over these databases."""
        os.environ["BENCH_VAULT_URL"], os.environ["BENCH_TRIAL_URL"] = databases.vault, databases.trial
        named = Named(vault="env:BENCH_VAULT_URL", trial="env:BENCH_TRIAL_URL")
        settings = self.study.settings.model_copy(update={"databases": named})
        asked = self.study.model_copy(update={"settings": settings})
        with opened(asked, self.folder, secret=SECRET, means=Means(sleep=lambda seconds: None)) as work:
            yield msgspec.structs.replace(work, transport=self.answers)


@contextmanager
def hall(copies: int) -> Iterator[Hall]:
    """The rehearsal hospitals with so many times their patients, behind a memory of their answers."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        write_study(folder / "study", copies)
        write_hospitals(folder / "hospitals", copies)
        rehearsed = stack.enter_context(rehearse(study.load(folder / "study"), folder / "hospitals", work=folder))
        hospitals = {
            name: one.model_copy(update={"pull": one.pull.model_copy(update={"rate": "100000/s"})})
            for name, one in rehearsed.study.hospitals.items()
        }
        yield Hall(rehearsed.study.model_copy(update={"hospitals": hospitals}), folder, Replayed())


def _pulled_and_mapped(work: Workspace) -> None:
    for outcome in (flow.pull(work, HOSPITALS), flow.map_records(work, HOSPITALS)):
        for one in outcome.hospitals:
            assert one.code in (0, 3), one


def _round(hall: Hall, place: Place, times: Times) -> None:
    """Fresh databases: pull and map, the floor with the very rows, and pull and map once more."""
    with ExitStack() as stack:
        with hall.workspace(place.fresh(stack)) as work:
            hall.answers.met.clear()
            with Stopwatch(place.clock) as watch:
                _pulled_and_mapped(work)
                work.vault.database.close()  # what SQLite has still to move out of its log counts, as for the floor
                work.trial.database.close()
            pages = hall.answers.pages()
            times.ours.append(watch.cpu)
            times.wall.append(watch.wall)
            rows = floor.stored(work)
            with Stopwatch(place.clock) as watch:
                _pulled_and_mapped(work)
            times.again.append(watch.cpu)
        times.resources = len(rows[1].rows)
        times.facts = sum(len(one.rows) for one in rows[3:])
        times.pages = len(pages)
        fresh = place.fresh(stack)
        with Stopwatch(place.clock) as watch:
            floor.scan(pages)
            floor.write(fresh.vault, rows[1:])
        times.floor.append(watch.cpu)
        times.floor_wall.append(watch.wall)
        with hall.workspace(place.fresh(stack)) as work, Stopwatch(place.clock) as watch:
            floor.write_as_declared(work, rows)
        times.declared.append(watch.cpu)


def _synced_twice(hall: Hall, place: Place, times: Times) -> None:
    """The scheduled job twice, with the rows that the second one writes."""
    with ExitStack() as stack, hall.workspace(place.fresh(stack)) as work:
        with Stopwatch(place.clock) as watch:
            flow.sync(work, [])
        times.sync.append(watch.cpu)
        with Stopwatch(place.clock) as watch:
            flow.sync(work, [])
        times.sync_again.append(watch.cpu)
        databases = (work.vault.database, work.trial.database)
        for database in databases:
            writes.begin(database)
        flow.sync(work, [])
        times.written = {}
        for database in databases:
            times.written |= {f"{database.which}.{table}": count
                              for table, count in sorted(writes.counted(database).items())}


def measure(rounds: int, copies: int) -> list[Row]:
    """The rows of every kind of database there is; rounds are interleaved between them."""
    with places() as found, hall(copies) as hospitals:
        times = {place.name: Times() for place in found}
        for place in found:  # the hospitals' answers are taken over HTTP here, and everything is loaded
            _round(hospitals, place, Times())
            _synced_twice(hospitals, place, Times())
        for _ in range(rounds):
            for place in found:
                _round(hospitals, place, times[place.name])
                _synced_twice(hospitals, place, times[place.name])
        fetched = hospitals.answers.fetched
        assert fetched == len(hospitals.answers.answers), "an answer was taken from the network while it counted"
    return [row for name, one in times.items() for row in _rows(name, one)]


def _rows(name: str, times: Times) -> list[Row]:
    share = ratio(times.floor, times.ours)
    wall = ratio(times.floor_wall, times.wall)
    faster = ratio(times.ours, times.again)
    sync = ratio(times.sync, times.sync_again)
    declared = ratio(times.declared, times.ours)
    tables = {table.partition(".")[2] for table in times.written}
    said = ", ".join(f"{table} {count}" for table, count in times.written.items())
    return [
        Row(f"{name}: pages to committed facts, share of the floor", f"{share:.2f}", f">= {TARGET}", share >= TARGET,
            f"{times.resources / median(times.ours):,.0f} resources/s of processor time, "
            f"{times.resources / median(times.wall):,.0f}/s wall (share {wall:.2f}); "
            f"{times.resources:,} versions, {times.facts:,} facts, {times.pages} pages"),
        Row(f"{name}: of which our own tables cost", f"{declared:.2f}", "", None,
            "the same rows and `resource` into our tables with their indexes, foreign keys and CHECKs, 1,000 at once"),
        Row(f"{name}: pull and map again, nothing new", f"{faster:.1f} x faster", f">= {AGAIN:.0f} x", faster >= AGAIN,
            f"{median(times.ours):.2f} s, then {median(times.again):.2f} s"),
        Row(f"{name}: whole sync again, nothing new", f"{sync:.1f} x faster", f">= {AGAIN:.0f} x", sync >= AGAIN,
            f"{median(times.sync):.2f} s, then {median(times.sync_again):.2f} s"),
        Row(f"{name}: rows that this sync writes", f"{sum(times.written.values())}", "only DESIGN §5.4",
            tables <= ALLOWED, said),
    ]
