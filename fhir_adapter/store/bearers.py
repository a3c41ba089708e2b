"""Tokens of programs at the JSON interface: known by their hash, until they end or are revoked."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

from datetime import datetime

import msgspec

from fhir_adapter.core.desk import Account, Role
from fhir_adapter.core.errors import UsageError
from fhir_adapter.store.accounts import ACCOUNT_COLUMNS, account_from
from fhir_adapter.store.audit import append_audit
from fhir_adapter.store.instants import as_json, stamp
from fhir_adapter.store.opened import OpenVault
from fhir_adapter.store.records import Signature


class Bearer(msgspec.Struct, frozen=True):
    """A token without what it is: whose, what it may, by whom it was made, from when to when."""

    id: int
    account: str
    role: str
    made_by: str
    made_at: str
    ends_at: str
    revoked_at: str | None


class Bearers(OpenVault):
    """Which programs may use the JSON interface."""

    def add_bearer(self, mark: str, account: str, role: Role, ends: datetime, signed: Signature) -> int:
        """Keeps a new token's hash; its number."""
        at = stamp(signed.at)
        with self.database.writing() as transaction:
            number = int(transaction.value(
                "INSERT INTO bearer (mark, account, role, made_by, made_at, ends_at) VALUES (?, ?, ?, ?, ?, ?) "
                "RETURNING id", (mark, account, role.value, signed.by, at, stamp(ends))))
            append_audit(transaction, signed, "token made", f"account {account}",
                         as_json({"token": number, "role": role.value, "ends": stamp(ends)}))
        return number

    def revoke_bearer(self, number: int, signed: Signature) -> None:
        """Ends a token now.

        Raises:
            UsageError: there is none of that number, or it is revoked already.
        """
        with self.database.writing() as transaction:
            if not transaction.run("UPDATE bearer SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL",
                                   (stamp(signed.at), number)):
                raise UsageError(f"There is no token {number} that could be revoked.")
            append_audit(transaction, signed, "token revoked", f"token {number}", "null")

    def bearers(self) -> list[Bearer]:
        """All tokens, the newest first."""
        with self.database.reading() as transaction:
            rows = transaction.rows(f"SELECT {', '.join(Bearer.__struct_fields__)} FROM bearer ORDER BY id DESC")
        return [Bearer(*row) for row in rows]

    def bearer_numbers(self) -> dict[str, int]:
        """Number by hash."""
        with self.database.reading() as transaction:
            return {row[0]: int(row[1]) for row in transaction.rows("SELECT mark, id FROM bearer")}

    def bearer_of(self, mark: str, now: datetime) -> Account | None:
        """The account of a token's hash, in the role of the token, while both are good."""
        named = ", ".join(f"a.{name}" for name in ACCOUNT_COLUMNS.split(", "))
        with self.database.reading() as transaction:
            row = transaction.row(
                f"SELECT b.role, {named} FROM bearer b JOIN account a ON a.name = b.account "
                "WHERE b.mark = ? AND b.ends_at > ? AND b.revoked_at IS NULL AND a.state = 'active'",
                (mark, stamp(now)))
        return None if row is None else msgspec.structs.replace(account_from(row[1:]), role=Role(row[0]))
