"""Accounts of the review desk and their sessions. Passwords are hashes; a session is known by the hash of its id."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

from datetime import datetime
from typing import Any

import msgspec

from fhir_adapter.core.desk import Account, Role
from fhir_adapter.core.errors import UsageError
from fhir_adapter.store.audit import append_audit
from fhir_adapter.store.instants import as_json, cleaned, instant, stamp
from fhir_adapter.store.opened import OpenVault
from fhir_adapter.store.records import Signature

ACCOUNT_COLUMNS = ("name, printed, role, hospitals, reads_as, sees_raw, state, secret, external, failures, "
                   "locked_until, since")


class KeptAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account with what only signing in needs: the hash of its secret, and how often it was guessed wrong."""

    account: Account
    secret: str | None
    failures: int
    locked_until: datetime | None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session: whose, its token against forged requests, from when to when."""

    mark: str
    account: str
    token: str
    began_at: str
    ends_at: str


class Accounts(OpenVault):
    """Who may sign in, and who has."""

    def accounts(self) -> list[Account]:
        """All accounts by name."""
        with self.database.reading() as transaction:
            rows = transaction.rows(f"SELECT {ACCOUNT_COLUMNS} FROM account ORDER BY name")
        return [account_from(row) for row in rows]

    def account_of(self, name: str = "", external: str = "") -> KeptAccount | None:
        """The account of that name, or of that subject at the identity provider."""
        column, value = ("external", external) if external else ("name", name)
        with self.database.reading() as transaction:
            row = transaction.row(f"SELECT {ACCOUNT_COLUMNS} FROM account WHERE {column} = ?", (cleaned(value),))
        if row is None:
            return None
        return KeptAccount(account=account_from(row), secret=row[7], failures=int(row[9]),
                     locked_until=None if row[10] is None else instant(row[10]))

    def add_account(self, account: Account, secret: str | None, signed: Signature) -> None:
        """A new account.

        Raises:
            UsageError: the name, or the subject at the identity provider, is taken.
        """
        with self.database.writing() as transaction:
            taken = transaction.value("SELECT 1 FROM account WHERE name = ? OR external = ?",
                                      (account.name, account.external))
            if taken:
                raise UsageError(f"There is an account {account.name} (or one of that external subject) already.")
            transaction.run(
                f"INSERT INTO account ({ACCOUNT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, 'active', ?, ?, 0, NULL, ?)",
                (account.name, account.printed, account.role.value, as_json(account.hospitals),
                 as_json(account.reads_as), int(account.sees_raw), secret, account.external, stamp(signed.at)))
            append_audit(transaction, signed, "account added", f"account {account.name}", as_json(account))

    def change_account(self, name: str, changes: dict[str, Any], signed: Signature) -> None:
        """Changes role, hospitals, rights, state or secret of an account; its sessions end.

        Raises:
            UsageError: there is none of that name.
        """
        sets = ", ".join(f"{column} = ?" for column in changes)
        with self.database.writing() as transaction:
            if not transaction.run(f"UPDATE account SET {sets} WHERE name = ?", (*changes.values(), name)):
                raise UsageError(f"There is no account {name}; `fhir-adapter users list` shows all.")
            transaction.run("DELETE FROM session WHERE account = ?", (name,))
            told = {column: "changed" if column == "secret" else value for column, value in changes.items()}
            append_audit(transaction, signed, "account changed", f"account {name}", as_json(told))

    def guessed(self, name: str, failures: int, locked_until: datetime | None, signed: Signature) -> None:
        """A wrong password: how many in a row by now, and until when no other is looked at."""
        with self.database.writing() as transaction:
            transaction.run("UPDATE account SET failures = ?, locked_until = ? WHERE name = ?",
                            (failures, None if locked_until is None else stamp(locked_until), name))
            append_audit(transaction, signed, "sign-in refused", f"account {name}", as_json({"in a row": failures}))

    def begin_session(self, session: Session, signed: Signature) -> None:
        """Keeps a session; ended ones go."""
        with self.database.writing() as transaction:
            transaction.run("DELETE FROM session WHERE ends_at <= ?", (session.began_at,))
            transaction.run("INSERT INTO session (mark, account, token, began_at, ends_at) VALUES (?, ?, ?, ?, ?)",
                            (session.mark, session.account, session.token, session.began_at, session.ends_at))
            transaction.run("UPDATE account SET failures = 0, locked_until = NULL WHERE name = ?", (session.account,))
            append_audit(transaction, signed, "signed in", f"account {session.account}", "null")

    def end_sessions(self, account: str, mark: str, signed: Signature) -> None:
        """Ends one session of an account, or (mark empty) all of them."""
        more, values = (" AND mark = ?", [mark]) if mark else ("", [])
        with self.database.writing() as transaction:
            transaction.run(f"DELETE FROM session WHERE account = ?{more}", (account, *values))
            append_audit(transaction, signed, "signed out", f"account {account}", "null")

    def session(self, mark: str, now: datetime) -> tuple[Session, Account] | None:
        """The session of that mark with its account, if it has not ended and the account may sign in."""
        named = ", ".join(f"a.{name}" for name in ACCOUNT_COLUMNS.split(", "))
        with self.database.reading() as transaction:
            row = transaction.row(
                f"SELECT s.mark, s.account, s.token, s.began_at, s.ends_at, {named} FROM session s "
                "JOIN account a ON a.name = s.account WHERE s.mark = ? AND s.ends_at > ? AND a.state = 'active'",
                (mark, stamp(now)))
        if row is None:
            return None
        return Session(**dict(zip(Session.__struct_fields__, row[:5], strict=True))), account_from(row[5:])

    def sessions(self) -> list[Session]:
        """All sessions, the newest first."""
        with self.database.reading() as transaction:
            rows = transaction.rows(
                "SELECT mark, account, token, began_at, ends_at FROM session ORDER BY began_at DESC, mark")
        return [Session(**dict(zip(Session.__struct_fields__, row, strict=True))) for row in rows]


def account_from(row: Any) -> Account:
    """An account from its columns."""
    return Account(name=row[0], printed=row[1], role=Role(row[2]), hospitals=tuple(msgspec.json.decode(row[3])),
                   reads_as=tuple(msgspec.json.decode(row[4])), sees_raw=bool(row[5]), active=row[6] == "active",
                   external=row[8])
