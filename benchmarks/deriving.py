"""Deriving all conclusions from frames in memory: the fixtures' subjects, and more of the same."""

from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import pandas as pd

from benchmarks.rows import Row
from benchmarks.whole_path import hall
from fhir_adapter import flow
from fhir_adapter.endpoints import derive
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.frames import COUNTED
from tests.databases import sqlite_databases

SUBJECTS = 1000
AT_ONCE = 500
"""Subjects derived at once, as settling does."""
NAMED = ("fact_key", "resource", "lesion")
"""Columns that name a record or a fact: those of a copy are its own."""


def copied(frames: dict[str, pd.DataFrame], copies: int) -> dict[str, pd.DataFrame]:
    """The facts of so many times the subjects."""
    return {
        name: pd.concat([_renumbered(frame, copy) for copy in range(copies)], ignore_index=True)
        for name, frame in frames.items()
    }


def _renumbered(frame: pd.DataFrame, copy: int) -> pd.DataFrame:
    if not copy:
        return frame
    columns = {"subject", *(name for name in frame if str(name).endswith(NAMED))} & set(frame)
    return frame.assign(**{str(name): f"{copy}-" + frame[name] for name in columns})


def _derive_all(frames: dict[str, pd.DataFrame], work: Workspace) -> int:
    """Derives subjects by lots, as settling does; how many conclusions."""
    subjects = sorted(set(frames["disposition"].subject) | set(frames["demographic"].subject))
    found = 0
    for start in range(0, len(subjects), AT_ONCE):
        lot = subjects[start : start + AT_ONCE]
        some = frames if len(subjects) <= AT_ONCE else {
            name: frame[frame.subject.isin(lot)].reset_index(drop=True) for name, frame in frames.items()}
        derived: Any = derive(some, work.study.protocol, work.study.concepts)
        found += sum(len(frame) for frame in derived.frames.values())
    return found


def measure(rounds: int, _copies: int) -> list[Row]:
    """Two rows: the demonstration's subjects and a thousand."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        work = stack.enter_context(stack.enter_context(hall(1)).workspace(sqlite_databases(folder)))
        flow.sync(work, [])
        frames = work.trial.frames(work.trial.tables.facts, standings=COUNTED)
        known = len(set(frames["disposition"].subject) | set(frames["demographic"].subject))
        rows = []
        for copies in (1, -(-SUBJECTS // known)):
            many = copied(frames, copies)
            times, found = [], 0
            for _ in range(rounds if copies == 1 else max(1, rounds // 2)):
                begun = process_time()
                found = _derive_all(many, work)
                times.append(process_time() - begun)
            took = median(times)
            rows.append(Row(
                f"derive {known * copies:,} subjects", f"{took:.2f} s", "", None,
                f"{known * copies / took:,.0f} subjects/s; {sum(len(one) for one in many.values()):,} facts, "
                f"{found:,} conclusions",
            ))
        return rows
