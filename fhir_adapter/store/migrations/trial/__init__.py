"""Revisions of the trial database."""
