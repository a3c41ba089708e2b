"""Alembic's entry for the vault database; run from within the program only (`upgrading`)."""

from fhir_adapter.store.migrations.upgrading import run_in_context

run_in_context()
