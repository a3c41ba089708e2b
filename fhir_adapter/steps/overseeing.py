"""Overseeing: runs and how whole the data are, results as of now, codes that wait; for the pages that only show."""

import csv
import io

import msgspec

from fhir_adapter.core.desk import Account
from fhir_adapter.core.figures import Summary
from fhir_adapter.core.runs import CompletenessRow
from fhir_adapter.review.kinds import CODES
from fhir_adapter.steps import reporting
from fhir_adapter.steps.projecting import completeness
from fhir_adapter.steps.settling import DECISIONS
from fhir_adapter.steps.suggesting import Suggestion, suggestions
from fhir_adapter.steps.summing_up import median_text, rate_text, unacknowledged
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.bookkeeping import WorkRow
from fhir_adapter.store.records import Run
from fhir_adapter.store.worklist import Filter

CODES_SHOWN = 100


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Hospitals by types, the last runs, and refused records that nobody has acknowledged."""

    hospitals: tuple[tuple[str, str], ...]
    types: tuple[str, ...]
    cells: dict[tuple[str, str], CompletenessRow]
    runs: tuple[Run, ...]
    refused: dict[str, int]


def overview(work: Workspace, viewer: Account) -> Overview:
    """What is whole and what is not, for the hospitals that somebody may see."""
    seen = {name: one for name, one in sorted(work.study.hospitals.items())
            if viewer.scope is None or name in viewer.scope}
    rows = [row for row in completeness(work) if row.hospital in seen]
    runs = [run for run in work.vault.runs(30)
            if viewer.scope is None or set(run.hospitals or seen) & set(seen)]
    return Overview(
        hospitals=tuple((name, one.name) for name, one in seen.items()),
        types=tuple(sorted({row.type for row in rows})),
        cells={(row.hospital, row.type): row for row in rows}, runs=tuple(runs),
        refused={name: unacknowledged(work, name) for name in seen})


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Headline numbers in words, beside what they rest on."""

    lines: tuple[tuple[str, str], ...]
    summary: Summary
    open: int
    blocking: int
    incomplete: tuple[str, ...]
    cutoff: str


def results(work: Workspace) -> Results:
    """The study's results as of now."""
    made = reporting.summarise(work)
    months = float(work.study.protocol.time_to_event.days_per_month)
    lines = [("ORR, confirmed", rate_text(made.orr_confirmed)), ("ORR, unconfirmed", rate_text(made.orr_unconfirmed))]
    lines += [(f"{one.endpoint}{', ' + one.rule.replace('_', ' ') if one.rule else ''}", median_text(one, months))
              for one in made.curves]
    for ae in made.adverse_events:
        grades = ", ".join(f"grade {grade}: {count}" for grade, count in sorted(ae.worst_grade.items()))
        said = f"{ae.any} of {ae.n} participants; worst {grades}"
        lines.append((f"Adverse events, {ae.name.replace('_', ' ')}", said))
    counted = work.trial.counted_conflicts(Filter())
    return Results(
        lines=tuple(lines), summary=made, open=sum(row[-1] for row in counted),
        blocking=sum(row[-1] for row in counted if row[1]), cutoff=reporting.latest_clinical_date(work),
        incomplete=tuple(f"{row.type} of {row.hospital}" for row in completeness(work) if row.open_since))


def figures(work: Workspace) -> dict[str, bytes]:
    """The figures of the report as of now: SVG by name."""
    return {name: one.image.svg for name, one in reporting.figures(work).items() if one.image is not None}


def state(work: Workspace) -> tuple[object, ...]:
    """What changes when results may have: the last decision worked in, and the last run."""
    runs = work.vault.runs(1)
    return (work.trial.cursor(DECISIONS).seq, *((runs[0].id, runs[0].ended_at) if runs else ()))


class Codes(msgspec.Struct, frozen=True, kw_only=True):
    """Codes that wait, the most frequent first with their best candidate, and the lists with what they hold."""

    waiting: tuple[tuple[WorkRow, Suggestion | None], ...]
    lists: tuple[tuple[str, int, int], ...]


def codes(work: Workspace, viewer: Account) -> Codes:
    """The state of the code maps."""
    waiting: list[WorkRow] = []
    for kind in CODES:
        waiting += work.trial.listed_conflicts(Filter(kind=kind.name, scope=viewer.scope), None, CODES_SHOWN)
    waiting.sort(key=lambda row: (-row.occurrences, row.conflict_key))
    found = [(row, next(iter(suggestions(work.study.concepts, [row.code.removeprefix("text:")], 1)), None))
             for row in waiting[:CODES_SHOWN]]
    lists = [(name, len(one.rows), len({row.concept for row in one.rows if row.concept}))
             for name, one in sorted(work.study.concepts.lists.items())]
    return Codes(waiting=tuple(found), lists=tuple(lists))


def list_as_csv(work: Workspace, name: str) -> str | None:
    """A code list as the file under mappings/concepts has it; None where there is none of that name."""
    found = work.study.concepts.lists.get(name)
    if found is None:
        return None
    columns = ("system", "code", "display", "concept", "relationship", "hospital", "note", "decided_by", "decided_on")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([getattr(row, column) for column in columns] for row in found.rows)
    return text.getvalue()


def audit_as_csv(work: Workspace) -> str:
    """The whole trail; a cell that a spreadsheet would compute begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("seq", "at", "actor", "system_user", "action", "object", "detail", "previous", "hash"))
    for entry in work.vault.audit_entries():
        cells = [str(one) for one in msgspec.structs.astuple(entry)]
        writer.writerow([f"'{one}" if one[:1] in ("=", "+", "-", "@", "\t", "\r") else one for one in cells])
    return text.getvalue()
