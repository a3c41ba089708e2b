"""The vault's tables: raw versions, who is who, what was asked, what people did (DESIGN §4)."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from fhir_adapter.core.tables import one_of

VAULT = MetaData()
"""All tables of the vault, without a schema: PostgreSQL's search path gives it."""

APPEND_ONLY = ("decision", "audit", "cut")
"""Tables whose rows can be neither changed nor removed: a trigger refuses on both backends."""


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text(), nullable=null)


def _number(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger(), nullable=null)


def _serial(name: str) -> Column[int]:
    return Column(name, Integer(), primary_key=True, autoincrement=True)


def _key(*names: str) -> PrimaryKeyConstraint:
    return PrimaryKeyConstraint(*names)


Table("meta", VAULT, _text("name"), _text("value"), _key("name"))

Table(
    "resource", VAULT,
    _text("key"), _text("hospital"), _text("type"), _text("fhir_id"), _text("patient", null=True),
    _number("ordinal"), _number("ordinals"), _text("kind"),
    _text("version_id"), _text("last_updated"), _text("sha256"), _text("canonical", null=True),
    _key("key"),
    Index("ix_resource_patient", "hospital", "patient"),
    Index("ix_resource_type", "hospital", "type"),
)

Table(
    "version", VAULT,
    _text("resource"), _number("ordinal"), _text("hospital"), _number("seq"), _text("kind"),
    _text("version_id"), _text("last_updated"), _text("sha256"),
    Column("body", LargeBinary(), nullable=False), _text("encoding"), _text("url"),
    _text("received_at"), _number("run"), _number("was_head"),
    _key("resource", "ordinal"),
    ForeignKeyConstraint(["resource"], ["resource.key"], name="fk_version_resource"),
    CheckConstraint(one_of("kind", ("content", "deleted", "not_visible")), name="ck_version_kind"),
    Index("ix_version_seq", "hospital", "seq", unique=True),
)

Table("sequence", VAULT, _text("hospital"), _number("last"), _key("hospital"))

Table(
    "member", VAULT,
    _text("hospital"), _text("patient"), _text("state"), _text("since"), _text("source"),
    _key("hospital", "patient"),
)

Table(
    "subject", VAULT,
    _text("number"), _number("age"), _text("made"),
    _key("number"),
    CheckConstraint(one_of("made", ("trial", "qualified", "random")), name="ck_subject_made"),
    Index("ix_subject_age", "age", unique=True),
)

Table(
    "identity", VAULT,
    _text("hospital"), _text("patient"), _text("subject"), _text("basis"), _text("since"),
    _key("hospital", "patient"),
    ForeignKeyConstraint(["subject"], ["subject.number"], name="fk_identity_subject"),
    Index("ix_identity_subject", "subject"),
)

Table(
    "identity_was", VAULT,
    _serial("id"), _text("hospital"), _text("patient"), _text("subject"), _text("basis"),
    _text("since"), _text("until"),
    Index("ix_identity_was_patient", "hospital", "patient"),
)

Table(
    "coverage", VAULT,
    _text("hospital"), _text("type"), _text("patient"), _text("mode"),
    _text("since", null=True), _text("whole_as_of", null=True), _text("open_since", null=True),
    _key("hospital", "type", "patient"),
)

Table(
    "question_window", VAULT,
    _serial("id"), _text("hospital"), _text("type"), _text("question"), _text("state"),
    _number("attempts"), _number("pages"), _text("next", null=True), _text("issues"),
    _text("opened_at"), _text("closed_at", null=True), _number("run"),
    CheckConstraint(one_of("state", ("open", "whole", "failed")), name="ck_question_window_state"),
    Index("ix_question_window_hospital", "hospital", "state"),
)

Table(
    "visited", VAULT,
    _number("window_id"), _text("link"),
    _key("window_id", "link"),
)

Table(
    "quarantine", VAULT,
    _text("key"), _text("hospital"), _text("type"), _text("resource", null=True), _number("ordinal", null=True),
    _text("code"), _text("message"), _number("position", null=True), _number("length", null=True),
    _text("sha256"), Column("body", LargeBinary(), nullable=True), _text("url"), _number("run"), _text("found_at"),
    _text("acknowledged_by", null=True), _text("acknowledged_at", null=True), _text("reason", null=True),
    _key("key"),
    Index("ix_quarantine_resource", "resource"),
)

Table(
    "lease", VAULT,
    _text("name"), _text("holder"), _number("number"), _text("taken_at"), _text("expires_at"),
    _key("name"),
)

Table("fence", VAULT, _text("name"), _number("number"), _key("name"))

Table(
    "run", VAULT,
    _serial("id"), _text("command"), _text("hospitals"), _text("started_at"), _text("ended_at", null=True),
    _number("exit_code", null=True), _text("counts"), _text("mappings"), _text("program"),
)

Table(
    "decision", VAULT,
    Column("number", BigInteger(), nullable=False, autoincrement=False),
    _text("conflict_key"), _text("kind"), _text("fingerprint"), _text("choice"), _text("value"), _text("reason"),
    _text("decided_by"), _text("os_user"), _text("decided_at"), _number("undoes", null=True),
    _key("number"),
    Index("ix_decision_conflict", "conflict_key"),
)

Table(
    "remark", VAULT,
    _serial("id"), _text("conflict_key"), _text("words"), _text("written_by"), _text("written_at"),
    Index("ix_remark_conflict", "conflict_key"),
)

Table(
    "audit", VAULT,
    Column("seq", BigInteger(), nullable=False, autoincrement=False),
    _text("at"), _text("actor"), _text("os_user"), _text("action"), _text("object"), _text("detail"),
    _text("previous"), _text("hash"),
    _key("seq"),
)

Table("person", VAULT, _text("name"), _text("role"), _text("state"), _text("since"), _key("name"))

Table(
    "cut", VAULT,
    _text("name"), _text("data_cutoff"), _text("known_at"), _text("digest"), _text("reason"),
    _text("signed_by"), _text("signed_at"), _text("waived"), _text("manifest"),
    _key("name"),
)

Table(
    "lesson", VAULT,
    _text("hospital"), _text("kind"), _text("name"), _text("value"), _text("learned_at"),
    _key("hospital", "kind", "name"),
)

Table("erased", VAULT, _text("mark"), _text("erased_at"), _key("mark"))
