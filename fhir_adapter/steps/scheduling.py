"""What the vault's runs say about when hospitals were asked: what is due, and how each of them ended last."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from fhir_adapter.core.errors import LEASE_HELD, WHOLE
from fhir_adapter.core.runs import Counts, HospitalOutcome
from fhir_adapter.core.study import Hospital
from fhir_adapter.jobs.due import Asked, Due, due
from fhir_adapter.steps.workspace import Workspace

LOOKED_BACK = 5000
"""Runs that are looked through for a hospital's last whole one; one that has none among them is asked."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended for one hospital; `asked` is the exit code of asking alone (None: it was not asked)."""

    hospital: str
    started: datetime
    ended: datetime
    code: int
    asked: int | None
    seconds: float
    counts: Counts


def recorded(outcome: HospitalOutcome) -> dict[str, Any]:
    """What a run keeps of one hospital: its counts, its exit codes and how long it took."""
    return {**msgspec.to_builtins(outcome.counts), "exit": outcome.code, "asked": outcome.asked,
            "seconds": round(outcome.seconds, 3)}


def ended_runs(work: Workspace, last: int = LOOKED_BACK) -> Iterator[Ended]:
    """What the last runs came to, hospital by hospital, newest first; one that another run kept out is left out."""
    names = Counts.__struct_fields__
    for run in work.vault.runs(last):
        if run.ended_at is None or run.command not in ("sync", "pull"):
            continue
        for hospital, kept in run.counts.items():
            if kept.get("exit") is None or kept["exit"] == LEASE_HELD:
                continue
            yield Ended(
                hospital=hospital, started=datetime.fromisoformat(run.started_at),
                ended=datetime.fromisoformat(run.ended_at), code=kept["exit"],
                asked=kept.get("asked") if run.command == "sync" else None, seconds=kept.get("seconds", 0.0),
                counts=Counts(**{name: kept[name] for name in names if name in kept}),
            )


def took(work: Workspace, run: int) -> float:
    """Seconds from a run's beginning to its end; 0 for one that has none."""
    for one in work.vault.runs(50):
        if one.id == run and one.ended_at is not None:
            span = datetime.fromisoformat(one.ended_at) - datetime.fromisoformat(one.started_at)
            return max(0.0, span.total_seconds())
    return 0.0


def due_hospitals(work: Workspace, hospitals: Sequence[Hospital]) -> list[Due]:
    """What a scheduled job does about each of these hospitals now."""
    asked = [Asked(hospital=one.hospital, started=one.started, ended=one.ended, whole=one.asked == WHOLE)
             for one in ended_runs(work) if one.asked is not None]
    rests = {one.id: until for one in hospitals if (until := paused_until(work, one.id)) is not None}
    return due(hospitals, asked, work.clock(), rests)


def paused_until(work: Workspace, hospital: str) -> datetime | None:
    """Until when a hospital asked to be left alone; None if it did not, or that time is over."""
    found: list[datetime] = []
    for lesson in work.vault.lessons(hospital, "pause").values():
        with suppress(ValueError):
            found.append(datetime.fromisoformat(lesson.value))
    return max((until for until in found if until.tzinfo is not None and until > work.clock()), default=None)
