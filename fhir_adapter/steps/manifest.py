"""A cut's manifest: everything that its digest covers, in a form that two of them can be compared in."""

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec

from fhir_adapter import __version__
from fhir_adapter.core.runs import CompletenessRow
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.records import Known
from fhir_adapter.store.seen import PastVault

READ = ("name", "fhir_version", "carriers", "evaluators")
"""What of a hospital's settings decides how its records are read."""

KNOWN_AT, SIGNING = "known_at", "signing"
"""Which mappings a cut was computed by: those in force at the moment that it is known at, or those of its signing."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An open blocking conflict that a cut was locked over."""

    key: str
    kind: str
    subject: str | None = None


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """The raw versions of one hospital: how many, and a digest over key, ordinal, place and keyed mark of each."""

    count: int
    digest: str


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """What a cut is computed from.

    `options`: the whole protocol, defaults spelled out. `mappings`: SHA-256 of each file below mappings/, and
    `mappings_as_of` whether they are those that were in force at `known` (`known_at`) or others (`signing`).
    `hospitals`: the settings that decide how records are read.
    """

    program: str
    data_cutoff: str
    known: Known
    versions: dict[str, Versions]
    decisions: str
    identities: str
    options: dict[str, Any]
    mappings: dict[str, str]
    hospitals: dict[str, dict[str, Any]]
    mappings_as_of: str = SIGNING


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs and results of a cut.

    `waived`: open blocking conflicts; `beyond`: those that concern only what happened after the cut-off, and so do not
    block. `completeness`: how whole the hospitals' answers were at the signing. `tables`: the digest of each table of
    its trial database; `files`: SHA-256 of each file of its folder but the database and the manifest.
    """

    inputs: Inputs
    waived: tuple[Held, ...] = ()
    beyond: tuple[Held, ...] = ()
    completeness: tuple[CompletenessRow, ...] = ()
    tables: dict[str, str] = {}
    files: dict[str, str] = {}

    @property
    def text(self) -> str:
        """The manifest as JSON, always the same for the same content."""
        return json.dumps(msgspec.to_builtins(self), ensure_ascii=False, sort_keys=True, indent=1)

    @property
    def digest(self) -> str:
        """SHA-256 over the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_manifest(text: str) -> Manifest:
    """The manifest of a text; what newer programs have added to it is left out."""
    return msgspec.json.decode(text, type=Manifest)


def inputs(work: Workspace, past: PastVault, cutoff: str) -> Inputs:
    """The inputs as they are now, of a past as far as the vault is asked."""
    versions = {}
    for hospital in sorted(past.known.versions):
        marks = past.marks(hospital)
        versions[hospital] = Versions(count=len(marks), digest=_digest(marks))
    decisions = [msgspec.structs.astuple(one) for one in past.decisions()]
    people = sorted((past.key(one.hospital, "Patient", one.patient), one.subject) for one in past.identities())
    return Inputs(
        program=__version__, data_cutoff=cutoff, known=past.known, versions=versions, decisions=_digest(decisions),
        identities=_digest(people), options=work.study.protocol.model_dump(mode="json"),
        mappings=sums(work.study.mappings),
        hospitals={name: one.model_dump(mode="json", include=set(READ))
                   for name, one in sorted(work.study.hospitals.items())},
        mappings_as_of=KNOWN_AT if work.study.digest == past.known.mappings else SIGNING,
    )


def sums(folder: Path) -> dict[str, str]:
    """SHA-256 of the files below a folder that say what is mapped and asked: TOML and CSV."""
    return {path.relative_to(folder).as_posix(): file_sum(path) for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in (".csv", ".toml")}


def file_sum(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(rows: list[Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(rows)).hexdigest()
