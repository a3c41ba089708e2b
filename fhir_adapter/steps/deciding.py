"""Deciding about conflicts: one at a time, from a file, and back again."""

import csv
import json
from collections.abc import Collection, Iterable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pandas as pd

from fhir_adapter.core.conflicts import Decision
from fhir_adapter.core.errors import UsageError
from fhir_adapter.review.disputes import digest
from fhir_adapter.review.kinds import BY_NAME, CODE_KINDS, UNIT_KINDS
from fhir_adapter.review.settling import standing_decisions
from fhir_adapter.steps.codes import code_value, decided_key, scope_of_decision, written_value
from fhir_adapter.steps.freezing import refuse_frozen
from fhir_adapter.steps.identity import IDENTITY_KINDS, apply_identity, identity_value
from fhir_adapter.steps.leases import trial_lease
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.records import NewDecision

COLUMNS = ("kind", "record", "choice", "value", "reason", "by", "demo")
"""The columns of a decisions file; `demo` marks rows that the demonstration replays and may be left out."""


MAPPING = ("map_code", "unmatched")
"""The choices that say what a code means."""

WHOLE_KEY = 32
"""Characters of a conflict's whole key: then nothing is searched."""


class _Row(SimpleNamespace):
    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(**values)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to decide: about which conflict (key or its beginning), what, and why."""

    conflict: str
    choice: str
    value: str = ""
    reason: str = ""
    by: str = ""


def find_conflict(work: Workspace, key: str) -> Any:
    """The one conflict whose key begins so, as a row with its members.

    Raises UsageError when there is none, or more than one.
    """
    if len(key) == WHOLE_KEY:
        whole = [_Row(one) for one in work.trial.rows("conflict", "key", [key])]
        if whole:
            return whole[0], [_Row(one) for one in work.trial.rows("conflict_item", "conflict_key", [key])]
    found = work.trial.frames(("conflict", "conflict_item"))
    rows = [row for row in _rows(found["conflict"]) if row.key.startswith(key)]
    if len(rows) != 1:
        raise UsageError(f"{len(rows)} conflicts begin with {key}; `fhir-adapter conflicts list` shows them.")
    items = found["conflict_item"]
    return rows[0], _rows(items[items.conflict_key == rows[0].key])


def decide(work: Workspace, choice: Choice) -> Decision:
    """Signs one decision about an open conflict; the caller settles what it concerns.

    Raises UsageError for an unknown choice, a missing reason, or somebody who may not settle this kind.
    """
    _, new = proposed(work, choice)
    return _sign(work, new, choice.by)


def proposed(work: Workspace, choice: Choice) -> tuple[Any, NewDecision]:
    """The row of the conflict, and the decision that would be signed about it; nothing is signed.

    Raises UsageError for a conflict that is not there, an unknown choice, or a value that does not fit it.
    """
    conflict, items = find_conflict(work, choice.conflict)
    kind = BY_NAME[conflict.kind]
    if choice.choice not in kind.choices:
        raise UsageError(f"{kind.name} can be settled by {', '.join(kind.choices)}, not by {choice.choice}.")
    value = decided_value(work, conflict, items, choice)
    key = stands_under(conflict.kind, conflict.key, choice.choice, value)
    return conflict, NewDecision(conflict_key=key, kind=conflict.kind, fingerprint=conflict.fingerprint,
                                 choice=choice.choice, value=value, reason=choice.reason)


def stands_under(kind: str, key: str, choice: str, value: str) -> str:
    """The key under which a decision stands: its conflict's, or one of its own where it maps a code more narrowly."""
    return decided_key(kind, value) if kind in CODE_KINDS and choice in MAPPING else key


def undo(work: Workspace, number: int, *, reason: str, by: str) -> Decision:
    """Signs a decision that takes another one back; neither is ever deleted.

    Raises UsageError when that decision is not in force.
    """
    in_force = {one.number: one for one in standing_decisions(work.vault.decisions()).values()}
    if number not in in_force:
        raise UsageError(f"Decision {number} is not in force; `fhir-adapter decisions export` lists all.")
    old = in_force[number]
    return _sign(work, NewDecision(conflict_key=old.conflict_key, kind=old.kind, fingerprint=old.fingerprint,
                                   choice=old.choice, value=old.value, reason=reason, undoes=number), by)


def _sign(work: Workspace, new: NewDecision, by: str) -> Decision:
    if not new.reason.strip():
        raise UsageError("A decision needs a reason.")
    signed = work.signed(by)
    role = work.role_of(by)
    owner = BY_NAME[new.kind].owner.value
    if role != owner and by != "demo":
        raise UsageError(f"{new.kind} is settled by the {owner}; {by} is {role}.")
    refuse_frozen(work, [new.conflict_key])
    (decision,) = work.vault.decide([new], signed, told=told_of(work, [new]))
    if decision.kind in IDENTITY_KINDS and (decision.choice in ("join", "split") or decision.undoes is not None):
        with trial_lease(work) as lease:
            apply_identity(work, lease, decision)
    return decision


def told_of(work: Workspace, decisions: Collection[NewDecision]) -> dict[str, dict[str, Any]]:
    """What the audit trail says of decisions besides themselves, by conflict: from which state to what, the rule that
    counted meanwhile and the mappings it was read by, and the version of each record that the conflict is about.
    """
    keys = [one.conflict_key for one in decisions]
    rows = work.trial.work_rows(keys)
    items = work.trial.rows("conflict_item", "conflict_key", keys)
    found = work.trial.rows("origin", "resource", sorted({one["resource"] for one in items if one["resource"]}))
    heads = {one["resource"]: int(one["ordinal"]) for one in found if one["is_head"]}
    sources: dict[str, dict[str, int]] = {}
    for one in items:
        if one["resource"] in heads:
            sources.setdefault(one["conflict_key"], {})[one["resource"]] = heads[one["resource"]]
    return {one.conflict_key: {
        "from": rows[one.conflict_key].state if one.conflict_key in rows else "open",
        "to": "open" if one.undoes is not None else "deferred" if one.choice == "defer" else "closed",
        "rule": BY_NAME[one.kind].meanwhile, "mappings": work.study.digest,
        "sources": sources.get(one.conflict_key, {})} for one in decisions}


def decided_value(work: Workspace, conflict: Any, items: Iterable[Any], choice: Choice) -> str:
    """The argument of a decision, complete in itself: names of records become their opaque keys.

    Raises UsageError when it does not fit the choice.
    """
    if conflict.kind in CODE_KINDS and choice.choice in MAPPING:
        scope = tuple(json.loads(conflict.scope))
        return code_value(work.study.concepts, scope, choice.value, partial(_named, work, scope[0]),
                          unmatched=choice.choice == "unmatched")
    if conflict.kind in UNIT_KINDS:
        return ""  # it is about everybody who has the unit, whoever was named
    if conflict.kind in IDENTITY_KINDS:
        return identity_value(work, [item.resource for item in items])
    if choice.choice in ("accept", "exclude") and choice.value:
        wanted = record_key(work, choice.value)
        if not any(wanted in (item.fact_key, item.resource) for item in items):
            raise UsageError("The value names no side of this conflict; `fhir-adapter conflicts show` lists them.")
        return wanted
    if choice.choice == "accept":
        raise UsageError("accept needs --value: the key of the fact or record that holds.")
    if choice.choice == "override":
        _check_override(choice.value)
    return choice.value


def _named(work: Workspace, hospital: str, place: str, name: str) -> str:
    """The opaque key of a record of a hospital, or of the patient whom somebody named.

    A patient is named by `hospital|Patient/id`, by the key of one of their records, or by trial number. Raises
    UsageError when this hospital has none of that name.
    """
    if place == "patient":
        keys = sorted(work.vault.key(one.hospital, "Patient", one.patient) for one in work.vault.identities(hospital)
                      if one.subject == name)
        if keys:
            return keys[0]
    head = work.vault.head_of(record_key(work, name))
    if head is not None and head.hospital == hospital:
        if place == "record":
            return head.key
        if head.patient is not None:
            return work.vault.key(hospital, "Patient", head.patient)
    raise UsageError(f"{hospital} has no such {place}; `fhir-adapter conflicts show` lists the records.")


def _check_override(value: str) -> None:
    try:
        columns = json.loads(value)
    except json.JSONDecodeError:
        columns = None
    if not isinstance(columns, dict) or not columns:
        raise UsageError('override needs --value with JSON columns, for example {"death": "2024-03-05"}.')


def record_key(work: Workspace, name: str) -> str:
    """The opaque key of `hospital|Type/id`; anything else is taken for a key already."""
    hospital, bar, rest = name.partition("|")
    type, slash, id = rest.partition("/")
    return work.vault.key(hospital, type, id) if bar and slash and "|" not in rest else name


def import_file(work: Workspace, path: Path, *, by: str, only_demo: bool = False) -> list[str]:
    """Replays a decisions file; rows that stand already are left alone, rows without conflict are reported."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not only_demo or row.get("demo") == "yes"]
    lines: list[str] = []
    conflicts = work.trial.frames(("conflict", "conflict_item"))
    decided = set(standing_decisions(work.vault.decisions()))
    signed = 0
    for number, row in enumerate(rows, start=2):
        key = _conflict_of(work, conflicts, row)
        if key is None:
            lines.append(f"Row {number}: no conflict of kind {row['kind']} about that record.")
        elif (there := _stands(work, row, key)) in decided:
            continue
        else:
            decide(work, Choice(conflict=key, choice=row["choice"], value=row["value"], reason=row["reason"],
                                by=row.get("by") or by))
            decided.add(there)
            signed += 1
    return [*lines, f"{signed} decisions signed, {len(rows) - signed - len(lines)} stood already."]


def _conflict_of(work: Workspace, frames: "dict[str, pd.DataFrame]", row: dict[str, str]) -> str | None:
    """The conflict that a row means: by key, by code, or by one of its records."""
    conflicts, items = frames["conflict"], frames["conflict_item"]
    record = row["record"]
    if row["kind"] in CODE_KINDS and record.count("|") >= 2:
        hospital, system, code = record.split("|", 2)
        key = digest(row["kind"], hospital, system, code)
        if key in set(conflicts.key) or _decided(work, key):
            return key
        scopes = conflicts[conflicts.kind == row["kind"]].scope.map(lambda one: json.loads(one)[:3])
        near = conflicts.key[scopes.index[scopes.map(lambda one: one == [hospital, system, code])]]
        return str(near.iloc[0]) if len(near) else None
    mine = set(conflicts[conflicts.kind == row["kind"]].key)
    if record in mine:
        return record
    resource = record_key(work, record)
    found = items[(items.resource == resource) & items.conflict_key.isin(mine)].conflict_key
    return str(found.iloc[0]) if len(found) else None


def _stands(work: Workspace, row: dict[str, str], key: str) -> str:
    """The key under which a row's decision would stand, or stands already."""
    if row["kind"] not in CODE_KINDS or row["choice"] not in MAPPING:
        return key
    conflict, items = find_conflict(work, key)
    value = decided_value(work, conflict, items, Choice(conflict=key, choice=row["choice"], value=row["value"]))
    return stands_under(conflict.kind, conflict.key, row["choice"], value)


def _decided(work: Workspace, key: str) -> bool:
    return key in standing_decisions(work.vault.decisions())


def export_file(work: Workspace, path: Path) -> int:
    """Writes the decisions in force in a form that `import_file` takes: by conflict key."""
    decisions = sorted(standing_decisions(work.vault.decisions()).values(), key=lambda one: one.number)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS[:-1])
        for one in decisions:
            writer.writerow([one.kind, _exported(one), one.choice, _plain_value(one), one.reason, one.decided_by])
    return len(decisions)


def _exported(decision: Decision) -> str:
    if decision.kind in CODE_KINDS and decision.choice in MAPPING:
        return "|".join(scope_of_decision(json.loads(decision.value))[:3])
    return decision.conflict_key


def _plain_value(decision: Decision) -> str:
    if decision.kind in CODE_KINDS and decision.choice in MAPPING:
        return written_value(decision)
    return "" if decision.kind in CODE_KINDS | IDENTITY_KINDS else decision.value


def _rows(frame: pd.DataFrame) -> list[Any]:
    return list(frame.itertuples())
