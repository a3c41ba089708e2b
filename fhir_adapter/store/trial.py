"""The trial database: a pure function of vault and mappings; what others read (DESIGN §4).

It receives its fact and conclusion tables from the caller and declares the bookkeeping itself. Every writing method is
one transaction, checks the lease's fence, and writes sets of rows.
"""

from fhir_adapter.store.batches import MappedRecord, Place, Settling
from fhir_adapter.store.digest import Digest
from fhir_adapter.store.engine import open_database
from fhir_adapter.store.frames import COUNTED, Frames
from fhir_adapter.store.mapped import MappedFacts
from fhir_adapter.store.migrations.upgrading import upgrade
from fhir_adapter.store.projections import Projections
from fhir_adapter.store.schema import Furnish, prepare
from fhir_adapter.store.sensitivities import Sensitivities
from fhir_adapter.store.settled import SettledFacts
from fhir_adapter.store.trial_tables import TrialTables
from fhir_adapter.store.view_list import ALL
from fhir_adapter.store.views import add_views
from fhir_adapter.store.worklist import Worklist

__all__ = ["COUNTED", "SCHEMA", "MappedRecord", "Place", "Settling", "Trial", "TrialTables", "open_trial"]

SCHEMA = "trial"
"""The trial database's schema on PostgreSQL."""


class Trial(MappedFacts, SettledFacts, Frames, Digest, Projections, Worklist, Sensitivities):
    """An open trial database; each parent class is one part of it."""


def open_trial(url: str, tables: TrialTables, *, create: bool, schema: str = SCHEMA) -> Trial:
    """Opens the trial database; with `create`, makes one where there is none yet.

    Raises:
        UsageError: the address is of no kind that we know.
        DatabaseError: there is none and `create` is False, or it is of another revision, or it cannot be used.
    """
    database = open_database(url, "trial", schema=schema, create=create)
    try:
        prepare(database, tables.metadata, furnish_trial(tables), create=create)
    except BaseException:
        database.close()
        raise
    return Trial(database, tables)


def upgrade_trial(url: str, tables: TrialTables) -> None:
    """Brings an older trial database to this program's revision; one that is there already stays as it is.

    Raises:
        DatabaseError: there is none, or it refused; it is as before.
    """
    database = open_database(url, "trial", schema=SCHEMA, create=False)
    try:
        upgrade(database, furnish_trial(tables))
    finally:
        database.close()


def furnish_trial(tables: TrialTables) -> Furnish:
    """What makes the views, for these tables."""
    return lambda transaction: add_views(transaction, ALL, tables.kinds_by_table)
