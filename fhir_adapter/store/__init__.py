"""Remembers: the vault (what cannot be computed again) and the trial database (what follows from it).

The only room that opens a database session. `vault.open_vault` and `trial.open_trial` are its two doors.
"""
