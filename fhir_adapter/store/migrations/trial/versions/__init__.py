"""Revisions of the trial database, oldest first; never edited once released."""
