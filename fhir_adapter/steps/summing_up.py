"""Summing up for people: status, conflicts, problems, subjects, and what the demonstration prints."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from fhir_adapter.core.figures import Curve, Rate, Summary
from fhir_adapter.core.problems import CODES
from fhir_adapter.core.runs import CompletenessRow
from fhir_adapter.core.windows import WindowState
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
    """One line of the list of conflicts.

    `rank` and `moves` (values that it can move) are there once `derive --sensitivity` has found them, and until the
    values in dispute or the subject's results change.
    """

    key: str
    kind: str
    subject: str | None
    hospitals: tuple[str, ...]
    state: str
    owner: str
    blocking: bool
    meanwhile: str
    rank: int | None = None
    moves: int | None = None


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
    remedy: str
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
    runs = [(run.id, run.command, ", ".join(run.hospitals) or "all", run.started_at[:19],
             (run.ended_at or "")[:19], run.exit_code) for run in work.vault.runs(10)]
    lines = []
    for name in sorted(work.study.hospitals):
        unanswered = len(work.vault.windows(name, WindowState.OPEN))
        if unanswered:
            lines.append(f"{unanswered} questions to {name} have no whole answer; the next sync asks again.")
    lines.append(f"{unacknowledged(work)} refused records wait to be acknowledged (problems list).")
    lines.append(f"{work.trial.open_conflicts()} conflicts are open (conflicts list).")
    return Status([*completeness(work), *_never_asked(work)], runs, lines)


def _never_asked(work: Workspace) -> list[CompletenessRow]:
    """A row for each hospital of which nothing has ever been asked: it is not whole, and was not in any run."""
    known = {row.hospital for row in completeness(work) if row.mode != "unavailable"}
    return [CompletenessRow(hospital=name, type="*", mode="never asked", whole_as_of=None, open_since=None)
            for name in sorted(set(work.study.hospitals) - known)]


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
    """Conflicts: open ones first, by what they can move as far as that is known, blocking ones, kind and subject."""
    frames = work.trial.frames(("conflict", "impact"))
    rows: Iterable[Any] = frames["conflict"].itertuples()
    known: Iterable[Any] = frames["impact"].itertuples()
    impacts = {(one.conflict_key, one.fingerprint): one for one in known}
    found = []
    for row in rows:
        impact = impacts.get((row.key, row.fingerprint)) if row.state == "open" else None
        if kind in ("", row.kind) and state in ("all", row.state):
            found.append(ConflictView(
                key=row.key, kind=row.kind, subject=row.subject, hospitals=tuple(json.loads(row.hospitals)),
                state=row.state, owner=row.owner, blocking=bool(row.blocking), meanwhile=BY_NAME[row.kind].meanwhile,
                rank=int(impact.rank) if impact else None,
                moves=int(impact.subject_values + impact.study_values) if impact else None))
    return sorted(found, key=lambda one: (one.state != "open", one.rank or len(found) + 1, not one.blocking, one.kind,
                                          one.subject or "", one.key))


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
    bare = sorted({item.resource for item in items if item.resource and not item.table_name})
    whose = {one["resource"]: f"{one['type']} of {one['subject'] or 'nobody'}"
             for one in work.trial.rows("origin", "resource", bare)}
    for item in items:
        what = item.table_name or whose.get(item.resource, "record")
        lines.append(f"- {item.hospital} {what} at {item.element or 'the record'}; "
                     f"fact {item.fact_key or '-'}, record {item.resource or '-'}")
        if item.table_name:
            frame = frames[item.table_name]
            lines += [f"    {line}" for line in _facts(frame[frame.fact_key == item.fact_key])]
    if row.decided_by == row.decided_by and row.decided_by is not None:
        lines.append(f"closed by decision {int(row.decided_by)}")
    if row.state == "open":
        lines += _could_move(work, row)
        lines += [] if kind.meanwhile in row.message else [f"meanwhile: {kind.meanwhile}"]
        lines += [f"decide: fhir-adapter conflicts decide {row.key[:12]} CHOICE --by NAME --reason WHY [--value ...]"]
    return ConflictShown(row.key, lines)


def _could_move(work: Workspace, row: Any) -> list[str]:
    """What each way of settling a conflict would change, as the last `derive --sensitivity` found it."""
    impacts = work.trial.rows("impact", "conflict_key", [row.key])
    if not impacts or impacts[0]["fingerprint"] != row.fingerprint:
        return []
    moved = work.trial.rows("sensitivity", "conflict_key", [row.key])
    one = impacts[0]
    together = f"; {one['joint_values']} more together with another conflict" if one["joint_values"] else ""
    left = f"; {one['untried']} ways of settling two together were not tried" if one["untried"] else ""
    return [f"could move {one['subject_values']} values of subjects and {one['study_values']} of the study "
            f"(rank {one['rank']}){together}{left}",
            *(f"    if {way['label']}: {way['subject'] or 'study'} {way['endpoint']}"
              f"{', ' + way['rule'] if way['rule'] else ''}: {way['before'] or 'none'} -> {way['after'] or 'none'}"
              for way in moved)]


def _facts(frame: Any) -> list[str]:
    hidden = {"fact_key", "resource", "ordinal", "element", "position", "hospital", "subject", "held_by", "held_kind"}
    return [
        ", ".join(f"{name} {value}" for name, value in row._asdict().items()
                  if name not in hidden and name != "Index" and value is not None and value == value
                  and not name.endswith(("_precision", "_written")))
        for row in frame.itertuples()
    ]


_REMEDIES = {code.name: code.remedy for code in CODES}


def problems(work: Workspace) -> list[ProblemView]:
    """Refused records of the vault, then what mapping doubted about others."""
    refused = [
        ProblemView(number=one.key[:12], code=one.code,
                    where=f"{one.hospital} {one.type}" + (f" {one.resource[:12]}" if one.resource else ""),
                    message=one.message, remedy=_REMEDIES.get(one.code, ""), acknowledged_by=one.acknowledged_by)
        for one in work.vault.quarantined()
    ]
    rows: Iterable[Any] = work.trial.frames(("problem",))["problem"].itertuples()
    doubted = [
        ProblemView(number="", code=row.code, where=f"{row.hospital} {row.type} {row.resource[:12]} at {row.element}",
                    message=row.message, remedy=_REMEDIES.get(row.code, ""))
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
    example = min((one.subject for one in subjects(work) if one.treated), default="SUBJECT")
    lines = ["", work.study.protocol.trial.title, ""]
    lines += _wrapped("Subjects", [f"{made.screened} screened, {made.enrolled} enrolled, {made.treated} treated, "
                                   f"{made.evaluable} evaluable for response"])
    lines += _wrapped("Facts", _facts_by_kind(work))
    lines += _wrapped("Conflicts", [_open_conflicts(conflicts(work))])
    lines += ["", "Completeness", *_completeness_by_hospital(work), "", "Results"]
    lines += [f"  {line}" for line in _results(made, float(work.study.protocol.time_to_event.days_per_month))]
    lines += ["", f"Report: {page}", "", "Where to look next, in this folder",
              "  fhir-adapter status                what is whole, and what waits for a person",
              "  fhir-adapter conflicts list        what contradicts, and what counts meanwhile",
              f"  fhir-adapter trace PFS {example}     from a value back to the record that decided it",
              "  data/trial.sqlite                  SELECT * FROM v_time_to_event;"]
    return Demonstration(code=code, text="\n".join(lines), summary=made, report=str(page))


def _facts_by_kind(work: Workspace) -> list[str]:
    frames = work.trial.frames(work.trial.tables.facts, standings=("current", "held"))
    counts = {name: len(frame) for name, frame in sorted(frames.items()) if len(frame)}
    return [f"{sum(counts.values())} in {len(counts)} kinds:",
            *(f"{name.replace('_', ' ')} {count}," for name, count in counts.items())]


def _open_conflicts(waiting: list[ConflictView]) -> str:
    blocking = sum(1 for one in waiting if one.blocking)
    return f"{len(waiting)} open, {blocking} of them block a cut"


def _completeness_by_hospital(work: Workspace) -> Iterable[str]:
    rows = completeness(work)
    for name, hospital in sorted(work.study.hospitals.items()):
        mine = [row for row in rows if row.hospital == name]
        missing = [row.type for row in mine if row.open_since]
        speaks = "sheets" if hospital.pull.mode == "sheet" else hospital.fhir_version
        whole = "whole" if mine else "nothing asked yet"
        said = f"incomplete: {', '.join(missing)}" if missing else whole
        kinds = f", {len(mine)} resource types" if len(mine) > 1 else ""
        yield f"  {hospital.name} ({speaks}): {said}{kinds}"


def _wrapped(title: str, words: list[str]) -> list[str]:
    """A titled paragraph of at most 110 columns; each of `words` stays in one piece."""
    lines = [f"{title:<10}"]
    for word in words:
        if len(lines[-1]) + len(word) > 110:
            lines.append(" " * 10)
        lines[-1] += f" {word}"
    return [*lines[:-1], lines[-1].rstrip(",")]


_GRADES = ("1", "2", "3", "4", "5", "missing")


def _results(made: Summary, days_per_month: float) -> list[str]:
    lines = [
        f"{'ORR, confirmed':<24}{rate_text(made.orr_confirmed)}",
        f"{'ORR, unconfirmed':<24}{rate_text(made.orr_unconfirmed)}",
        f"{'ORR, not irradiated':<24}{rate_text(made.orr_unirradiated)}",
        f"{'DCR':<24}{rate_text(made.dcr)}",
        f"{'CBR':<24}{rate_text(made.cbr)}",
    ]
    for curve in made.curves:
        name = f"{curve.endpoint}, {curve.rule.replace('_', ' ')}" if curve.rule else curve.endpoint
        lines.append(f"{name:<24}{median_text(curve, days_per_month)}")
    for one in made.adverse_events[:1]:
        grades = ", ".join(f"grade {grade}: {one.worst_grade[grade]}" for grade in _GRADES if grade in one.worst_grade)
        lines.append(f"{'Adverse events':<24}{one.any} of {one.n} participants; worst {grades}")
    return lines


def rate_text(rate: Rate) -> str:
    """`18 of 56, 32.1 % (95 % CI 20.3 to 46.0, exact)`."""
    if rate.share is None or rate.low is None or rate.high is None:
        return f"{rate.x} of {rate.n}"
    low, high = 100 * rate.low, 100 * rate.high
    return f"{rate.x} of {rate.n}, {100 * rate.share:.1f} % (95 % CI {low:.1f} to {high:.1f}, exact)"


def median_text(curve: Curve, days_per_month: float) -> str:
    """`median 4.6 months (95 % CI 3.9 to 6.1, log-log), 44 events of 56`; NR where it is not reached."""
    def months(days: float | None) -> str:
        return "NR" if days is None else f"{days / days_per_month:.1f}"

    median = curve.median
    return (f"median {months(median.days)} months (95 % CI {months(median.low)} to {months(median.high)}, "
            f"{median.method}), {curve.events} events of {curve.n}")
