"""What people do at the review desk beside deciding: assign, ask hospitals, propose, save views, sign.

Each step and its audit entry are one transaction.
"""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec

from fhir_adapter.core.errors import Overtaken
from fhir_adapter.store.audit import append_audit
from fhir_adapter.store.instants import as_json, cleaned, stamp
from fhir_adapter.store.opened import OpenVault
from fhir_adapter.store.records import NewDecision, Signature
from fhir_adapter.store.transaction import Transaction


class Assignment(msgspec.Struct, frozen=True):
    """Who works on a conflict, and until when (a day, or empty)."""

    conflict_key: str
    assignee: str
    due: str


class Query(msgspec.Struct, frozen=True):
    """A question to a hospital about a conflict, and how far it has come."""

    id: int
    conflict_key: str
    hospital: str
    state: str
    question: str
    answer: str
    asked_by: str
    asked_at: str
    changed_by: str
    changed_at: str


class Proposal(msgspec.Struct, frozen=True):
    """A decision that somebody wants and a second person must agree to before it is signed."""

    id: int
    conflict_key: str
    kind: str
    fingerprint: str
    choice: str
    value: str
    reason: str
    needs: str
    state: str
    proposed_by: str
    proposed_at: str
    ended_by: str | None
    ended_at: str | None


class Signed(msgspec.Struct, frozen=True):
    """An electronic signature: about what, the hash of its content, the meaning, by whom, when."""

    id: int
    about: str
    content: str
    meaning: str
    signed_by: str
    printed: str
    signed_at: str


QUERY_STEPS = {"sent": ("open", "re-queried"), "answered": ("sent",), "closed": ("open", "sent", "answered",
               "re-queried"), "re-queried": ("answered", "closed")}
"""To which state a query may go, and from which."""


class DeskBook(OpenVault):
    """Assignments, queries, proposals, saved views, signatures, and since when a conflict has been known."""

    def notice(self, keys: Collection[str], now: datetime) -> None:
        """Conflicts seen for the first time; those known already keep their day."""
        with self.database.writing() as transaction:
            known = {row[0] for row in transaction.rows_in(
                "SELECT conflict_key FROM noticed WHERE conflict_key IN (?)", list(keys))}
            transaction.insert("noticed", ("conflict_key", "since"),
                               [(key, stamp(now)) for key in sorted(set(keys) - known)])

    def noticed(self, keys: Collection[str] | None = None) -> dict[str, str]:
        """Since when conflicts have been known."""
        return dict(self._by_conflict("conflict_key, since", "noticed", keys))

    def assignments(self, keys: Collection[str] | None = None) -> dict[str, Assignment]:
        """Who works on which conflict."""
        rows = self._by_conflict("conflict_key, assignee, due", "assignment", keys)
        return {row[0]: Assignment(*row) for row in rows}

    def hand_over(self, keys: Collection[str], assignee: str, due: str, signed: Signature) -> None:
        """Hands conflicts to somebody (or, with an empty name, to nobody), due on a day or whenever."""
        columns = ("conflict_key", "assignee", "due", "changed_by", "changed_at")
        with self.database.writing() as transaction:
            transaction.upsert("assignment", columns, ("conflict_key",),
                               [(key, assignee, due, signed.by, stamp(signed.at)) for key in sorted(set(keys))])
            append_audit(transaction, signed, "assigned", _about(keys), as_json({"to": assignee, "due": due}))

    def queries(self, keys: Collection[str] | None = None) -> list[Query]:
        """Queries about conflicts, in the order of asking."""
        return sorted((Query(*row) for row in self._by_conflict(", ".join(Query.__struct_fields__), "query", keys)),
                      key=lambda one: one.id)

    def ask(self, conflict_key: str, hospital: str, question: str, signed: Signature) -> int:
        """A new query to a hospital; its number."""
        at = stamp(signed.at)
        with self.database.writing() as transaction:
            number = int(transaction.value(
                "INSERT INTO query (conflict_key, hospital, state, question, answer, asked_by, asked_at, changed_by, "
                "changed_at) VALUES (?, ?, 'open', ?, '', ?, ?, ?, ?) RETURNING id",
                (conflict_key, hospital, cleaned(question), signed.by, at, signed.by, at)))
            append_audit(transaction, signed, "query asked", f"query {number}",
                         as_json({"conflict": conflict_key, "hospital": hospital, "question": cleaned(question)}))
        return number

    def step_query(self, number: int, state: str, words: str, signed: Signature) -> None:
        """Moves a query on; `words` are the answer, or why it is asked again or closed.

        Raises:
            Overtaken: it is not in a state from which it can go there.
        """
        before = QUERY_STEPS[state]
        said = cleaned(words)
        answer, values = (", answer = ?", [said]) if state == "answered" else ("", [])
        asked, more = (", question = ?", [said]) if state == "re-queried" and said else ("", [])
        with self.database.writing() as transaction:
            moved = transaction.run(
                f"UPDATE query SET state = ?, changed_by = ?, changed_at = ?{answer}{asked} "
                f"WHERE id = ? AND state IN ({', '.join('?' * len(before))})",
                (state, signed.by, stamp(signed.at), *values, *more, number, *before))
            if not moved:
                raise Overtaken(f"Query {number} cannot become {state} any more: somebody has moved it on.")
            append_audit(transaction, signed, f"query {state}", f"query {number}", as_json({"words": said}))

    def propose(self, new: NewDecision, needs: str, signed: Signature) -> int:
        """A decision that waits for a second person; its number.

        Raises:
            Overtaken: another proposal about the same conflict waits already.
        """
        with self.database.writing() as transaction:
            if transaction.postgres:
                transaction.run("LOCK TABLE proposal IN SHARE ROW EXCLUSIVE MODE")
            if transaction.value("SELECT 1 FROM proposal WHERE conflict_key = ? AND state = 'waiting'",
                                 (new.conflict_key,)):
                raise Overtaken("Somebody has proposed a decision about this conflict already.")
            number = int(transaction.value(
                "INSERT INTO proposal (conflict_key, kind, fingerprint, choice, value, reason, needs, state, "
                "proposed_by, proposed_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?) RETURNING id",
                (new.conflict_key, new.kind, new.fingerprint, new.choice, cleaned(new.value), cleaned(new.reason),
                 needs, signed.by, stamp(signed.at))))
            append_audit(transaction, signed, "proposed", f"conflict {new.conflict_key}", as_json(new))
        return number

    def proposals(self, keys: Collection[str] | None = None) -> list[Proposal]:
        """Proposals about conflicts, in their order."""
        rows = self._by_conflict(", ".join(Proposal.__struct_fields__), "proposal", keys)
        return sorted((Proposal(*row) for row in rows), key=lambda one: one.id)

    def end_proposal(self, number: int, state: str, signed: Signature) -> None:
        """A second person agrees or refuses.

        Raises:
            Overtaken: it does not wait any more.
        """
        with self.database.writing() as transaction:
            end_proposal(transaction, number, state, signed)

    def save_view(self, account: str, name: str, address: str, signed: Signature) -> None:
        """Keeps the filters of a queue under a name; an empty address forgets it."""
        with self.database.writing() as transaction:
            if address:
                transaction.upsert("saved_view", ("account", "name", "address"), ("account", "name"),
                                   [(account, cleaned(name), cleaned(address))])
            else:
                transaction.run("DELETE FROM saved_view WHERE account = ? AND name = ?", (account, cleaned(name)))
            append_audit(transaction, signed, "view saved", f"view {cleaned(name)}", as_json(address))

    def saved_views(self, account: str) -> list[tuple[str, str]]:
        """An account's views: name, filters."""
        with self.database.reading() as transaction:
            return [tuple(row) for row in transaction.rows(
                "SELECT name, address FROM saved_view WHERE account = ? ORDER BY name", (account,))]

    def sign(self, about: str, content: str, meaning: str, printed: str, signed: Signature) -> None:
        """An electronic signature bound to the hash of its content."""
        with self.database.writing() as transaction:
            put_signature(transaction, about, content, (meaning, printed), signed)

    def signatures(self, about: Sequence[str] = ()) -> list[Signed]:
        """Signatures about these things, or (none named) all, in their order."""
        sql = f"SELECT {', '.join(Signed.__struct_fields__)} FROM signature"
        with self.database.reading() as transaction:
            rows = transaction.rows_in(f"{sql} WHERE about IN (?)", list(about)) if about else transaction.rows(sql)
            return sorted((Signed(*row) for row in rows), key=lambda one: one.id)

    def _by_conflict(self, columns: str, table: str, keys: Collection[str] | None) -> list[Any]:
        sql = f"SELECT {columns} FROM {table}"
        with self.database.reading() as transaction:
            if keys is None:
                return [tuple(row) for row in transaction.rows(sql)]
            return [tuple(row) for row in transaction.rows_in(f"{sql} WHERE conflict_key IN (?)", list(keys))]


def end_proposal(transaction: Transaction, number: int, state: str, signed: Signature) -> None:
    """Ends a proposal in a transaction of the caller's. Raises Overtaken when it does not wait any more."""
    if not transaction.run("UPDATE proposal SET state = ?, ended_by = ?, ended_at = ? WHERE id = ? AND "
                           "state = 'waiting'", (state, signed.by, stamp(signed.at), number)):
        raise Overtaken("That proposal does not wait any more.")
    append_audit(transaction, signed, f"proposal {state}", f"proposal {number}", "null")


def put_signature(transaction: Transaction, about: str, content: str, words: tuple[str, str],
                  signed: Signature) -> None:
    """An electronic signature in a transaction of the caller's; `words`: what it means, the printed name."""
    meaning, printed = words
    transaction.run("INSERT INTO signature (about, content, meaning, signed_by, printed, signed_at) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (about, content, cleaned(meaning), signed.by, printed, stamp(signed.at)))
    append_audit(transaction, signed, "signed", about, as_json({"meaning": cleaned(meaning), "content": content}))


def _about(keys: Collection[str]) -> str:
    return f"conflict {next(iter(keys))}" if len(keys) == 1 else f"{len(keys)} conflicts"
