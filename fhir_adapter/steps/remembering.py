"""What a pull remembers of a hospital from run to run: its pauses, and how it wants to be asked."""

from datetime import datetime, timedelta
from random import SystemRandom

from fhir_adapter.core.study import Hospital
from fhir_adapter.steps.intake import Intake
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.wire.client import Means, quiet_until
from fhir_adapter.wire.connection import Connection

HABITS_LAST = timedelta(days=30)
"""After that a hospital is asked in full words again: servers learn too."""

_OF_THIS_RUN = frozenset({"brittle", "vague"})


def means(work: Workspace, intake: Intake | None = None) -> Means:
    """What the wire is handed; with an intake, waits keep its lease alive and pauses are remembered."""
    if intake is None:
        return Means(folder=work.folder, clock=work.clock, sleep=work.sleep, random=SystemRandom(),
                     transport=work.transport)
    return Means(folder=work.folder, clock=work.clock, sleep=intake.wait, random=SystemRandom(),
                 transport=work.transport, paused=lambda until: _pause(intake, until), alive=intake.renew)


def paused_until(work: Workspace, hospital: Hospital) -> datetime | None:
    """Until when a hospital is to be left alone: it said so in an earlier run (Q26), or these are its quiet hours."""
    now = work.clock()
    told = work.vault.lessons(hospital.id, "pause").get("*")
    until = [datetime.fromisoformat(told.value)] if told is not None else []
    return max((one for one in (*until, quiet_until(hospital, now)) if one is not None and one > now), default=None)


def _pause(intake: Intake, until: datetime) -> None:
    intake.work.vault.learn(intake.lease, intake.hospital.id, "pause", {"*": until.isoformat()}, intake.work.clock())


def learned(work: Workspace, hospital: Hospital) -> dict[str, set[str]]:
    """How each type wants to be asked, as far as the last month showed."""
    found = work.vault.lessons(hospital.id, "habit")
    return {name: set(one.value.split(",")) for name, one in found.items() if work.clock() - one.at < HABITS_LAST}


def remember(connection: Connection, intake: Intake) -> None:
    """Writes what this run has learned and the vault does not know yet; says which scopes were withheld (Q28)."""
    vault, hospital, now = intake.work.vault, intake.hospital.id, intake.work.clock()
    known = {name: one.value for name, one in vault.lessons(hospital, "habit").items()}
    habits = {kind: ",".join(sorted(found - _OF_THIS_RUN)) for kind, found in connection.learned.items()
              if found - _OF_THIS_RUN}
    vault.learn(intake.lease, hospital, "habit",
                {kind: words for kind, words in habits.items() if known.get(kind) != words}, now)
    if connection.granted is not None:
        before = vault.lessons(hospital, "scope").get("*")
        if before is None or before.value != connection.granted:
            vault.learn(intake.lease, hospital, "scope", {"*": connection.granted}, now)
    if connection.withheld:
        intake.say(f"The token's scopes are narrower than asked for; withheld: {', '.join(connection.withheld)}.")
    for kind, words in sorted(connection.notes.items()):
        intake.say(f"{kind}: {words}.")
