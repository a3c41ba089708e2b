"""Runs a schedule from its first visit to its end, and says what is wrong with what it leaves."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fhir_adapter.core.errors import WHOLE
from fhir_adapter.core.runs import HospitalOutcome
from tests.databases import Databases
from tests.schedules.books import Books
from tests.schedules.place import DAY, World, named_by_environment, opened_world
from tests.schedules.plans import LASTING, Plan, Visit


@dataclass(frozen=True)
class Ended:
    """How a schedule ended: what was wrong, whether all was had, what happened in words, and the last exit code."""

    wrong: list[str]
    whole: bool
    told: list[str]
    asked: list[tuple[str, int]]
    """Each request's path, and the status that it got."""

    def __str__(self) -> str:
        """For whoever reads a failure."""
        return "\n".join(["", *self.told, "", *self.wrong])


def run(plan: Plan, home: Path, data: Path, databases: Databases) -> Ended:
    """One schedule over empty databases."""
    with named_by_environment(databases), opened_world(plan, home, data) as world:
        world.told.append(f"seed {plan.seed}: {plan.persona} {plan.quirks} {plan.mode} by {plan.cohort}, pages of "
                          f"{plan.page_size}, {plan.patients} patients a question, {plan.ahead:+} s")
        wrong: list[str] = []
        for visit in plan.visits:
            wrong += _visited(world, visit)
        wrong += _mended(world)
        asked = [(seen.path, seen.status) for seen in world.server.requests]
        with world.at_work() as work:
            whole = not Books(world, work).open
        return Ended(wrong, whole, world.told, asked)


def _visited(world: World, visit: Visit) -> list[str]:
    began = world.clock() + world.events.ahead
    outcome = world.visit(visit)
    return _checked(world, outcome, began)


def _checked(world: World, outcome: HospitalOutcome | None, began: datetime) -> list[str]:
    """What no sync may leave, however it went."""
    with world.at_work() as work:
        found = Books(world, work).faults(began if outcome is not None and outcome.code == WHOLE else None)
    if outcome is not None and outcome.code != WHOLE and not outcome.messages:
        found.append(f"exit {outcome.code} without a word")
    if outcome is not None and not outcome.counts.pull_adds_up:
        found.append("the counts do not add up")
    return [f"after visit {len([one for one in world.told if one.startswith(('exit', 'stopped'))])}: {one}"
            for one in found]


def _mended(world: World) -> list[str]:
    """The faults cease, and it is asked once more; and again a week later, when all known records are read by id."""
    wrong: list[str] = []
    world.events.heal()
    forgets = world.persona.records.forgets_deleted
    lasting = set(world.plan.quirks) & set(LASTING)
    for passed in (3 * 3600.0, 8 * DAY):
        deletions = passed > DAY or (world.persona.paging.history and not forgets)
        world.clock.forward(passed)
        began = world.clock() + world.events.ahead
        outcome = world.visit(Visit())
        wrong += _checked(world, outcome, began)
        with world.at_work() as work:
            books = Books(world, work)
        apart = books.differences(world.clock() + world.events.ahead, deletions=deletions, weekly=passed > DAY)
        if passed < DAY and world.plan.mode == "bulk":
            continue  # an export that was taken up tells of when it was begun, and its coverage says so
        wrong += [f"at the end, unnamed: {words}" for type, words in apart if not books.names(type)]
        if outcome is not None and outcome.code != WHOLE and not lasting:
            wrong.append(f"at the end: exit {outcome.code} {outcome.messages}")
    return wrong


__all__ = ["Ended", "run"]
