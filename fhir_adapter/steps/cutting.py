"""Cuts: inputs and results as they were known at one moment, frozen, signed, and kept where they can be read later.

A cut is computed from the vault alone, into a trial database of its own. Its folder is made beside the others and is
whole before the vault says that there is such a cut; only then it gets its name. Whoever is killed in between leaves
either nothing or a cut that is finished at the next look.
"""

import json
import os
import re
import shutil
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from fhir_adapter import endpoints
from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.runs import Progress, silent
from fhir_adapter.endpoints.cutoff import BEGINS
from fhir_adapter.export import tables as files
from fhir_adapter.steps import recalling
from fhir_adapter.steps.growing import grown, map_everything
from fhir_adapter.steps.leases import gone, holder
from fhir_adapter.steps.manifest import Held, Manifest, file_sum, inputs, read_manifest
from fhir_adapter.steps.projecting import completeness, project
from fhir_adapter.steps.reporting import summarise
from fhir_adapter.steps.settling import conclude
from fhir_adapter.steps.workspace import Workspace, trial_tables
from fhir_adapter.store.instants import stamp
from fhir_adapter.store.locked import VIEWS, forget_after, open_locked, seal, view_rows
from fhir_adapter.store.records import Cut, Known
from fhir_adapter.store.seen import SCRATCH, PastVault, known

DATABASE, MANIFEST, SUMMARY, VERSIONS = "trial.sqlite", "manifest.json", "summary.json", "versions.csv"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MAKING = ".making-"


class NewCut(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to freeze: up to which day, as known when (ISO 8601 with zone; empty: now), as what, why.

    `mappings`: a folder with those that were in force then; `with_mappings_of_now`: those of now do, though they have
    changed since. Neither is needed while they have not, nor without `known_at`. `words`: the meaning and the printed
    name of an electronic signature, kept with the cut or not at all.
    """

    cutoff: str
    known_at: str = ""
    name: str = ""
    by: str
    reason: str = ""
    with_open_conflicts: bool = False
    mappings: Path | None = None
    with_mappings_of_now: bool = False
    words: tuple[str, str] | None = None


def folder_of(work: Workspace) -> Path:
    """Where the cuts of a study lie."""
    return work.folder / "data" / "cuts"


def create(work: Workspace, wanted: NewCut, told: Progress = silent) -> Cut:
    """Computes a cut from the vault, writes its folder and signs it.

    Raises UsageError for a day or an instant that is none, a name that is taken, somebody who may not sign, and open
    blocking conflicts that nobody has waived, and mappings that have changed since `known_at` and are not found.
    """
    signed = work.signed(wanted.by)
    cutoff, name = _day(wanted.cutoff), wanted.name or wanted.cutoff
    if not _NAME.fullmatch(name):
        raise UsageError("A cut's name has letters, digits, dots, dashes and underscores, at most 64.")
    if any(one.name == name for one in work.vault.cuts()):
        raise UsageError(f"There is a cut {name} already, and cuts never change; choose another --name.")
    then = known(work.vault, _instant(wanted.known_at))
    if then.at > stamp(signed.at):
        raise UsageError("--known-at lies in the future; nobody knows what will be known by then.")
    of_now = wanted.with_mappings_of_now or not wanted.known_at
    then_read = recalling.as_of(work, then, folder_of(work), wanted.mappings, of_now=of_now)
    making = _begin(work, name)
    try:
        manifest = _filled(then_read, making, (cutoff, then), told)
        if manifest.waived and not wanted.with_open_conflicts:
            raise UsageError(_refusal(manifest.waived))
        (making / MANIFEST).write_text(manifest.text, encoding="utf-8")
        _to_rest(making)
        cut = Cut(name=name, data_cutoff=cutoff, known_at=then.at, digest=manifest.digest, reason=wanted.reason,
                  signed_by=signed.by, signed_at=stamp(signed.at), manifest=manifest.text,
                  waived=json.dumps([one.key for one in manifest.waived]))
        work.vault.lock_cut(cut, signed, wanted.words)
    except BaseException:
        if not any(one.name == name for one in work.vault.cuts()):
            shutil.rmtree(making, ignore_errors=True)
        raise
    finish(work, cut)
    return cut


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UsageError("--cutoff wants a whole day, such as 2026-06-30.") from None


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        found = datetime.min
    if found is not None and found.tzinfo is None:
        raise UsageError("--known-at wants an instant with its zone, such as 2026-07-15T12:00:00+00:00.")
    return found


def _refusal(waived: Iterable[Held]) -> str:
    lines = [f"  {one.key[:12]} {one.kind}" + (f" of {one.subject}" if one.subject else "") for one in waived]
    more = [f"  and {len(lines) - 20} more"] if len(lines) > 20 else []
    return "\n".join([f"{len(lines)} open conflicts block the cut; decide them, or sign for them with "
                      "--with-open-conflicts, and they are named on the cut:", *lines[:20], *more])


# --- the folder ----------------------------------------------------------------------------------------------------


def _begin(work: Workspace, name: str) -> Path:
    """A folder to make the cut in; what stopped programs have left, and nobody has signed, is thrown away."""
    folder = folder_of(work)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    listed(work)
    for left in folder.glob(f"{_MAKING}*"):
        if gone(_holder_of(left)):
            shutil.rmtree(left, ignore_errors=True)
    making = folder / f"{_MAKING}{name}-{re.sub('[^0-9A-Za-z]', '-', holder())}"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    (making / ".holder").write_text(holder(), encoding="utf-8")
    return making


def _holder_of(making: Path) -> str:
    try:
        return (making / ".holder").read_text(encoding="utf-8")
    except OSError:
        return ""


def _to_rest(making: Path) -> None:
    """Every file on the disk, and read-only."""
    for path in making.rglob("*"):
        if path.is_file() and path.name != ".holder":
            path.chmod(0o400)
            with path.open("rb") as file:
                os.fsync(file.fileno())


def finish(work: Workspace, cut: Cut) -> Path:
    """The folder of a signed cut; one that was whole when its program was stopped gets its name now."""
    folder = folder_of(work) / cut.name
    if not folder.exists():
        for making in sorted(folder_of(work).glob(f"{_MAKING}{cut.name}-*")):
            manifest = making / MANIFEST
            if manifest.is_file() and read_manifest(manifest.read_text(encoding="utf-8")).digest == cut.digest:
                (making / ".holder").unlink(missing_ok=True)
                making.rename(folder)
                break
    return folder


def _filled(work: Workspace, making: Path, when: tuple[str, Known], told: Progress) -> Manifest:
    cutoff, then = when
    past = PastVault(work.vault, then)
    with grown(work, past, making / DATABASE) as frozen:
        held, beyond = fill(frozen, cutoff, told)
        _write_results(frozen, making)
        found = Manifest(inputs=inputs(work, past, cutoff), waived=held, beyond=beyond,
                         completeness=tuple(completeness(frozen)), tables=frozen.trial.table_digests())
    seal(making / DATABASE)
    for name in found.inputs.mappings:
        target = making / recalling.KEPT / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(work.study.mappings / name, target)
    rows = [(name, *mark) for name in sorted(then.versions) for mark in past.marks(name)]
    files.write({"versions": (("hospital", "resource", "ordinal", "seq", "mark"), rows)}, making, "csv")
    return msgspec.structs.replace(found, files=folder_sums(making))


def folder_sums(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a cut's folder but the database, the manifest and whose work it is."""
    return {path.relative_to(folder).as_posix(): file_sum(path) for path in sorted(folder.rglob("*"))
            if path.is_file() and path.relative_to(folder).as_posix() not in (DATABASE, MANIFEST, ".holder")}


def fill(frozen: Workspace, cutoff: str, told: Progress) -> tuple[tuple[Held, ...], tuple[Held, ...]]:
    """Maps, settles and concludes a past up to a day; the open blocking conflicts, and those only about later days."""
    map_everything(frozen, told)
    conclude(frozen, SCRATCH, told, everyone=True, cut_off=cutoff)
    project(frozen, SCRATCH, queue=False)
    found = _blocking(frozen, cutoff)
    forget_after(frozen.trial, BEGINS, cutoff)
    return found


def _blocking(frozen: Workspace, cutoff: str) -> tuple[tuple[Held, ...], tuple[Held, ...]]:
    known_rows = frozen.trial.frames(("conflict", "conflict_item"))
    conflicts, items = known_rows["conflict"], known_rows["conflict_item"]
    open_ones: Iterable[Any] = conflicts[(conflicts.state == "open") & conflicts.blocking.eq(True)].itertuples()
    later = _later(frozen, items, cutoff)
    held: list[Held] = []
    beyond: list[Held] = []
    for row in open_ones:
        one = Held(key=row.key, kind=row.kind, subject=row.subject)
        sides = set(items[items.conflict_key == row.key].fact_key)
        (beyond if sides and sides <= later else held).append(one)
    return tuple(held), tuple(beyond)


def _later(frozen: Workspace, items: pd.DataFrame, cutoff: str) -> set[str]:
    """The disputed facts that begin after a day."""
    named = sorted({one for one in items.table_name if BEGINS.get(one)})
    found: set[str] = set()
    for table, frame in frozen.trial.frames(tuple(named)).items():
        begins = frame[BEGINS[table]]
        found |= set(frame[begins.notna() & (begins.astype("string") > cutoff)].fact_key)
    return found


def _write_results(frozen: Workspace, folder: Path) -> None:
    files.write(result_tables(frozen), folder / "csv", "csv")
    summary = json.dumps(msgspec.to_builtins(summarise(frozen)), ensure_ascii=False, indent=1)
    (folder / SUMMARY).write_text(summary + "\n", encoding="utf-8")


def result_tables(work: Workspace) -> dict[str, files.Table]:
    """What is handed on: every stable view, and every table of conclusions."""
    views: dict[str, files.Table] = {name: view_rows(work.trial, name) for name in VIEWS}
    return views | {one.name: (work.trial.tables.columns(one.name),
                               [tuple(row.values()) for row in work.trial.all_rows(one.name)]) for one in endpoints.ALL}


def export(work: Workspace, form: str, folder: Path, name: str = "") -> list[Path]:
    """Writes the results as files, those of a cut if one is named; the paths.

    Raises UsageError for a form that cannot be written, or a cut that is not there.
    """
    if form not in files.FORMATS:
        raise UsageError(f"{form} cannot be written; there are {', '.join(files.FORMATS)}.")
    if not name:
        return files.write(result_tables(work), folder, form)
    trial = open_locked(the_cut(work, name)[1] / DATABASE, trial_tables())
    try:
        return files.write(result_tables(msgspec.structs.replace(work, trial=trial)), folder, form)
    finally:
        trial.close()


# --- looking at cuts -----------------------------------------------------------------------------------------------


def the_cut(work: Workspace, name: str) -> tuple[Cut, Path]:
    """A signed cut and its folder. Raises UsageError when there is none of that name."""
    found = next((one for one in work.vault.cuts() if one.name == name), None)
    if found is None:
        known_names = ", ".join(one.name for one in work.vault.cuts()) or "none yet"
        raise UsageError(f"There is no cut {name}; there are: {known_names}.")
    return found, finish(work, found)


def listed(work: Workspace) -> list[Cut]:
    """All cuts in the order of their signing."""
    found = sorted(work.vault.cuts(), key=lambda one: (one.signed_at, one.name))
    for one in found:
        finish(work, one)
    return found
