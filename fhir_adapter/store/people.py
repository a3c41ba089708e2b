"""What people did: decisions, remarks, cuts. Each with its audit entry, in one transaction."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from fhir_adapter.core.conflicts import Decision
from fhir_adapter.core.errors import Overtaken, UsageError
from fhir_adapter.store.audit import append_audit, append_audits, lock_chain
from fhir_adapter.store.desk_book import put_signature
from fhir_adapter.store.instants import as_json, cleaned, stamp
from fhir_adapter.store.opened import OpenVault
from fhir_adapter.store.records import Cut, NewDecision, Signature
from fhir_adapter.store.transaction import Transaction

_DECISION = ("number", "conflict_key", "kind", "fingerprint", "choice", "value", "reason", "decided_by",
             "os_user", "decided_at", "undoes")  # SYSTEM_USER is a reserved word of PostgreSQL
_CUT = ("name", "data_cutoff", "known_at", "digest", "reason", "signed_by", "signed_at", "waived", "manifest")


Beside = Callable[[Transaction, Sequence[Decision]], None]
"""What is written in the transaction of decisions: the end of a proposal, electronic signatures."""


class People(OpenVault):
    """Signing and reading what people decided; nothing here is ever changed or removed."""

    def decide(self, decisions: Sequence[NewDecision], signed: Signature,
               seen: Mapping[str, int] | None = None, beside: Beside | None = None,
               told: Mapping[str, Mapping[str, Any]] | None = None) -> list[Decision]:
        """Signs decisions, all or none, each with an audit entry; their numbers follow on in order.

        `seen`: the number of the last decision about each conflict as whoever decides saw it (0: none); without it
        nobody looks whether somebody else has decided meanwhile. `beside`: what stands or falls with them. `told`: by
        conflict, what its audit entry says besides.

        Raises:
            Overtaken: there is a later decision about one of these conflicts; nothing was written.
        """
        with self.database.writing() as transaction:
            lock_chain(transaction)
            if seen is not None:
                _refuse_overtaken(transaction, seen)
            last = int(transaction.value("SELECT max(number) FROM decision") or 0)
            made = [Decision(
                number=number, conflict_key=new.conflict_key, kind=new.kind, fingerprint=new.fingerprint,
                choice=new.choice, value=cleaned(new.value), reason=cleaned(new.reason), decided_by=signed.by,
                system_user=signed.system_user, decided_at=stamp(signed.at), undoes=new.undoes,
            ) for number, new in enumerate(decisions, start=last + 1)]
            transaction.insert("decision", _DECISION,
                               [msgspec.structs.astuple(item) for item in made])
            append_audits(transaction, signed, [
                ("decide", f"conflict {item.conflict_key}",
                 as_json({**msgspec.to_builtins(item), **(told or {}).get(item.conflict_key, {})})) for item in made])
            if beside is not None:
                beside(transaction, made)
        return made

    def decisions(self, after: int = 0) -> list[Decision]:
        """All decisions after a number, in the order of signing."""
        with self.database.reading() as transaction:
            rows = transaction.rows(
                f"SELECT {', '.join(_DECISION)} FROM decision WHERE number > ? ORDER BY number", (after,)
            )
        return [Decision(**dict(zip(Decision.__struct_fields__, row, strict=True))) for row in rows]

    def last_decisions(self, keys: Collection[str]) -> dict[str, int]:
        """The number of the last decision about each of these conflicts, undone or not."""
        with self.database.reading() as transaction:
            return dict(tuple(row) for row in _last(transaction, keys))

    def last_decision_number(self) -> int:
        """The number of the newest decision; 0 without any."""
        with self.database.reading() as transaction:
            return int(transaction.value("SELECT max(number) FROM decision") or 0)

    def decisions_about(self, key: str) -> list[Decision]:
        """Everything that was decided about one conflict, in order."""
        with self.database.reading() as transaction:
            rows = transaction.rows(
                f"SELECT {', '.join(_DECISION)} FROM decision WHERE conflict_key = ? ORDER BY number", (key,))
        return [Decision(**dict(zip(Decision.__struct_fields__, row, strict=True))) for row in rows]

    def remark(self, conflict_key: str, words: str, signed: Signature) -> None:
        """A remark beside a conflict; it decides nothing."""
        with self.database.writing() as transaction:
            transaction.run(
                "INSERT INTO remark (conflict_key, words, written_by, written_at) VALUES (?, ?, ?, ?)",
                (conflict_key, cleaned(words), signed.by, stamp(signed.at)),
            )
            append_audit(transaction, signed, "remark", f"conflict {conflict_key}", as_json({"words": cleaned(words)}))

    def remarks(self, conflict_key: str) -> list[tuple[str, str, str]]:
        """The remarks beside a conflict: words, by whom, when."""
        with self.database.reading() as transaction:
            return [tuple(row) for row in transaction.rows(
                "SELECT words, written_by, written_at FROM remark WHERE conflict_key = ? ORDER BY id", (conflict_key,)
            )]

    def remarks_about(self, keys: Collection[str]) -> dict[str, list[tuple[str, str, str]]]:
        """The remarks beside several conflicts, by conflict: words, by whom, when."""
        found: dict[str, list[tuple[str, str, str]]] = {}
        with self.database.reading() as transaction:
            for key, *said in sorted(transaction.rows_in(
                    "SELECT conflict_key, id, words, written_by, written_at FROM remark WHERE conflict_key IN (?)",
                    list(keys)), key=lambda row: row[1]):
                found.setdefault(key, []).append((said[1], said[2], said[3]))
        return found

    def lock_cut(self, cut: Cut, signed: Signature, words: tuple[str, str] | None = None) -> None:
        """Keeps a cut, with `words` (the meaning, the printed name) under an electronic signature.

        Raises:
            UsageError: a cut of that name is there already; a cut is never changed.
        """
        with self.database.writing() as transaction:
            if transaction.value("SELECT 1 FROM cut WHERE name = ?", (cut.name,)):
                raise UsageError(f"there is a cut named {cut.name} already, and cuts never change; choose another name")
            transaction.insert("cut", _CUT, [tuple(getattr(cut, name) for name in _CUT)])
            told = {name: getattr(cut, name) for name in _CUT if name != "manifest"}
            append_audit(transaction, signed, "cut", f"cut {cut.name}", as_json(told))
            if words is not None:
                put_signature(transaction, f"cut {cut.name}", cut.digest, words, signed)

    def cuts(self) -> list[Cut]:
        """All cuts by name."""
        with self.database.reading() as transaction:
            rows = transaction.rows(f"SELECT {', '.join(_CUT)} FROM cut ORDER BY name")
        return [Cut(**dict(zip(_CUT, row, strict=True))) for row in rows]


def _last(transaction: Transaction, keys: Collection[str]) -> Iterator[Any]:
    return transaction.rows_in(
        "SELECT conflict_key, max(number) FROM (SELECT conflict_key, number FROM decision "
        "WHERE conflict_key IN (?)) d GROUP BY conflict_key", list(keys))


def _refuse_overtaken(transaction: Transaction, seen: Mapping[str, int]) -> None:
    now = dict(tuple(row) for row in _last(transaction, list(seen)))
    later = [key for key, number in seen.items() if now.get(key, 0) != number]
    if later:
        raise Overtaken(f"Somebody else has decided about {len(later)} of {len(seen)} meanwhile; nothing was signed. "
                        "Look again.")
