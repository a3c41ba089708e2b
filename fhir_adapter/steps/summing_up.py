"""Summing up for people: status, conflicts, problems, subjects, and what the demonstration prints."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from fhir_adapter.core.figures import Curve, Rate, Summary
from fhir_adapter.core.runs import CompletenessRow
from fhir_adapter.review.kinds import BY_NAME
from fhir_adapter.steps.deciding import find_conflict
from fhir_adapter.steps.projecting import completeness
from fhir_adapter.steps.reporting import summarise
from fhir_adapter.steps.workspace import Workspace


class Status(msgspec.Struct, frozen=True):
    """Completeness by hospital and type, the last runs, and lines about what waits."""

    completeness: list[CompletenessRow]
    runs: list[tuple[Any, ...]]
    lines: list[str]


class ConflictView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list of conflicts."""

    key: str
    kind: str
    subject: str | None
    hospitals: tuple[str, ...]
    state: str
    owner: str
    blocking: bool
    meanwhile: str


class ConflictShown(msgspec.Struct, frozen=True):
    """One conflict in words."""

    key: str
    lines: list[str]


class ProblemView(msgspec.Struct, frozen=True, kw_only=True):
    """One refused or doubted record; `number` is set for what can be acknowledged."""

    number: str
    code: str
    where: str
    message: str
    acknowledged_by: str | None = None


class SubjectView(msgspec.Struct, frozen=True, kw_only=True):
    """One subject of the study."""

    subject: str
    hospitals: tuple[str, ...]
    enrolled: bool
    treated: bool


class Demonstration(msgspec.Struct, frozen=True, kw_only=True):
    """What the demonstration came to: its exit code, its summary as text and as values."""

    code: int
    text: str
    summary: Summary
    report: str


def status(work: Workspace) -> Status:
    """What is whole, what is open, how the last runs ended, and what waits for a person."""
    runs = [(run.id, ", ".join(run.hospitals) or "all", run.started_at, run.ended_at or "", run.exit_code)
            for run in work.vault.runs(10)]
    lines = [f"{len(work.vault.windows(one))} windows kept for {one}." for one in sorted(work.study.hospitals)
             if work.vault.windows(one)]
    lines.append(f"{unacknowledged(work)} refused records wait to be acknowledged.")
    lines.append(f"{len(conflicts(work))} conflicts are open.")
    return Status(completeness(work), runs, lines)


def unacknowledged(work: Workspace, hospital: str | None = None) -> int:
    """Refused records that nobody has acknowledged and that no newer version has replaced."""
    waiting = work.vault.quarantined(hospital, unacknowledged=True)
    heads = work.vault.heads_of({one.resource for one in waiting if one.resource is not None})
    return sum(
        1 for one in waiting
        if one.resource is None or (one.resource in heads and heads[one.resource].ordinal == one.ordinal)
    )


def is_open(work: Workspace) -> bool:
    """Whether something is missing still: an open window, or refused records that nobody has acknowledged."""
    return any(row.open_since for row in completeness(work)) or unacknowledged(work) > 0


def conflicts(work: Workspace, *, kind: str = "", state: str = "open") -> list[ConflictView]:
    """Conflicts, blocking ones first, then by kind and subject."""
    rows: Iterable[Any] = work.trial.frames(("conflict",))["conflict"].itertuples()
    found = [
        ConflictView(key=row.key, kind=row.kind, subject=row.subject, hospitals=tuple(json.loads(row.hospitals)),
                     state=row.state, owner=row.owner, blocking=bool(row.blocking),
                     meanwhile=BY_NAME[row.kind].meanwhile)
        for row in rows if kind in ("", row.kind) and state in ("all", row.state)
    ]
    return sorted(found, key=lambda one: (one.state != "open", not one.blocking, one.kind, one.subject or "", one.key))


def conflict(work: Workspace, key: str) -> ConflictShown:
    """One conflict: what is wrong, its sides, what counts meanwhile, what can be decided."""
    row, items = find_conflict(work, key)
    kind = BY_NAME[row.kind]
    lines = [
        f"{kind.title} ({row.kind}), {row.state}" + (f", subject {row.subject}" if row.subject else ""),
        f"key {row.key}", row.message, f"settled by: the {kind.owner.value}",
        f"choices: {', '.join(kind.choices)}",
    ]
    frames = work.trial.frames(tuple({item.table_name for item in items if item.table_name}))
    for item in items:
        lines.append(f"- {item.hospital} {item.table_name or 'record'} at {item.element or 'the record'}; "
                     f"fact {item.fact_key or '-'}, record {item.resource or '-'}")
        if item.table_name:
            frame = frames[item.table_name]
            lines += [f"    {line}" for line in _facts(frame[frame.fact_key == item.fact_key])]
    if row.decided_by == row.decided_by and row.decided_by is not None:
        lines.append(f"closed by decision {int(row.decided_by)}")
    lines.append(f"in dispute: {', '.join(json.loads(row.values_text or '[]'))}")
    return ConflictShown(row.key, lines)


def _facts(frame: Any) -> list[str]:
    hidden = {"fact_key", "resource", "ordinal", "element", "position", "hospital", "subject", "held_by", "held_kind"}
    return [
        ", ".join(f"{name} {value}" for name, value in row._asdict().items()
                  if name not in hidden and name != "Index" and value is not None and value == value
                  and not name.endswith(("_precision", "_written")))
        for row in frame.itertuples()
    ]


def problems(work: Workspace) -> list[ProblemView]:
    """Refused records of the vault, then what mapping doubted about others."""
    refused = [
        ProblemView(number=one.key[:12], code=one.code,
                    where=f"{one.hospital} {one.type}" + (f" {one.resource[:12]}" if one.resource else ""),
                    message=one.message, acknowledged_by=one.acknowledged_by)
        for one in work.vault.quarantined()
    ]
    rows: Iterable[Any] = work.trial.frames(("problem",))["problem"].itertuples()
    doubted = [
        ProblemView(number="", code=row.code, where=f"{row.hospital} {row.type} {row.resource[:12]} at {row.element}",
                    message=row.message)
        for row in rows if not row.refuses
    ]
    return refused + doubted


def subjects(work: Workspace) -> list[SubjectView]:
    """Every subject with its hospitals and populations."""
    found = work.trial.frames(("subject", "population"))
    included = found["population"][found["population"].included.astype(bool)]
    members = {name: set(included[included.population == name].subject) for name in ("enrolled", "treated")}
    rows: Iterable[Any] = found["subject"].itertuples()
    return [
        SubjectView(subject=row.subject, hospitals=tuple(json.loads(row.hospitals)),
                    enrolled=row.subject in members["enrolled"], treated=row.subject in members["treated"])
        for row in rows
    ]


def demonstration(work: Workspace, code: int, page: Path) -> Demonstration:
    """What the demonstration prints at its end."""
    made = summarise(work)
    days = float(work.study.protocol.time_to_event.days_per_month)
    lines = ["", work.study.protocol.trial.title, ""]
    lines.append(f"Subjects: {made.screened} screened, {made.enrolled} enrolled, {made.treated} treated, "
                 f"{made.evaluable} evaluable for response")
    counts = {name: len(frame) for name, frame in
              work.trial.frames(work.trial.tables.facts, standings=("current", "held")).items() if len(frame)}
    lines.append("Facts: " + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(counts.items())))
    waiting = conflicts(work)
    blocking = sum(1 for one in waiting if one.blocking)
    lines.append(f"Open conflicts: {len(waiting)}, of which {blocking} block a cut")
    for hospital in sorted(work.study.hospitals):
        rows = [row for row in completeness(work) if row.hospital == hospital]
        missing = [row.type for row in rows if row.open_since]
        said = f"incomplete: {', '.join(missing)}" if missing else f"whole, {len(rows)} types"
        lines.append(f"{work.study.hospitals[hospital].name} ({work.study.hospitals[hospital].fhir_version}): {said}")
    lines += _results(made, days)
    lines += ["", f"Report: {page}", "Next:", "  fhir-adapter conflicts list      fhir-adapter trace PFS ATC-001",
              "  SELECT * FROM v_time_to_event;   in data/trial.sqlite"]
    return Demonstration(code=code, text="\n".join(lines), summary=made, report=str(page))


def _results(made: Summary, days_per_month: float) -> list[str]:
    lines = [
        f"Response, confirmed:   {rate_text(made.orr_confirmed)}",
        f"Response, unconfirmed: {rate_text(made.orr_unconfirmed)}",
    ]
    for curve in made.curves:
        name = f"{curve.endpoint} ({curve.rule})" if curve.rule else curve.endpoint
        lines.append(f"{name}: {median_text(curve, days_per_month)}")
    for one in made.adverse_events[:1]:
        grades = ", ".join(f"grade {grade}: {count}" for grade, count in sorted(one.worst_grade.items()))
        lines.append(f"Participants with adverse events: {one.any} of {one.n}; at worst {grades}")
    return lines


def rate_text(rate: Rate) -> str:
    """`18 of 56, 32.1 % (20.3-46.0)`."""
    if rate.share is None or rate.low is None or rate.high is None:
        return f"{rate.x} of {rate.n}"
    return f"{rate.x} of {rate.n}, {rate.share:.1%} ({rate.low:.1%} to {rate.high:.1%}, exact 95 % interval)"


def median_text(curve: Curve, days_per_month: float) -> str:
    """`4.6 months (3.9-6.1, log-log), 44 events of 56`; NR where it is not reached."""
    def months(days: float | None) -> str:
        return "NR" if days is None else f"{days / days_per_month:.1f}"

    median = curve.median
    return (f"median {months(median.days)} months ({months(median.low)} to {months(median.high)}, {median.method}), "
            f"{curve.events} events of {curve.n}")
