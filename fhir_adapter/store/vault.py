"""The vault: what cannot be computed again (DESIGN §4).

Raw versions, the identity map, coverage and windows, quarantine, leases, runs, and what people did. Everything that
can identify a person is here and only here. Every instant is an argument; nothing here reads a clock. Each method is
one transaction; those that write for a run take its lease and write nothing once it is lost.
"""

import hmac
import secrets

from fhir_adapter.core.errors import UsageError
from fhir_adapter.store.accounts import Accounts
from fhir_adapter.store.audit import Audit
from fhir_adapter.store.bearers import Bearers
from fhir_adapter.store.coverage import CoverageBook
from fhir_adapter.store.desk_book import DeskBook
from fhir_adapter.store.desk_tables import SIGNED
from fhir_adapter.store.engine import Database, open_database
from fhir_adapter.store.erasure import Erasure
from fhir_adapter.store.identity import Identities
from fhir_adapter.store.leases import Leases
from fhir_adapter.store.lessons import Lessons
from fhir_adapter.store.migrations.upgrading import upgrade
from fhir_adapter.store.people import People
from fhir_adapter.store.quarantine import Quarantine
from fhir_adapter.store.raw import Raw
from fhir_adapter.store.runs import Runs
from fhir_adapter.store.schema import prepare
from fhir_adapter.store.transaction import Transaction
from fhir_adapter.store.triggers import add_triggers
from fhir_adapter.store.vault_tables import APPEND_ONLY, VAULT
from fhir_adapter.store.windows import Windows

SCHEMA = "vault"
"""The vault's schema on PostgreSQL."""


class Vault(Leases, Raw, Windows, CoverageBook, Lessons, Identities, Quarantine, People, Audit, Runs, Erasure,
            Accounts, Bearers, DeskBook):
    """An open vault; each parent class is one part of it."""

    @property
    def mark(self) -> str:
        """`demo` for a vault that the demo made; empty for any other."""
        return self._meta("mark")

    @property
    def id(self) -> str:
        """The vault's own name, made at random with it."""
        return self._meta("vault_id")

    def _meta(self, name: str) -> str:
        with self.database.reading() as transaction:
            return str(transaction.value("SELECT value FROM meta WHERE name = ?", (name,)) or "")


def furnish_vault(transaction: Transaction) -> None:
    """Triggers of the vault."""
    add_triggers(transaction, (*APPEND_ONLY, *SIGNED))


def open_vault(url: str, secret: bytes, *, create: bool, mark: str = "") -> Vault:
    """Opens the vault; with `create`, makes one where there is none yet, marked (`demo`) or not.

    Raises:
        UsageError: the secret is not the one that this vault was made with, or is shorter than 16 bytes.
        DatabaseError: there is no vault and `create` is False, or it cannot be used.
    """
    if len(secret) < 16:
        raise UsageError("the vault's secret must have at least 16 bytes")
    database = open_database(url, "vault", schema=SCHEMA, create=create)
    try:
        prepare(database, VAULT, furnish_vault, create=create)
        _check_secret(database, secret, mark)
    except BaseException:
        database.close()
        raise
    return Vault(database, secret)


def upgrade_vault(url: str) -> None:
    """Brings an older vault to this program's revision; one that is there already stays as it is.

    Raises:
        DatabaseError: there is no vault, or it refused; it is as before.
    """
    database = open_database(url, "vault", schema=SCHEMA, create=False)
    try:
        upgrade(database, furnish_vault)
    finally:
        database.close()


def _check_secret(database: Database, secret: bytes, mark: str) -> None:
    with database.reading() as transaction:
        known = dict(tuple(row) for row in transaction.rows("SELECT name, value FROM meta"))
    if "vault_id" not in known:
        with database.writing() as transaction:
            vault_id = secrets.token_hex(16)
            transaction.upsert("meta", ("name", "value"), ("name",), [
                ("vault_id", vault_id), ("secret_check", _check_value(secret, vault_id)), ("mark", mark)])
        return
    if not hmac.compare_digest(known["secret_check"], _check_value(secret, known["vault_id"])):
        raise UsageError(
            "the secret is not the one that this vault was made with; nothing was read or written. "
            "Point [vault] secret in sync/settings.toml to the right key"
        )


def _check_value(secret: bytes, vault_id: str) -> str:
    return hmac.digest(secret, f"check|{vault_id}".encode(), "sha256").hex()
