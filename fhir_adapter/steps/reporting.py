"""Reporting: results, how complete and how open they are, as one page with its figures."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from fhir_adapter import __version__, endpoints, report
from fhir_adapter.core.figures import Completeness, OpenConflict, Summary, Table
from fhir_adapter.report import Context
from fhir_adapter.review.kinds import KINDS
from fhir_adapter.steps.projecting import completeness
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.frames import COUNTED

Frames = dict[str, pd.DataFrame]


def conclusions(work: Workspace) -> Frames:
    """Every conclusion table of the trial."""
    return work.trial.frames(tuple(one.name for one in endpoints.ALL))


def summarise(work: Workspace) -> Summary:
    """The headline numbers as of now."""
    return endpoints.summary(conclusions(work), work.study.protocol)


def write(work: Workspace, folder: Path, *, notice: str = "") -> list[Path]:
    """Writes the page and its figures below `folder`."""
    frames = conclusions(work)
    return report.write(frames, endpoints.summary(frames, work.study.protocol), _context(work, notice, frames), folder)


def tables(work: Workspace, frames: Frames, cutoff: str) -> tuple[Table, ...]:
    """The tables of the report, over conclusions and the steps of subjects through the study."""
    steps = work.trial.frames(("disposition",), standings=COUNTED)["disposition"]
    return endpoints.report_tables(frames, steps, work.study.protocol, cutoff)


def _context(work: Workspace, notice: str, frames: Frames) -> Context:
    now = work.clock().isoformat(timespec="seconds")
    whole = [one.whole_as_of for one in completeness(work) if one.whole_as_of is not None]
    return msgspec.structs.replace(
        context(work, frames, latest_clinical_date(work)), completeness=_completeness(work), generated=now,
        known_at=max(whole, default=""), version=__version__, notice=notice)


def context(work: Workspace, frames: Frames, cutoff: str) -> Context:
    """What a page says beside results that were computed up to a day: the study, what is open and what is settled."""
    conflicts = work.trial.frames(("conflict",))["conflict"]
    rows: Iterable[Any] = conflicts[conflicts.state == "open"].itertuples()
    closed = conflicts[conflicts.state == "closed"].kind.value_counts()
    return Context(
        protocol=work.study.protocol, hospitals=work.study.hospitals, kinds=KINDS,
        conflicts=tuple(OpenConflict(row.kind, (row.subject,) if row.subject else (), _hospitals(row)) for row in rows),
        closed={str(kind): int(count) for kind, count in closed.items()},
        cutoff=cutoff, tables=tables(work, frames, cutoff),
    )


def _hospitals(row: Any) -> tuple[str, ...]:
    return tuple(json.loads(row.hospitals))


def _completeness(work: Workspace) -> tuple[Completeness, ...]:
    refused: dict[tuple[str, str], int] = {}
    for one in work.vault.quarantined(unacknowledged=True):
        refused[one.hospital, one.type] = refused.get((one.hospital, one.type), 0) + 1
    return tuple(
        Completeness(hospital=row.hospital, type=row.type, mode=row.mode, whole_as_of=row.whole_as_of,
                     open_since=row.open_since, quarantined=refused.get((row.hospital, row.type), 0))
        for row in completeness(work)
    )


def latest_clinical_date(work: Workspace) -> str:
    """The latest day on which something is known to have happened; empty without any."""
    alive = work.trial.frames(("alive_evidence", "time_to_event"))
    days = [*alive["alive_evidence"].date.dropna(), *alive["time_to_event"].date.dropna()]
    return max((day for day in days if len(day) == 10), default="")
