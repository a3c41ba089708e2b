"""Finds secrets where the configuration says they are; it never holds them itself."""

import os
import stat
from pathlib import Path

from fhir_adapter.core.errors import UsageError


def resolve(reference: str | None, what: str, folder: Path) -> str:
    """The secret behind `env:NAME`, `file:PATH` (relative to `folder`) or `keyring:SERVICE/NAME`.

    A file must belong to its owner alone (0600). Leading and trailing blanks are cut.

    Raises:
        UsageError: it is missing, empty, open to others, or the reference is none of these; `what` says which setting.
    """
    kind, _, place = (reference or "").partition(":")
    if kind == "env" and place:
        found = os.environ.get(place, "")
        where = f"the environment variable {place}"
    elif kind == "file" and place:
        found = _from_file(folder / place, what)
        where = f"the file {place}"
    elif kind == "keyring" and "/" in place:
        found = _from_keyring(place, what)
        where = "the keyring"
    else:
        raise UsageError(f"{what} must be a reference: env:NAME, file:PATH or keyring:SERVICE/NAME")
    if not found.strip():
        raise UsageError(f"{what}: {where} holds nothing")
    return found.strip()


def _from_file(path: Path, what: str) -> str:
    try:
        mode = path.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise UsageError(f"{what}: the file {path.name} is open to others; run chmod 600 on it")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{what}: the file {path.name} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UsageError(f"{what}: the file {path.name} is not text") from None


def _from_keyring(place: str, what: str) -> str:
    try:
        import keyring  # type: ignore[import-not-found, unused-ignore]  # an extra; most installations have none
    except ImportError:
        raise UsageError(f"{what}: keyring: needs the Python package keyring to be installed") from None
    service, _, name = place.rpartition("/")
    return keyring.get_password(service, name) or ""
