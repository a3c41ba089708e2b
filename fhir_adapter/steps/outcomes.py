"""Results as of now, and of a cut as it was frozen: numbers in words, tables, figures, and what they rest on."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from fhir_adapter import endpoints
from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.figures import Summary, Table
from fhir_adapter.core.protocol import Protocol
from fhir_adapter.core.runs import CompletenessRow
from fhir_adapter.report import Context
from fhir_adapter.report.page import drawn_figures
from fhir_adapter.steps import reporting
from fhir_adapter.steps.cutting import DATABASE, SUMMARY, the_cut
from fhir_adapter.steps.manifest import Held, Manifest, read_manifest
from fhir_adapter.steps.projecting import completeness
from fhir_adapter.steps.proving import kept_otherwise
from fhir_adapter.steps.reporting import Frames
from fhir_adapter.steps.summing_up import median_text, rate_text
from fhir_adapter.steps.workspace import Workspace, trial_tables
from fhir_adapter.store.locked import open_locked
from fhir_adapter.store.records import Cut
from fhir_adapter.store.worklist import Filter

PRINTED = ("populations", "rates", "readers", "endings", "deaths", "subgroups", "lab_worst")
"""Of the report's tables, those that the desk shows; all of them stand in the report."""


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Headline numbers in words and tables, beside what they rest on.

    `open`, `blocking`: open conflicts, and those of them that block a cut; `settling`: decisions that are being worked
    in. Of a cut: the cut, what of its folder is not as signed, and the conflicts that it was locked over.
    """

    lines: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    open: int
    blocking: int
    incomplete: tuple[str, ...]
    cutoff: str
    settling: int = 0
    cut: Cut | None = None
    faults: tuple[str, ...] = ()
    waived: tuple[Held, ...] = ()


class Drawable(msgspec.Struct, frozen=True):
    """Figures that can be drawn: a mark of everything that they are drawn from, and the drawing (SVG by name)."""

    mark: str
    draw: Callable[[], dict[str, bytes]]


def results(work: Workspace, cut: str = "") -> Results:
    """The study's results as of now, or as a cut froze them. Raises UsageError when there is no such cut."""
    if cut:
        return _frozen_results(work, *_cut(work, cut))
    frames = reporting.conclusions(work)
    cutoff = reporting.latest_clinical_date(work)
    counted = work.trial.counted_conflicts(Filter())
    settling = work.trial.counted_conflicts(Filter(state="settling"))
    return Results(
        lines=_lines(endpoints.summary(frames, work.study.protocol), work.study.protocol),
        tables=_tables(work, frames, cutoff), cutoff=cutoff, open=sum(row[-1] for row in counted),
        blocking=sum(row[-1] for row in counted if row[1]), settling=sum(row[-1] for row in settling),
        incomplete=_incomplete(completeness(work)))


def drawable(work: Workspace, cut: str = "") -> Drawable:
    """The figures as of now, or of a cut. Raises UsageError when there is no such cut."""
    if cut:
        row, folder, manifest = _cut(work, cut)
        return Drawable(f"{row.digest} {folder}", lambda: _frozen_figures(work, row, folder, manifest))
    frames, cutoff = reporting.conclusions(work), reporting.latest_clinical_date(work)
    return Drawable(_mark(frames, cutoff), lambda: _drawn(frames, work.study.protocol, cutoff))


def _cut(work: Workspace, name: str) -> tuple[Cut, Path, Manifest]:
    if not any(one.name == name for one in work.vault.cuts()):
        raise UsageError("There is no such cut.")
    row, folder = the_cut(work, name)
    return row, folder, read_manifest(row.manifest)


def _frozen_results(work: Workspace, row: Cut, folder: Path, manifest: Manifest) -> Results:
    with _frozen(work, folder, manifest) as frozen:
        frames = reporting.conclusions(frozen)
        conflicts = frozen.trial.rows("conflict", "state", ["open"])
        tables = _tables(frozen, frames, row.data_cutoff)
    made = msgspec.json.decode((folder / SUMMARY).read_bytes(), type=Summary)
    return Results(
        lines=_lines(made, frozen.study.protocol), tables=tables, cutoff=row.data_cutoff, open=len(conflicts),
        blocking=sum(bool(one["blocking"]) for one in conflicts), incomplete=_incomplete(manifest.completeness),
        cut=row, faults=tuple(kept_otherwise(row, manifest, folder)), waived=manifest.waived)


def _frozen_figures(work: Workspace, row: Cut, folder: Path, manifest: Manifest) -> dict[str, bytes]:
    with _frozen(work, folder, manifest) as frozen:
        return _drawn(reporting.conclusions(frozen), frozen.study.protocol, row.data_cutoff)


@contextmanager
def _frozen(work: Workspace, folder: Path, manifest: Manifest) -> Iterator[Workspace]:
    """The study as a cut has it: its own database and the protocol of then."""
    trial = open_locked(folder / DATABASE, trial_tables())
    try:
        protocol = Protocol.model_validate(manifest.inputs.options)
        yield msgspec.structs.replace(work, trial=trial, study=work.study.model_copy(update={"protocol": protocol}))
    finally:
        trial.close()


def _lines(made: Summary, protocol: Protocol) -> tuple[tuple[str, str], ...]:
    months = float(protocol.time_to_event.days_per_month)
    lines = [("ORR, confirmed", rate_text(made.orr_confirmed)), ("ORR, unconfirmed", rate_text(made.orr_unconfirmed))]
    lines += [(f"{one.endpoint}{', ' + one.rule.replace('_', ' ') if one.rule else ''}", median_text(one, months))
              for one in made.curves]
    for ae in made.adverse_events:
        grades = ", ".join(f"grade {grade}: {count}" for grade, count in sorted(ae.worst_grade.items()))
        said = f"{ae.any} of {ae.n} participants; worst {grades}"
        lines.append((f"Adverse events, {ae.name.replace('_', ' ')}", said))
    return tuple(lines)


def _tables(work: Workspace, frames: Frames, cutoff: str) -> tuple[Table, ...]:
    made = endpoints.ae_summary(frames)
    made.loc[made["level"] == "overall", "soc"] = "Any event"
    columns = [name for name in made.columns if name not in ("ctcae", "level")]
    rows: Iterable[Any] = made[columns].itertuples(index=False, name=None)
    adverse = Table(name="adverse_events", title="Adverse events by worst grade", columns=tuple(columns),
                    rows=tuple(rows), note="Participants. An organ class is not the sum of its terms.")
    found = {one.name: one for one in (*reporting.tables(work, frames, cutoff), adverse) if one.rows}
    return tuple(found[name] for name in ("adverse_events", *PRINTED) if name in found)


def _incomplete(rows: Iterable[CompletenessRow]) -> tuple[str, ...]:
    return tuple(f"{row.type} of {row.hospital}" for row in rows if row.open_since)


def _drawn(frames: Frames, protocol: Protocol, cutoff: str) -> dict[str, bytes]:
    made = endpoints.summary(frames, protocol)
    drawn = drawn_figures(frames, made, Context(protocol=protocol, cutoff=cutoff))
    return {name: one.image.svg for name, one in drawn.items() if one.image is not None}


def _mark(frames: Frames, cutoff: str) -> str:
    """SHA-256 over every conclusion: whatever changes one, by whatever way, has figures of its own."""
    import pandas as pd

    told = hashlib.sha256(cutoff.encode())
    for name, frame in sorted(frames.items()):
        told.update(f"{name} {list(frame.columns)}".encode())
        told.update(pd.util.hash_pandas_object(frame.astype("string"), index=False).to_numpy().tobytes())
    return told.hexdigest()
