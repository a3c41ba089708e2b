"""The opened study: its values, its two databases, and the clock and chance that every step is handed."""

import getpass
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import msgspec

from fhir_adapter import domains, endpoints
from fhir_adapter.core.desk import SETTLES
from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.study import Study
from fhir_adapter.core.tables import FACT_COLUMNS, columns_of, table_of
from fhir_adapter.jobs.log import SILENT, Log
from fhir_adapter.store.records import Signature
from fhir_adapter.store.trial import Trial, TrialTables, open_trial
from fhir_adapter.store.vault import Vault, open_vault
from fhir_adapter.wire.secret import resolve


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What every step is handed: the clock, chance (unguessable outside tests), how to wait, and the log."""

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    random: Random = msgspec.field(default_factory=SystemRandom)
    sleep: Callable[[float], None] = time.sleep
    log: Log = SILENT


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """A study at work. `folder` is where `data/` and relative paths of the settings are looked for."""

    study: Study
    folder: Path
    vault: Vault
    trial: Trial
    clock: Callable[[], datetime]
    random: Random
    sleep: Callable[[float], None]
    transport: Any = None
    log: Log = SILENT

    def signed(self, by: str) -> Signature:
        """The signature of a person of the study.

        Raises UsageError when the name is not in [people] of settings.toml.
        """
        if by not in self.study.settings.people and self.role_of(by) == "":
            known = ", ".join(sorted(self.study.settings.people)) or "nobody"
            raise UsageError(f"--by {by}: not in [people] of sync/settings.toml; known there: {known}")
        return Signature(by=by, system_user=system_user(), at=self.clock())


    def role_of(self, by: str) -> str:
        """The role of a person of the settings, or of an account of the review desk; empty for anybody else."""
        if by in self.study.settings.people:
            return self.study.settings.people[by].role
        known = self.vault.account_of(by)
        if known is None or not known.account.active:
            return ""
        owner = SETTLES.get(known.account.role)
        return known.account.role.value if owner is None else owner.value


def system_user() -> str:
    """The operating system's name of whoever runs this; `unknown` where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


@cache
def trial_tables() -> TrialTables:
    """The tables that domains and endpoints declare, for the store that knows neither."""
    facts = {
        domain.name: table_of(domain.name, FACT_COLUMNS + columns_of(domain.fact, skip=("element", "index")),
                              ("fact_key",), domain.title)
        for domain in domains.ALL
    }
    conclusions = {
        conclusion.name: table_of(conclusion.name, columns_of(conclusion.record), conclusion.key, conclusion.title)
        for conclusion in endpoints.ALL
    }
    return TrialTables(facts=facts, conclusions=conclusions)


@contextmanager
def opened(study: Study, folder: Path, *, secret: bytes | None = None, mark: str = "",
           means: Means | None = None) -> Iterator[Workspace]:
    """The databases of a study, made when they are new, brought to the newest schema when they are old.

    `secret` is the vault's (for the demonstration and tests); without it the settings' reference is followed.
    Raises UsageError for a vault without its secret, DatabaseError when a database cannot be used.
    """
    means = means or Means()
    settings = study.settings
    vault_url = database_url(settings.databases.vault, folder)
    trial_url = database_url(settings.databases.trial, folder)
    vault = open_vault(vault_url, secret or vault_secret(study, folder, vault_url), create=True, mark=mark)
    try:
        trial = open_trial(trial_url, trial_tables(), create=True)
    except BaseException:
        vault.close()
        raise
    try:
        yield Workspace(study=study, folder=folder, vault=vault, trial=trial, clock=means.clock,
                        random=means.random, sleep=means.sleep, log=means.log)
    finally:
        trial.close()
        vault.close()


def database_url(reference: str, folder: Path) -> str:
    """The SQLAlchemy URL of `sqlite:PATH` (relative to the study's folder) or of `env:NAME`."""
    if reference.startswith("env:"):
        url = os.environ.get(reference.removeprefix("env:"), "")
        if not url:
            raise UsageError(f"The environment variable {reference.removeprefix('env:')} (a database URL) is not set.")
        return url.replace("postgresql://", "postgresql+psycopg://", 1)
    if not reference.startswith("sqlite:"):
        raise UsageError("A database is `sqlite:PATH` or `env:NAME`; a URL with a password never stands in a file.")
    path = folder / reference.removeprefix("sqlite:")
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path}"


def vault_secret(study: Study, folder: Path, vault_url: str) -> bytes:
    """The vault's secret; a new vault gets a new one (0600), a vault that has lost its own is refused."""
    reference = study.settings.vault.secret
    path = folder / reference.removeprefix("file:")
    if reference.startswith("file:") and not path.exists():
        made_before = vault_url.startswith("sqlite:///") and Path(vault_url.removeprefix("sqlite:///")).exists()
        if made_before:
            raise UsageError(f"The vault's secret {reference} is missing; without it no key can be told. Restore it.")
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_new_secret(path)
    return resolve(reference, "vault.secret", folder).encode()


def _write_new_secret(path: Path) -> None:
    """A new secret (0600), whole or not there, whenever we are killed; one that is there already stays."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with open(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(handle)
        with suppress(FileExistsError):  # another process was quicker: its secret counts
            os.link(name, path)
    finally:
        os.unlink(name)
