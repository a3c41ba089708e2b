"""Keeping the review desk's queue: one row a conflict, from the trial's conflicts and people's work on them."""

import json
from collections.abc import Collection, Iterable
from typing import Any

from fhir_adapter.core.conflicts import Decision
from fhir_adapter.review.kinds import BY_NAME, CODE_KINDS
from fhir_adapter.review.settling import standing_decisions
from fhir_adapter.steps.ranking import endpoints_held, impacts, place_of
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.bookkeeping import WorkRow
from fhir_adapter.store.records import Lease
from fhir_adapter.store.worklist import COLUMNS


def refresh(work: Workspace, lease: Lease, subjects: Collection[str] | None = None) -> int:
    """Brings the queue up to date, for some subjects or whole; rows that are the same stay untouched. How many changed.

    A conflict that is new is noticed in the vault: from then on its days count.
    """
    if subjects is None:
        conflicts, known = work.trial.all_rows("conflict"), work.trial.all_work()
    else:
        conflicts = work.trial.rows("conflict", "subject", subjects)
        known = {row["conflict_key"]: tuple(row[name] for name in COLUMNS)
                 for row in work.trial.rows("worklist", "subject", subjects)}
    keys = None if subjects is None else {one["key"] for one in conflicts} | set(known)
    new = {one["key"] for one in conflicts} - set(known)
    if new:
        work.vault.notice(new, work.clock())
    rows = _rows(work, conflicts, keys, subjects) if conflicts else {}
    changed = [row for key, row in rows.items() if work.trial.tuple_of("worklist", row) != known.get(key)]
    gone = sorted(set(known) - set(rows))
    if changed or gone:
        work.trial.write_work(lease, changed, gone)
    return len(changed) + len(gone)


def _rows(work: Workspace, conflicts: Iterable[dict[str, Any]], keys: Collection[str] | None,
          subjects: Collection[str] | None) -> dict[str, WorkRow]:
    since, assigned = work.vault.noticed(keys), work.vault.assignments(keys)
    queries = {one.conflict_key: one.state for one in work.vault.queries(keys)}
    waiting = {one.conflict_key for one in work.vault.proposals(keys) if one.state == "waiting"}
    decisions = [one for one in work.vault.decisions() if keys is None or one.conflict_key in keys]
    standing, last = standing_decisions(decisions), {one.conflict_key: one.number for one in decisions}
    held, records = endpoints_held(work, subjects), _records(work) if subjects is None else {}
    moves = impacts(work)
    found = {}
    for one in conflicts:
        key, kind = one["key"], BY_NAME[one["kind"]]
        occurrences = records.get((one["kind"], one["scope"]), 1)
        assignment = assigned.get(key)
        found[key] = WorkRow(
            conflict_key=key, kind=kind.name, subject=one["subject"] or "", hospitals=one["hospitals"],
            code=code_of(one), state=_state(one, standing.get(key), key in waiting), blocking=bool(one["blocking"]),
            owner=kind.owner.value, occurrences=occurrences, message=one["message"],
            place=place_of(blocking=bool(one["blocking"]), occurrences=occurrences,
                           endpoints=held.get((one["subject"], kind.name), 0),
                           moves=moves.get((key, one["fingerprint"]))),
            since=since.get(key, ""), assignee=assignment.assignee if assignment else "",
            due=assignment.due if assignment else "", query=queries.get(key, ""), last_decision=last.get(key, 0),
            words=words_of(one["message"], one["subject"] or "", code_of(one), key))
    return found


def words_of(message: str, subject: str, code: str, key: str) -> str:
    """What a search looks through."""
    return " ".join((message.partition(" Meanwhile:")[0], subject, code, key)).lower()


def _state(conflict: dict[str, Any], decision: Decision | None, waiting: bool) -> str:
    if conflict["state"] == "closed":
        return "closed"
    if waiting:
        return "proposed"
    if decision is None:
        return "open"
    if decision.fingerprint != conflict["fingerprint"]:
        return "changed"
    return "deferred" if decision.choice == "defer" else "settling"


def show_state(work: Workspace, key: str) -> None:
    """Shows at once what people have just done about one conflict beside deciding: proposals and queries."""
    conflict = work.trial.conflict_row(key)
    if conflict is None:
        return
    waiting = any(one.state == "waiting" for one in work.vault.proposals([key]))
    decision = standing_decisions(work.vault.decisions_about(key)).get(key)
    last = [one.state for one in work.vault.queries([key])][-1:]
    work.trial.mark_work([key], {"state": _state(conflict, decision, waiting), "query": "".join(last)})


def code_of(conflict: dict[str, Any]) -> str:
    """The code in dispute, of a conflict about one."""
    scope = json.loads(conflict["scope"])
    return str(scope[2]) if conflict["kind"] in CODE_KINDS and len(scope) >= 3 else ""


def _records(work: Workspace) -> dict[tuple[str, str], int]:
    """How many records wait for a code, by kind and scope."""
    found: dict[tuple[str, str], int] = {}
    doubts = work.trial.frames(("doubt",))["doubt"]
    for kind, scope in zip(doubts.kind, doubts.scope, strict=True):
        if scope:
            found[kind, scope] = found.get((kind, scope), 0) + 1
    return found
