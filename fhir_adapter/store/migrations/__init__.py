"""How the tables of both databases changed, revision by revision (Alembic, run from within the program)."""

HEADS = {"vault": "0001", "trial": "0001"}
"""The newest revision of each database; the file of that name stands in `<which>/versions`."""
