"""Revisions of the vault database, oldest first; never edited once released."""
