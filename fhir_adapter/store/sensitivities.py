"""What open conflicts could move, as the last `derive --sensitivity` found it; not under the digest."""
# ruff: noqa: S608 - names of tables and columns are our own

from collections.abc import Mapping, Sequence
from typing import Any

from fhir_adapter.store.opened_trial import OpenTrial, require_fence
from fhir_adapter.store.records import Lease


class Sensitivities(OpenTrial):
    """Writing what was tried: `impact` by conflict, `sensitivity` by way and value, `outlook` by value."""

    def write_sensitivity(self, lease: Lease, tables: Mapping[str, Sequence[Any]]) -> None:
        """Replaces all rows of these tables, in one transaction.

        Raises:
            LeaseHeld: a later holder of the lease has written here.
        """
        with self.database.writing() as transaction:
            require_fence(transaction, lease)
            for table, rows in tables.items():
                transaction.run(f"DELETE FROM {table}")
                transaction.insert(table, self.tables.columns(table), [self.tuple_of(table, row) for row in rows])
