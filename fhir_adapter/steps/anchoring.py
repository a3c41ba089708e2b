"""Anchoring the audit trail outside: the head of its chain, kept where whoever can write the vault cannot.

A chain of hashes shows what was changed, left out or put in between; that its end was cut off, or that all of it was
written anew, shows only against a head that was kept elsewhere (ecosystem.md S5).
"""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from fhir_adapter.core.errors import DatabaseError, UsageError
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.audit import START
from fhir_adapter.store.instants import stamp
from fhir_adapter.store.records import AuditEntry


class Anchor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The head of a chain: of which vault, its last entry's number, hash and time, and when it was anchored."""

    vault: str
    seq: int
    hash: str
    at: str
    anchored_at: str


def verified(work: Workspace, files: Sequence[Path] = ()) -> list[AuditEntry]:
    """The trail, if its chain holds and agrees with every anchor of these files.

    Raises:
        DatabaseError: it does not; every place where it does not is named.
        UsageError: a file is missing, or a line of it is no anchor.
    """
    faults = work.vault.verify_audit()
    entries = work.vault.audit_entries()
    for file in files:
        for line, anchor in enumerate(_anchors(file), start=1):
            faults += [f"{fault} ({file.name}, line {line})" for fault in _against(entries, work.vault.id, anchor)]
    if faults:
        raise DatabaseError("The audit trail does not hold:\n  " + "\n  ".join(faults))
    return entries


def head(work: Workspace, files: Sequence[Path] = ()) -> Anchor:
    """The head of the trail now. Raises as `verified` does: a trail that does not hold is not anchored."""
    entries = verified(work, files)
    last = entries[-1] if entries else None
    return Anchor(vault=work.vault.id, seq=last.seq if last else 0, hash=last.hash if last else START,
                  at=last.at if last else "", anchored_at=stamp(work.clock()))


def append(work: Workspace, file: Path) -> tuple[Anchor, bool]:
    """Adds the head to a file of anchors, after the trail has been checked against those that it holds.

    The anchor, and whether it is new: the same head is not written twice.
    """
    known = list(_anchors(file)) if file.exists() else []
    found = head(work, [file] if known else [])
    if known and (known[-1].seq, known[-1].hash) == (found.seq, found.hash):
        return known[-1], False
    try:
        with file.open("a", encoding="utf-8") as target:
            target.write(json.dumps(msgspec.to_builtins(found), sort_keys=True) + "\n")
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        raise UsageError(f"{file.name} cannot be written: {error.strerror}.") from None
    return found, True


def _anchors(file: Path) -> Iterator[Anchor]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"{file.name} cannot be read as a file of anchors.") from None
    for number, line in enumerate(lines, start=1):
        try:
            yield msgspec.json.decode(line, type=Anchor)
        except msgspec.MsgspecError:
            raise UsageError(f"{file.name}, line {number}: this is no anchor.") from None


def _against(entries: Sequence[AuditEntry], vault: str, anchor: Anchor) -> Iterator[str]:
    """Where a trail does not agree with an anchor."""
    if anchor.vault != vault:
        yield "an anchor is another vault's"
        return
    found = next((one.hash for one in entries if one.seq == anchor.seq), START if anchor.seq == 0 else None)
    if found is None:
        last = entries[-1].seq if entries else 0
        yield f"it ends at entry {last}, and entry {anchor.seq} was anchored: its end was cut off"
    elif found != anchor.hash:
        yield f"entry {anchor.seq} is not the one that was anchored: the trail was written anew"
