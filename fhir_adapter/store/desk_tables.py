"""The vault's tables of the review desk: who may sign in, and what people did beside deciding."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from fhir_adapter.core.tables import one_of
from fhir_adapter.store.vault_tables import VAULT

SIGNED = ("signature",)
"""Tables of the desk whose rows can be neither changed nor removed."""


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text(), nullable=null)


def _number(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger(), nullable=null)


def _serial(name: str) -> Column[int]:
    return Column(name, Integer(), primary_key=True, autoincrement=True)


Table(
    "account", VAULT,
    _text("name"), _text("printed"), _text("role"), _text("hospitals"), _text("reads_as"),
    _number("sees_raw"), _text("state"),
    _text("secret", null=True), _text("external", null=True), _number("failures"), _text("locked_until", null=True),
    _text("since"),
    PrimaryKeyConstraint("name"),
    CheckConstraint(one_of("state", ("active", "disabled")), name="ck_account_state"),
    Index("ix_account_external", "external", unique=True),
)

Table(
    "session", VAULT,
    _text("mark"), _text("account"), _text("token"), _text("began_at"), _text("ends_at"),
    PrimaryKeyConstraint("mark"),
    ForeignKeyConstraint(["account"], ["account.name"], name="fk_session_account"),
    Index("ix_session_account", "account"),
)

Table(
    "bearer", VAULT,
    _serial("id"), _text("mark"), _text("account"), _text("role"), _text("made_by"), _text("made_at"),
    _text("ends_at"), _text("revoked_at", null=True),
    ForeignKeyConstraint(["account"], ["account.name"], name="fk_bearer_account"),
    Index("ix_bearer_mark", "mark", unique=True),
)
"""Tokens by which programs use the JSON interface; `mark` is the hash of one, `role` what it may."""

Table(
    "noticed", VAULT,
    _text("conflict_key"), _text("since"), PrimaryKeyConstraint("conflict_key"),
)

Table(
    "assignment", VAULT,
    _text("conflict_key"), _text("assignee"), _text("due"), _text("changed_by"), _text("changed_at"),
    PrimaryKeyConstraint("conflict_key"),
    Index("ix_assignment_assignee", "assignee"),
)

Table(
    "query", VAULT,
    _serial("id"), _text("conflict_key"), _text("hospital"), _text("state"), _text("question"), _text("answer"),
    _text("asked_by"), _text("asked_at"), _text("changed_by"), _text("changed_at"),
    CheckConstraint(one_of("state", ("open", "sent", "answered", "closed", "re-queried")), name="ck_query_state"),
    Index("ix_query_conflict", "conflict_key"),
)

Table(
    "proposal", VAULT,
    _serial("id"), _text("conflict_key"), _text("kind"), _text("fingerprint"), _text("choice"), _text("value"),
    _text("reason"), _text("needs"), _text("state"), _text("proposed_by"), _text("proposed_at"),
    _text("ended_by", null=True), _text("ended_at", null=True),
    CheckConstraint(one_of("state", ("waiting", "agreed", "refused")), name="ck_proposal_state"),
    Index("ix_proposal_conflict", "conflict_key", "state"),
)

Table(
    "saved_view", VAULT,
    _text("account"), _text("name"), _text("address"), PrimaryKeyConstraint("account", "name"),
)

Table(
    "signature", VAULT,
    _serial("id"), _text("about"), _text("content"), _text("meaning"), _text("signed_by"), _text("printed"),
    _text("signed_at"),
    Index("ix_signature_about", "about"),
)
"""`content` is the SHA-256 of what was signed: when that is something else now, the signature no longer holds."""
