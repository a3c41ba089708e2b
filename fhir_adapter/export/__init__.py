"""Writes results as files for others. Pure but for the files: rows in, one file a table out."""
