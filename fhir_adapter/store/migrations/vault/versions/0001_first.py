"""The first tables of the vault database (frozen; made by `python -m fhir_adapter.store.migrations`)."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _account() -> None:
    op.create_table('account',
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('printed', sa.Text(), nullable=False),
        sa.Column('role', sa.Text(), nullable=False),
        sa.Column('hospitals', sa.Text(), nullable=False),
        sa.Column('reads_as', sa.Text(), nullable=False),
        sa.Column('sees_raw', sa.BigInteger(), nullable=False),
        sa.Column('state', sa.Text(), nullable=False),
        sa.Column('secret', sa.Text(), nullable=True),
        sa.Column('external', sa.Text(), nullable=True),
        sa.Column('failures', sa.BigInteger(), nullable=False),
        sa.Column('locked_until', sa.Text(), nullable=True),
        sa.Column('since', sa.Text(), nullable=False),
        sa.CheckConstraint("state = 'active' OR state = 'disabled'", name='ck_account_state'),
        sa.PrimaryKeyConstraint('name')
    )
    op.create_index('ix_account_external', 'account', ['external'], unique=True)


def _assignment() -> None:
    op.create_table('assignment',
        sa.Column('conflict_key', sa.Text(), nullable=False),
        sa.Column('assignee', sa.Text(), nullable=False),
        sa.Column('due', sa.Text(), nullable=False),
        sa.Column('changed_by', sa.Text(), nullable=False),
        sa.Column('changed_at', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('conflict_key')
    )
    op.create_index('ix_assignment_assignee', 'assignment', ['assignee'], unique=False)


def _audit() -> None:
    op.create_table('audit',
        sa.Column('seq', sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column('at', sa.Text(), nullable=False),
        sa.Column('actor', sa.Text(), nullable=False),
        sa.Column('os_user', sa.Text(), nullable=False),
        sa.Column('action', sa.Text(), nullable=False),
        sa.Column('object', sa.Text(), nullable=False),
        sa.Column('detail', sa.Text(), nullable=False),
        sa.Column('previous', sa.Text(), nullable=False),
        sa.Column('hash', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('seq')
    )


def _coverage() -> None:
    op.create_table('coverage',
        sa.Column('hospital', sa.Text(), nullable=False),
        sa.Column('type', sa.Text(), nullable=False),
        sa.Column('patient', sa.Text(), nullable=False),
        sa.Column('mode', sa.Text(), nullable=False),
        sa.Column('since', sa.Text(), nullable=True),
        sa.Column('whole_as_of', sa.Text(), nullable=True),
        sa.Column('open_since', sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint('hospital', 'type', 'patient')
    )


def _cut() -> None:
    op.create_table('cut',
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('data_cutoff', sa.Text(), nullable=False),
        sa.Column('known_at', sa.Text(), nullable=False),
        sa.Column('digest', sa.Text(), nullable=False),
        sa.Column('reason', sa.Text(), nullable=False),
        sa.Column('signed_by', sa.Text(), nullable=False),
        sa.Column('signed_at', sa.Text(), nullable=False),
        sa.Column('waived', sa.Text(), nullable=False),
        sa.Column('manifest', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('name')
    )


def _decision() -> None:
    op.create_table('decision',
        sa.Column('number', sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column('conflict_key', sa.Text(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('fingerprint', sa.Text(), nullable=False),
        sa.Column('choice', sa.Text(), nullable=False),
        sa.Column('value', sa.Text(), nullable=False),
        sa.Column('reason', sa.Text(), nullable=False),
        sa.Column('decided_by', sa.Text(), nullable=False),
        sa.Column('os_user', sa.Text(), nullable=False),
        sa.Column('decided_at', sa.Text(), nullable=False),
        sa.Column('undoes', sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint('number')
    )
    op.create_index('ix_decision_conflict', 'decision', ['conflict_key'], unique=False)


def _erased() -> None:
    op.create_table('erased',
        sa.Column('mark', sa.Text(), nullable=False),
        sa.Column('erased_at', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('mark')
    )


def _fence() -> None:
    op.create_table('fence',
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('number', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('name')
    )


def _identity_was() -> None:
    op.create_table('identity_was',
        sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
        sa.Column('hospital', sa.Text(), nullable=False),
        sa.Column('patient', sa.Text(), nullable=False),
        sa.Column('subject', sa.Text(), nullable=False),
        sa.Column('basis', sa.Text(), nullable=False),
        sa.Column('since', sa.Text(), nullable=False),
        sa.Column('until', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_identity_was_patient', 'identity_was', ['hospital', 'patient'], unique=False)


def _lease() -> None:
    op.create_table('lease',
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('holder', sa.Text(), nullable=False),
        sa.Column('number', sa.BigInteger(), nullable=False),
        sa.Column('taken_at', sa.Text(), nullable=False),
        sa.Column('expires_at', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('name')
    )


def _lesson() -> None:
    op.create_table('lesson',
        sa.Column('hospital', sa.Text(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('value', sa.Text(), nullable=False),
        sa.Column('learned_at', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('hospital', 'kind', 'name')
    )


def _member() -> None:
    op.create_table('member',
        sa.Column('hospital', sa.Text(), nullable=False),
        sa.Column('patient', sa.Text(), nullable=False),
        sa.Column('state', sa.Text(), nullable=False),
        sa.Column('since', sa.Text(), nullable=False),
        sa.Column('source', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('hospital', 'patient')
    )


def _meta() -> None:
    op.create_table('meta',
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('value', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('name')
    )


def _noticed() -> None:
    op.create_table('noticed',
        sa.Column('conflict_key', sa.Text(), nullable=False),
        sa.Column('since', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('conflict_key')
    )


def _person() -> None:
    op.create_table('person',
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('role', sa.Text(), nullable=False),
        sa.Column('state', sa.Text(), nullable=False),
        sa.Column('since', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('name')
    )


def _proposal() -> None:
    op.create_table('proposal',
        sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
        sa.Column('conflict_key', sa.Text(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('fingerprint', sa.Text(), nullable=False),
        sa.Column('choice', sa.Text(), nullable=False),
        sa.Column('value', sa.Text(), nullable=False),
        sa.Column('reason', sa.Text(), nullable=False),
        sa.Column('needs', sa.Text(), nullable=False),
        sa.Column('state', sa.Text(), nullable=False),
        sa.Column('proposed_by', sa.Text(), nullable=False),
        sa.Column('proposed_at', sa.Text(), nullable=False),
        sa.Column('ended_by', sa.Text(), nullable=True),
        sa.Column('ended_at', sa.Text(), nullable=True),
        sa.CheckConstraint("state = 'waiting' OR state = 'agreed' OR state = 'refused'", name='ck_proposal_state'),
        sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_proposal_conflict', 'proposal', ['conflict_key', 'state'], unique=False)


def _quarantine() -> None:
    op.create_table('quarantine',
        sa.Column('key', sa.Text(), nullable=False),
        sa.Column('hospital', sa.Text(), nullable=False),
        sa.Column('type', sa.Text(), nullable=False),
        sa.Column('resource', sa.Text(), nullable=True),
        sa.Column('ordinal', sa.BigInteger(), nullable=True),
        sa.Column('code', sa.Text(), nullable=False),
        sa.Column('message', sa.Text(), nullable=False),
        sa.Column('position', sa.BigInteger(), nullable=True),
        sa.Column('length', sa.BigInteger(), nullable=True),
        sa.Column('sha256', sa.Text(), nullable=False),
        sa.Column('body', sa.LargeBinary(), nullable=True),
        sa.Column('url', sa.Text(), nullable=False),
        sa.Column('run', sa.BigInteger(), nullable=False),
        sa.Column('found_at', sa.Text(), nullable=False),
        sa.Column('acknowledged_by', sa.Text(), nullable=True),
        sa.Column('acknowledged_at', sa.Text(), nullable=True),
        sa.Column('reason', sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint('key')
    )
    op.create_index('ix_quarantine_resource', 'quarantine', ['resource'], unique=False)


def _query() -> None:
    op.create_table('query',
        sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
        sa.Column('conflict_key', sa.Text(), nullable=False),
        sa.Column('hospital', sa.Text(), nullable=False),
        sa.Column('state', sa.Text(), nullable=False),
        sa.Column('question', sa.Text(), nullable=False),
        sa.Column('answer', sa.Text(), nullable=False),
        sa.Column('asked_by', sa.Text(), nullable=False),
        sa.Column('asked_at', sa.Text(), nullable=False),
        sa.Column('changed_by', sa.Text(), nullable=False),
        sa.Column('changed_at', sa.Text(), nullable=False),
        sa.CheckConstraint("state = 'open' OR state = 'sent' OR state = 'answered' OR state = 'closed' OR state = 're-queried'", name='ck_query_state'),
        sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_query_conflict', 'query', ['conflict_key'], unique=False)


def _question_window() -> None:
    op.create_table('question_window',
        sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
        sa.Column('hospital', sa.Text(), nullable=False),
        sa.Column('type', sa.Text(), nullable=False),
        sa.Column('question', sa.Text(), nullable=False),
        sa.Column('state', sa.Text(), nullable=False),
        sa.Column('attempts', sa.BigInteger(), nullable=False),
        sa.Column('pages', sa.BigInteger(), nullable=False),
        sa.Column('next', sa.Text(), nullable=True),
        sa.Column('issues', sa.Text(), nullable=False),
        sa.Column('opened_at', sa.Text(), nullable=False),
        sa.Column('closed_at', sa.Text(), nullable=True),
        sa.Column('run', sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state = 'open' OR state = 'whole' OR state = 'failed'", name='ck_question_window_state'),
        sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_question_window_hospital', 'question_window', ['hospital', 'state'], unique=False)


def _remark() -> None:
    op.create_table('remark',
        sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
        sa.Column('conflict_key', sa.Text(), nullable=False),
        sa.Column('words', sa.Text(), nullable=False),
        sa.Column('written_by', sa.Text(), nullable=False),
        sa.Column('written_at', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_remark_conflict', 'remark', ['conflict_key'], unique=False)


def _resource() -> None:
    op.create_table('resource',
        sa.Column('key', sa.Text(), nullable=False),
        sa.Column('hospital', sa.Text(), nullable=False),
        sa.Column('type', sa.Text(), nullable=False),
        sa.Column('fhir_id', sa.Text(), nullable=False),
        sa.Column('patient', sa.Text(), nullable=True),
        sa.Column('ordinal', sa.BigInteger(), nullable=False),
        sa.Column('ordinals', sa.BigInteger(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('version_id', sa.Text(), nullable=False),
        sa.Column('last_updated', sa.Text(), nullable=False),
        sa.Column('sha256', sa.Text(), nullable=False),
        sa.Column('canonical', sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint('key')
    )
    op.create_index('ix_resource_patient', 'resource', ['hospital', 'patient'], unique=False)
    op.create_index('ix_resource_type', 'resource', ['hospital', 'type'], unique=False)


def _run() -> None:
    op.create_table('run',
        sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
        sa.Column('command', sa.Text(), nullable=False),
        sa.Column('hospitals', sa.Text(), nullable=False),
        sa.Column('started_at', sa.Text(), nullable=False),
        sa.Column('ended_at', sa.Text(), nullable=True),
        sa.Column('exit_code', sa.BigInteger(), nullable=True),
        sa.Column('counts', sa.Text(), nullable=False),
        sa.Column('mappings', sa.Text(), nullable=False),
        sa.Column('program', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('id')
    )


def _saved_view() -> None:
    op.create_table('saved_view',
        sa.Column('account', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('address', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('account', 'name')
    )


def _sequence() -> None:
    op.create_table('sequence',
        sa.Column('hospital', sa.Text(), nullable=False),
        sa.Column('last', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('hospital')
    )


def _signature() -> None:
    op.create_table('signature',
        sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
        sa.Column('about', sa.Text(), nullable=False),
        sa.Column('content', sa.Text(), nullable=False),
        sa.Column('meaning', sa.Text(), nullable=False),
        sa.Column('signed_by', sa.Text(), nullable=False),
        sa.Column('printed', sa.Text(), nullable=False),
        sa.Column('signed_at', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_signature_about', 'signature', ['about'], unique=False)


def _subject() -> None:
    op.create_table('subject',
        sa.Column('number', sa.Text(), nullable=False),
        sa.Column('age', sa.BigInteger(), nullable=False),
        sa.Column('made', sa.Text(), nullable=False),
        sa.CheckConstraint("made = 'trial' OR made = 'qualified' OR made = 'random'", name='ck_subject_made'),
        sa.PrimaryKeyConstraint('number')
    )
    op.create_index('ix_subject_age', 'subject', ['age'], unique=True)


def _visited() -> None:
    op.create_table('visited',
        sa.Column('window_id', sa.BigInteger(), nullable=False),
        sa.Column('link', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('window_id', 'link')
    )


def _bearer() -> None:
    op.create_table('bearer',
        sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
        sa.Column('mark', sa.Text(), nullable=False),
        sa.Column('account', sa.Text(), nullable=False),
        sa.Column('role', sa.Text(), nullable=False),
        sa.Column('made_by', sa.Text(), nullable=False),
        sa.Column('made_at', sa.Text(), nullable=False),
        sa.Column('ends_at', sa.Text(), nullable=False),
        sa.Column('revoked_at', sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(['account'], ['account.name'], name='fk_bearer_account'),
        sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_bearer_mark', 'bearer', ['mark'], unique=True)


def _identity() -> None:
    op.create_table('identity',
        sa.Column('hospital', sa.Text(), nullable=False),
        sa.Column('patient', sa.Text(), nullable=False),
        sa.Column('subject', sa.Text(), nullable=False),
        sa.Column('basis', sa.Text(), nullable=False),
        sa.Column('since', sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(['subject'], ['subject.number'], name='fk_identity_subject'),
        sa.PrimaryKeyConstraint('hospital', 'patient')
    )
    op.create_index('ix_identity_subject', 'identity', ['subject'], unique=False)


def _session() -> None:
    op.create_table('session',
        sa.Column('mark', sa.Text(), nullable=False),
        sa.Column('account', sa.Text(), nullable=False),
        sa.Column('token', sa.Text(), nullable=False),
        sa.Column('began_at', sa.Text(), nullable=False),
        sa.Column('ends_at', sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(['account'], ['account.name'], name='fk_session_account'),
        sa.PrimaryKeyConstraint('mark')
    )
    op.create_index('ix_session_account', 'session', ['account'], unique=False)


def _version() -> None:
    op.create_table('version',
        sa.Column('resource', sa.Text(), nullable=False),
        sa.Column('ordinal', sa.BigInteger(), nullable=False),
        sa.Column('hospital', sa.Text(), nullable=False),
        sa.Column('seq', sa.BigInteger(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('version_id', sa.Text(), nullable=False),
        sa.Column('last_updated', sa.Text(), nullable=False),
        sa.Column('sha256', sa.Text(), nullable=False),
        sa.Column('body', sa.LargeBinary(), nullable=False),
        sa.Column('encoding', sa.Text(), nullable=False),
        sa.Column('url', sa.Text(), nullable=False),
        sa.Column('received_at', sa.Text(), nullable=False),
        sa.Column('run', sa.BigInteger(), nullable=False),
        sa.Column('was_head', sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind = 'content' OR kind = 'deleted' OR kind = 'not_visible'", name='ck_version_kind'),
        sa.ForeignKeyConstraint(['resource'], ['resource.key'], name='fk_version_resource'),
        sa.PrimaryKeyConstraint('resource', 'ordinal')
    )
    op.create_index('ix_version_seq', 'version', ['hospital', 'seq'], unique=True)


def upgrade() -> None:
    """Makes the tables."""
    _account()
    _assignment()
    _audit()
    _coverage()
    _cut()
    _decision()
    _erased()
    _fence()
    _identity_was()
    _lease()
    _lesson()
    _member()
    _meta()
    _noticed()
    _person()
    _proposal()
    _quarantine()
    _query()
    _question_window()
    _remark()
    _resource()
    _run()
    _saved_view()
    _sequence()
    _signature()
    _subject()
    _visited()
    _bearer()
    _identity()
    _session()
    _version()


_TABLES = (
    "version",
    "session",
    "identity",
    "bearer",
    "visited",
    "subject",
    "signature",
    "sequence",
    "saved_view",
    "run",
    "resource",
    "remark",
    "question_window",
    "query",
    "quarantine",
    "proposal",
    "person",
    "noticed",
    "meta",
    "member",
    "lesson",
    "lease",
    "identity_was",
    "fence",
    "erased",
    "decision",
    "cut",
    "coverage",
    "audit",
    "assignment",
    "account",
)


def downgrade() -> None:
    """Drops the tables, the dependent ones first."""
    for table in _TABLES:
        op.drop_table(table)
