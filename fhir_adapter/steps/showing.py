"""Showing one conflict: every fact with hospital, date and precision, what was decided, and what its record says."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from fhir_adapter.core.conflicts import ConflictKind, Decision, Owner
from fhir_adapter.core.desk import Account
from fhir_adapter.core.errors import UsageError
from fhir_adapter.review.kinds import BY_NAME, CODE_KINDS
from fhir_adapter.review.settling import standing_decisions
from fhir_adapter.steps.suggesting import Suggestion, suggestions
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.bookkeeping import WorkRow
from fhir_adapter.store.desk_book import Proposal, Query, Signed

HIDDEN = frozenset({"fact_key", "subject", "hospital", "resource", "ordinal", "element", "position", "standing",
                    "held_by", "held_kind", "lesion", "performer", "part_of", "volume"})
"""Columns that say where a fact stands, not what it says."""

PRECISION = "_precision"
WRITTEN = "_written"


class Cell(msgspec.Struct, frozen=True):
    """One mapped value: its name, the value, as it was written, and (of a date) how precise it is."""

    name: str
    value: str
    written: str = ""
    precision: str = ""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a conflict: a fact, or a record. `differs`: the columns in which the sides are not alike."""

    number: int
    hospital: str
    table: str
    fact_key: str
    resource: str
    ordinal: int
    element: str
    standing: str
    type: str
    cells: tuple[Cell, ...]
    earlier: tuple[tuple[int, tuple[str, ...]], ...] = ()


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the page of a conflict shows, besides raw source."""

    row: WorkRow
    kind: ConflictKind
    fingerprint: str
    values: tuple[str, ...]
    scope: tuple[str, ...]
    sides: tuple[Side, ...]
    decisions: tuple[Decision, ...]
    in_force: Decision | None
    remarks: tuple[tuple[str, str, str], ...]
    queries: tuple[Query, ...]
    proposals: tuple[Proposal, ...]
    signatures: tuple[tuple[Signed, bool], ...]
    suggestions: tuple[Suggestion, ...]
    settles: bool

    @property
    def of_code(self) -> bool:
        """Whether it is about a code, and not about one record."""
        return self.row.kind in CODE_KINDS

    @property
    def waiting(self) -> Proposal | None:
        """The proposal that waits for a second person."""
        return next((one for one in self.proposals if one.state == "waiting"), None)


def visible(row: WorkRow, viewer: Account) -> bool:
    """Whether a conflict concerns a hospital that somebody may see."""
    return viewer.scope is None or bool(set(json.loads(row.hospitals)) & set(viewer.scope))


def find(work: Workspace, key: str, viewer: Account) -> WorkRow:
    """The queue's row of a conflict. Raises UsageError where there is none, or none for this person."""
    row = work.trial.work_rows([key]).get(key)
    if row is None or not visible(row, viewer):
        raise UsageError("There is no such conflict (any more).")
    return row


def show(work: Workspace, key: str, viewer: Account) -> Shown:
    """One conflict for its page. Raises UsageError where there is none, or none for this person."""
    row = find(work, key, viewer)
    conflict = work.trial.conflict_row(key)
    if conflict is None:
        raise UsageError("There is no such conflict (any more).")
    kind = BY_NAME[row.kind]
    decisions = work.vault.decisions_about(key)
    hidden = blinded(work, key, kind, viewer)
    sides = _sides(work, key, viewer, hidden)
    if hidden:
        return Shown(row=row, kind=kind, fingerprint="", values=(), scope=(), sides=sides, decisions=(), in_force=None,
                     remarks=(), queries=(), proposals=(), signatures=(), suggestions=(), settles=False)
    content = content_of(work, key)
    made = work.vault.signatures([f"decision {one.number}" for one in decisions])
    values, scope = (tuple(str(one) for one in json.loads(conflict[name])) for name in ("values_text", "scope"))
    return Shown(
        row=row, kind=kind, fingerprint=conflict["fingerprint"], values=values, scope=scope, sides=sides,
        decisions=tuple(decisions), in_force=standing_decisions(decisions).get(key),
        remarks=tuple(work.vault.remarks(key)), queries=tuple(work.vault.queries([key])),
        proposals=tuple(work.vault.proposals([key])),
        signatures=tuple((one, one.content == content) for one in made),
        suggestions=tuple(suggestions(work.study.concepts, _words(work, conflict["scope"]))) if _is_code(row) else (),
        settles=viewer.settles(kind, of_code=row.kind in CODE_KINDS))


def blinded(work: Workspace, key: str, kind: ConflictKind, viewer: Account) -> bool:
    """Whether a conflict is about readings that this reader must not see: those of others, unless neither is theirs
    and they adjudicate. Of such a conflict a reader sees no value, decision, comment or query."""
    if not viewer.reads_as:
        return False
    facts = [fact for item in items_of(work, key) for fact in _facts(work, item["table_name"], [item["fact_key"]])]
    if kind.owner is Owner.ADJUDICATOR and viewer.settles(kind):
        return any(fact.get("performer") in viewer.reads_as for fact in facts)
    return any(viewer.blind_to(fact) for fact in facts)


def _is_code(row: WorkRow) -> bool:
    return row.kind in CODE_KINDS and row.state != "closed"


def words_of_code(work: Workspace, row: WorkRow) -> list[str]:
    """By which a waiting code may be recognised: itself, and the displays that its records give it."""
    conflict = work.trial.conflict_row(row.conflict_key)
    return [row.code.removeprefix("text:")] if conflict is None else _words(work, conflict["scope"])


def _words(work: Workspace, scope: str) -> list[str]:
    """By which a code may be recognised: itself, and the displays that its records give it."""
    words = [str(json.loads(scope)[2]).removeprefix("text:")]
    for doubt in work.trial.rows("doubt", "scope", [scope])[:20]:
        words += [str(one) for one in json.loads(doubt["values_text"] or "[]")[2:]]
    return words


def content_of(work: Workspace, key: str) -> str:
    """SHA-256 over what a conflict is about now: its values in dispute and every column of its facts."""
    from fhir_adapter.review.disputes import digest

    conflict = work.trial.conflict_row(key)
    facts = [row for item in items_of(work, key) for row in _facts(work, item["table_name"], [item["fact_key"]])]
    parts = [] if conflict is None else [conflict["fingerprint"]]
    left_out = ("standing", "held_by")
    parts += sorted(json.dumps({name: str(value) for name, value in fact.items() if name not in left_out},
                               sort_keys=True) for fact in facts)
    return digest(*parts)


def items_of(work: Workspace, key: str) -> list[dict[str, Any]]:
    """The sides of a conflict as rows."""
    return work.trial.rows("conflict_item", "conflict_key", [key])


def _facts(work: Workspace, table: str, keys: Iterable[str]) -> list[dict[str, Any]]:
    return work.trial.rows(table, "fact_key", list(keys)) if table else []


def _sides(work: Workspace, key: str, viewer: Account, hidden: bool) -> tuple[Side, ...]:
    """Both sides; of other hospitals' records, and (`hidden`) of other readers' readings, only that they are there."""
    items = items_of(work, key)
    origins = {one["resource"]: one for one in work.trial.rows(
        "origin", "resource", sorted({item["resource"] for item in items if item["resource"]})) if one["is_head"]}
    sides = []
    for item in items:
        mine = viewer.scope is None or item["hospital"] in viewer.scope
        fact = next(iter(_facts(work, item["table_name"], [item["fact_key"]])), None) if mine else None
        fact = None if hidden and fact is not None and viewer.blind_to(fact) else fact
        origin = origins.get(item["resource"], {})
        sides.append(Side(
            number=item["number"], hospital=item["hospital"], table=item["table_name"], fact_key=item["fact_key"],
            resource=item["resource"], element=item["element"], type=origin.get("type", ""),
            ordinal=int(fact["ordinal"] if fact else origin.get("ordinal", 0)),
            standing=fact["standing"] if fact else "", cells=cells(fact) if fact else (),
            earlier=_earlier(work, item, fact)))
    return tuple(sides)


def _earlier(work: Workspace, item: dict[str, Any], fact: dict[str, Any] | None) -> tuple[Any, ...]:
    """What older versions of the record stated at the same place, as far as they differ."""
    if fact is None:
        return ()
    now = {cell.name: cell.value for cell in cells(fact)}
    found = []
    for one in work.trial.rows(item["table_name"], "resource", [item["resource"]]):
        if one["ordinal"] < fact["ordinal"] and (one["element"], one["position"]) == (fact["element"],
                                                                                      fact["position"]):
            then = {cell.name: cell.value for cell in cells(one)}
            changed = tuple(f"{name}: {then.get(name, '–')} → {now.get(name, '–')}"
                            for name in sorted({*then, *now}) if then.get(name) != now.get(name))
            found.append((int(one["ordinal"]), changed))
    return tuple(found)


def cells(fact: dict[str, Any]) -> tuple[Cell, ...]:
    """What a fact says, column by column; a date with its precision and as it was written."""
    return tuple(
        Cell(name, _plain(value), str(fact.get(name + WRITTEN) or ""), str(fact.get(name + PRECISION) or ""))
        for name, value in fact.items()
        if name not in HIDDEN and not name.endswith((PRECISION, WRITTEN)) and value not in (None, "")
        and value == value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What was read from one record: its versions, and the facts of each."""

    resource: str
    hospital: str
    type: str
    subject: str
    versions: tuple[tuple[int, str, str, bool], ...]
    facts: tuple[tuple[str, int, str, str, tuple[Cell, ...]], ...]


def record(work: Workspace, resource: str, viewer: Account) -> Record:
    """One record, newest version first. Raises UsageError where there is none, or none for this person."""
    origins = work.trial.rows("origin", "resource", [resource])
    if not origins or (viewer.scope is not None and origins[0]["hospital"] not in viewer.scope):
        raise UsageError("There is no such record.")
    facts = [(table, int(row["ordinal"]), row["element"], row["standing"], cells(row))
             for table in work.trial.tables.facts for row in work.trial.rows(table, "resource", [resource])
             if not viewer.blind_to(row)]
    return Record(
        resource=resource, hospital=origins[0]["hospital"], type=origins[0]["type"],
        subject=origins[0]["subject"] or "", facts=tuple(sorted(facts, key=lambda one: (-one[1], one[0], one[2]))),
        versions=tuple((int(one["ordinal"]), one["outcome"], one["reason"], bool(one["is_head"]))
                       for one in sorted(origins, key=lambda one: -int(one["ordinal"]))))
