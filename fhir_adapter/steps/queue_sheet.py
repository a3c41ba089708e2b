"""The queue as a sheet that people take away, fill in and bring back: its rows out, decisions in after a dry run."""

import csv
import hashlib
import io
import json
from pathlib import Path

import msgspec

from fhir_adapter.core.desk import Account
from fhir_adapter.core.errors import AdapterError, Overtaken, UsageError
from fhir_adapter.steps import desking
from fhir_adapter.steps.desking import Done, Wish
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.records import NewDecision
from fhir_adapter.store.worklist import Filter
from fhir_adapter.wire import workbook

COLUMNS = ("key", "kind", "severity", "subject", "hospitals", "what", "code", "records", "since", "assignee", "due",
           "state", "query", "decision", "comments", "choice", "value", "reason")
"""`choice`, `value` and `reason` are empty: whoever fills them in brings decisions back. `decision` is the number of
the last one when the sheet was made; one that is not the last any more is refused."""

MOST = {"csv": 200_000, "xlsx": 20_000}
"""Rows that a file of each form has at most."""

MOST_BACK = 5_000
Row = tuple[str | int, ...]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One decision of a sheet: its row there, what it says, and what stands against it (empty: it can be signed)."""

    number: int
    key: str
    kind: str = ""
    subject: str = ""
    choice: str
    value: str
    reason: str
    problem: str = ""


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What signing a sheet would do. `mark` stands for exactly these decisions, about conflicts as they are now."""

    lines: tuple[Line, ...]
    decisions: int
    mark: str

    @property
    def refused(self) -> int:
        """Rows that cannot be signed; then none is."""
        return sum(1 for one in self.lines if one.problem)


def rows(work: Workspace, viewer: Account, asked: Filter, form: str) -> list[Row]:
    """The rows of a filter, in the queue's order, with comments; of the hospitals that somebody may see.

    Raises UsageError for more than the form takes.
    """
    asked = msgspec.structs.replace(asked, scope=viewer.scope)
    found = work.trial.listed_conflicts(asked, None, MOST[form] + 1)
    if len(found) > MOST[form]:
        raise UsageError(f"More than {MOST[form]:,} conflicts; narrow the filter, or take CSV.")
    said = {} if viewer.reads_as else work.vault.remarks_about([one.conflict_key for one in found])  # may tell readings
    return [(one.conflict_key, one.kind, "blocking" if one.blocking else "not blocking", one.subject,
             ", ".join(json.loads(one.hospitals)), one.message, one.code, one.occurrences, one.since[:19],
             one.assignee, one.due, one.state, one.query, one.last_decision,
             "\n".join(f"{at[:16]} {who}: {words}" for words, who, at in said.get(one.conflict_key, ())), "", "", "")
            for one in found]


def as_csv(lines: list[Row]) -> bytes:
    """CSV; a cell that a spreadsheet would compute begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([f"'{one}" if isinstance(one, str) and one[:1] in ("=", "+", "-", "@", "\t", "\r") else one
                      for one in line] for line in lines)
    return text.getvalue().encode()


def write_xlsx(path: Path, lines: list[Row]) -> None:
    """One sheet; a text that begins as a formula does stays a text."""
    workbook.write(path, [("queue", COLUMNS, lines)])


def dry_run(work: Workspace, viewer: Account, path: Path) -> DryRun:
    """What signing the decisions of a sheet would do; nothing is written. Raises UsageError for another kind of file.
    """
    return _read(work, viewer, path)[0]


def sign(work: Workspace, viewer: Account, path: Path, mark: str) -> Done:
    """Signs the decisions of a sheet, all or none.

    Raises Overtaken when they are not what the dry run showed, UsageError when one of them cannot be signed.
    """
    shown, made = _read(work, viewer, path)
    if shown.refused or not made:
        raise UsageError("A sheet with a row that cannot be signed, or without any, signs nothing.")
    if shown.mark != mark:
        raise Overtaken("The conflicts have changed since the dry run. Look again.")
    return desking.sign_ready(work, viewer, made)


def _read(work: Workspace, viewer: Account, path: Path) -> tuple[DryRun, dict[str, tuple[NewDecision, int]]]:
    (table, *_) = workbook.read(path) or (None,)
    if table is None or not {"key", "decision", "choice", "value", "reason"} <= set(table.header):
        raise UsageError("A sheet needs the columns key, decision, choice, value and reason, as the queue gives them.")
    lines, made = list[Line](), dict[str, tuple[NewDecision, int]]()
    for number, cells in table.rows:
        row = dict(zip(table.header, (cell.strip() for cell in cells), strict=False))
        if not row.get("choice"):
            continue
        if len(lines) >= MOST_BACK:
            raise UsageError(f"A sheet brings back {MOST_BACK:,} decisions at most.")
        line = Line(number=number, key=row["key"], choice=row["choice"], value=row.get("value", ""),
                    reason=row.get("reason", ""))
        known = work.trial.work_rows([line.key]).get(line.key)
        if known is not None and (viewer.scope is None or set(json.loads(known.hospitals)) & set(viewer.scope)):
            line = msgspec.structs.replace(line, kind=known.kind, subject=known.subject)
        try:
            seen = row.get("decision") or "0"
            fresh = desking.ready(work, viewer, Wish(
                conflict=line.key, choice=line.choice, value=line.value, reason=line.reason,
                seen=int(seen) if seen.isdecimal() else -1))
            if made.keys() & fresh.keys():
                raise UsageError("That conflict stands twice.")
            made |= fresh
        except AdapterError as error:
            line = msgspec.structs.replace(line, problem=str(error))
        lines.append(line)
    told = hashlib.sha256(msgspec.json.encode([lines, sorted((key, seen) for key, (_, seen) in made.items())]))
    return DryRun(lines=tuple(lines), decisions=len(made), mark=told.hexdigest()[:32]), made
