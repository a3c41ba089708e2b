"""Writes the first revision of a database from its metadata, as plain Alembic code that depends on nothing here.

Only for the time before a release; afterwards a change is a new revision.
"""

from sqlalchemy import MetaData

from fhir_adapter.core.tables import ExactDecimal

_HEAD = '''"""The first tables of the {which} database (frozen; made by `python -m fhir_adapter.store.migrations`)."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
'''


def first_revision(which: str, metadata: MetaData) -> str:
    """The text of revision 0001: one function a table, then upgrade and downgrade."""
    tables = [table.name for table in metadata.sorted_tables]
    parts = [_HEAD.format(which=which)]
    for table in tables:
        parts.append(f"\n\ndef _{table}() -> None:\n" + _indented(_creation(metadata, table)))
    calls = "\n".join(f"    _{table}()" for table in tables)
    parts.append(f'\n\ndef upgrade() -> None:\n    """Makes the tables."""\n{calls}\n')
    names = "\n".join(f'    "{table}",' for table in reversed(tables))
    parts.append(f'\n\n_TABLES = (\n{names}\n)\n')
    parts.append('\n\ndef downgrade() -> None:\n    """Drops the tables, the dependent ones first."""\n'
                 "    for table in _TABLES:\n        op.drop_table(table)\n")
    return "".join(parts)


def _creation(metadata: MetaData, table: str) -> str:
    from alembic.autogenerate import render_python_code
    from alembic.operations.ops import CreateIndexOp, CreateTableOp, UpgradeOps

    ops: list[CreateTableOp | CreateIndexOp] = [CreateTableOp.from_table(metadata.tables[table])]
    indexes = sorted(metadata.tables[table].indexes, key=lambda index: str(index.name))
    ops += [CreateIndexOp.from_index(index) for index in indexes]
    return render_python_code(UpgradeOps(ops), render_item=_render)  # type: ignore[arg-type]


def _render(kind: str, item: object, _context: object) -> str | bool:
    """Our decimal type in plain words: NUMERIC, on SQLite text."""
    if kind == "type" and isinstance(item, ExactDecimal):
        return 'sa.Numeric().with_variant(sa.Text(), "sqlite")'
    return False


def _indented(code: str) -> str:
    lines = [line for line in code.splitlines() if not line.strip().startswith("#")]
    deeper = [f"    {line}" if line.startswith("    sa.") else line for line in lines]
    return "\n".join(line.rstrip() for line in deeper).strip("\n") + "\n"
