"""Writing what was settled and concluded: standings, conflicts, overrides, conclusions."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from fhir_adapter.core.conflicts import Standing
from fhir_adapter.store.batches import Settling
from fhir_adapter.store.opened_trial import DECIDED, OpenTrial, require_fence, written
from fhir_adapter.store.records import Lease
from fhir_adapter.store.transaction import Transaction, listed

if TYPE_CHECKING:
    import pandas as pd

_OVERLAID = (Standing.HELD.value, Standing.OVERRULED.value)


class SettledFacts(OpenTrial):
    """The trial's side of settling and deriving."""

    def write_settling(self, lease: Lease, settling: Settling) -> None:
        """Writes the outcome of settling some subjects as a whole, in one transaction; unchanged rows stay untouched.

        A fact of these subjects that `standings` does not name is no longer held or overruled. The subjects stay
        touched until their conclusions are written.

        Raises:
            LeaseHeld: a later holder of the lease has written here.
        """
        with self.database.writing() as transaction:
            require_fence(transaction, lease)
            self._overrides(transaction, settling)
            self._standings(transaction, settling)
            self._conflicts(transaction, settling)
            if settling.labels:
                labels = dict(settling.labels)
                known = dict(tuple(row) for row in transaction.rows_in(
                    "SELECT fact_key, label FROM lesion WHERE fact_key IN (?)", list(labels)))
                transaction.update("lesion", ("label",), ("fact_key",), [
                    (label, key) for key, label in labels.items() if key in known and known[key] != label])

    def write_conclusions(self, lease: Lease, subjects: Collection[str], frames: "Mapping[str, pd.DataFrame]") -> None:
        """Replaces all conclusions of these subjects by those of the frames, and takes the subjects off the touched.

        A table without a frame has no rows for them. Columns are taken by name; a missing one is a KeyError.

        Raises:
            LeaseHeld: a later holder of the lease has written here.
        """
        with self.database.writing() as transaction:
            require_fence(transaction, lease)
            for table in self.tables.conclusions:
                transaction.run_in(f"DELETE FROM {table} WHERE subject IN (?)", list(subjects))
                if table in frames and len(frames[table]):
                    transaction.insert(table, self.tables.columns(table), self.rows_of(table, frames[table]))
            for table in ("touched", "impact", "outlook"):  # how their values could change is no longer known
                transaction.run_in(f"DELETE FROM {table} WHERE subject IN (?)", list(subjects))

    def rows_of(self, table: str, frame: "pd.DataFrame") -> list[tuple[Any, ...]]:
        """The rows of a frame as the table takes them."""
        text = self.database.backend == "sqlite"
        columns = [
            [written(kind, value, decimals_as_text=text) for value in frame[name].tolist()]
            for name, kind in self.tables.kinds(table).items()
        ]
        return list(zip(*columns, strict=True))

    def _overrides(self, transaction: Transaction, settling: Settling) -> None:
        """Facts stated by decisions: the old ones of these subjects go, the new ones come, each with its origin."""
        old = [tuple(row) for row in transaction.rows_in(
            f"SELECT resource, ordinal FROM origin WHERE hospital = '{DECIDED}' AND subject IN (?)",
            list(settling.subjects))]
        new = {(table, row["fact_key"]): {**row, "hospital": DECIDED}
               for table, rows in settling.overrides.items() for row in rows}
        if old:
            transaction.delete_from_all(self.tables.facts, ("resource", "ordinal"), old)
            transaction.delete("origin", ("resource", "ordinal"), old)
        origins = {(row["resource"], int(row["ordinal"])): row["subject"] for row in new.values()}
        transaction.upsert("origin", self.tables.columns("origin"), ("resource", "ordinal"), [
            (*pair, DECIDED, "Decision", subject, "mapped", "", True) for pair, subject in sorted(origins.items())])
        for (table, _), row in sorted(new.items()):
            transaction.insert(table, self.tables.columns(table), [self.tuple_of(table, row)])

    def _standings(self, transaction: Transaction, settling: Settling) -> None:
        wanted: dict[str, dict[str, tuple[str, str | None]]] = {}
        for table, key, standing, held_by in settling.standings:
            wanted.setdefault(table, {})[key] = (str(standing), held_by)
        for table in self.tables.facts:
            named = wanted.get(table, {})
            changes = []
            for key, standing, held_by in transaction.rows_in(
                f"SELECT fact_key, standing, held_by FROM {table} WHERE subject IN (?)", list(settling.subjects)
            ):
                base = (Standing.CURRENT.value, None) if standing in _OVERLAID else (standing, held_by)
                new = named.get(key, base)
                if new != (standing, held_by):
                    changes.append((*new, key))
            transaction.update(table, ("standing", "held_by"), ("fact_key",), changes)

    def write_conflicts(self, lease: Lease, conflicts: Sequence[Any], kinds: Collection[str],
                        subjects: Collection[str] | None = None) -> None:
        """Writes all conflicts of these kinds of these subjects (None: of all) in one transaction.

        Raises:
            LeaseHeld: a later holder of the lease has written here.
        """
        with self.database.writing() as transaction:
            require_fence(transaction, lease)
            names = listed(self.tables.columns("conflict"))
            old = transaction.rows_in(f"SELECT {names} FROM conflict WHERE kind IN (?)", list(kinds))
            mine = self.tables.columns("conflict").index("subject")
            self._replace(transaction, conflicts, [row for row in old if subjects is None or row[mine] in subjects])

    def _conflicts(self, transaction: Transaction, settling: Settling) -> None:
        names = listed(self.tables.columns("conflict"))
        old = list(transaction.rows_in(f"SELECT {names} FROM conflict WHERE subject IN (?)", list(settling.subjects)))
        keys = [self.tuple_of("conflict", item)[0] for item in settling.conflicts]
        old += transaction.rows_in(f"SELECT {names} FROM conflict WHERE key IN (?)", keys)
        if settling.shared:
            old += transaction.rows(f"SELECT {names} FROM conflict WHERE subject IS NULL")
        kind = self.tables.columns("conflict").index("kind")
        self._replace(transaction, settling.conflicts, [row for row in old if row[kind] not in settling.kept])

    def _replace(self, transaction: Transaction, conflicts: Sequence[Any], old: Iterable[Any]) -> None:
        """Conflicts in the place of old rows; what is the same stays untouched."""
        columns = self.tables.columns("conflict")
        new = {row[0]: (row, self._items(row[0], item)) for item in conflicts
               for row in (self.tuple_of("conflict", item),)}
        known = {row[0]: tuple(self._typed("conflict", row).values()) for row in old}
        items: dict[str, list[tuple[Any, ...]]] = {}
        for row in transaction.rows_in(
            f"SELECT {listed(self.tables.columns('conflict_item'))} FROM conflict_item WHERE conflict_key IN (?)",
            list(known),
        ):
            items.setdefault(row[0], []).append(tuple(row))
        gone = sorted(set(known) - set(new))
        changed = [key for key in sorted(new) if (known.get(key), sorted(items.get(key, []))) != new[key]]
        transaction.run_in("DELETE FROM conflict_item WHERE conflict_key IN (?)", [*gone, *changed])
        transaction.run_in("DELETE FROM conflict WHERE key IN (?)", gone)
        transaction.upsert("conflict", columns, ("key",), [new[key][0] for key in changed])
        transaction.insert("conflict_item", self.tables.columns("conflict_item"),
                           [item for key in changed for item in new[key][1]])

    def _items(self, key: str, conflict: Any) -> list[tuple[Any, ...]]:
        members = conflict["members"] if isinstance(conflict, Mapping) else conflict.members
        listed = [dict(member) if isinstance(member, Mapping) else msgspec.structs.asdict(member) for member in members]
        for member in listed:
            member.setdefault("table_name", member.get("table", ""))
        return [self.tuple_of("conflict_item", {**member, "conflict_key": key, "number": number})
                for number, member in enumerate(listed, start=1)]
