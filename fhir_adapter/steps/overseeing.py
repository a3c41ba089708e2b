"""Overseeing: runs and how whole the data are, results as of now, codes that wait; for the pages that only show."""

import csv
import io
from collections.abc import Iterator

import msgspec

from fhir_adapter.core.desk import Account
from fhir_adapter.core.runs import CompletenessRow
from fhir_adapter.review.kinds import CODES
from fhir_adapter.steps.projecting import completeness
from fhir_adapter.steps.showing import words_of_code
from fhir_adapter.steps.suggesting import Suggestion, suggestions
from fhir_adapter.steps.summing_up import unacknowledged
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.bookkeeping import WorkRow
from fhir_adapter.store.records import Run
from fhir_adapter.store.worklist import Filter

CODES_SHOWN = 50
CANDIDATES = 3
PIECE = 2_000
"""Entries of the trail that are in memory at once while it is written out."""


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


class Codes(msgspec.Struct, frozen=True, kw_only=True):
    """Codes that wait, the most frequent first with their candidates, and the lists with what they hold."""

    waiting: tuple[tuple[WorkRow, tuple[Suggestion, ...]], ...]
    lists: tuple[tuple[str, int, int], ...]


def codes(work: Workspace, viewer: Account) -> Codes:
    """The state of the code maps."""
    waiting: list[WorkRow] = []
    for kind in CODES:
        waiting += work.trial.listed_conflicts(Filter(kind=kind.name, scope=viewer.scope), None, CODES_SHOWN)
    waiting.sort(key=lambda row: (-row.occurrences, row.conflict_key))
    found = [(row, tuple(suggestions(work.study.concepts, words_of_code(work, row), CANDIDATES)))
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


def audit_as_csv(work: Workspace) -> Iterator[str]:
    """The whole trail, piece by piece, so that its length costs no memory; the trail only grows, so pieces fit.

    A cell that a spreadsheet would compute begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("seq", "at", "actor", "system_user", "action", "object", "detail", "previous", "hash"))
    last: int | None = 0
    while last is not None:
        entries = work.vault.audit_entries(last, PIECE)
        for entry in entries:
            cells = [str(one) for one in msgspec.structs.astuple(entry)]
            writer.writerow([f"'{one}" if one[:1] in ("=", "+", "-", "@", "\t", "\r") else one for one in cells])
        yield text.getvalue()
        text.seek(0)
        text.truncate()
        last = entries[-1].seq if len(entries) == PIECE else None
