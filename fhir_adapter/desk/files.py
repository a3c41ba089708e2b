"""Files at the desk: the queue and the code lists go out, decisions and code lists come in after a look at both."""

import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fhir_adapter.core.desk import Account
from fhir_adapter.core.errors import Overtaken, UsageError
from fhir_adapter.desk import Outcome, settled_behind
from fhir_adapter.steps import approving, exchanging, queue_sheet
from fhir_adapter.steps.accounts import by_account
from fhir_adapter.steps.approving import Approval, Usage
from fhir_adapter.steps.exchanging import Incoming
from fhir_adapter.steps.queue_sheet import DryRun
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.worklist import Filter

__all__ = ["Filter"]

FORMS = {"csv": "text/csv; charset=utf-8", "json": "application/fhir+json",
         "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
"""Forms of a file, with what they are called on the web."""

MOST_UNPACKED = 50_000_000
"""Bytes that a spreadsheet may unpack to."""


def queue_file(work: Workspace, viewer: Account, asked: Filter, form: str) -> bytes:
    """The conflicts of a filter as CSV or XLSX."""
    lines = queue_sheet.rows(work, viewer, asked, form)
    if form == "csv":
        return queue_sheet.as_csv(lines)
    with TemporaryDirectory(prefix="fhir-adapter-") as folder:
        path = Path(folder) / "queue.xlsx"
        queue_sheet.write_xlsx(path, lines)
        return path.read_bytes()


def dry_run(work: Workspace, viewer: Account, name: str, content: bytes) -> DryRun:
    """What the decisions of a sheet would do; nothing is written."""
    with _kept(name, content) as path:
        return queue_sheet.dry_run(work, viewer, path)


def sign(work: Workspace, viewer: Account, name: str, content: bytes, mark: str) -> Outcome:
    """Signs the decisions of a sheet that was looked at, all or none; settled behind the answer."""
    with _kept(name, content) as path:
        return settled_behind(work, queue_sheet.sign(work, viewer, path, mark))


# --- codes ---------------------------------------------------------------------------------------------------------


def mappings_file(work: Workspace, form: str, lists: Sequence[str]) -> bytes:
    """The code lists with the decisions in force as CSV, XLSX or FHIR R4 ConceptMap."""
    with TemporaryDirectory(prefix="fhir-adapter-") as folder:
        path = Path(folder) / f"mappings.{form}"
        exchanging.export_mappings(work, path, lists)
        return path.read_bytes()


def incoming(work: Workspace, name: str, content: bytes) -> Incoming:
    """What a file of code lists would change, and what is wrong in it; nothing is written."""
    with _kept(name, content) as path:
        return exchanging.read_incoming(work.study.folder, path)


def import_mappings(work: Workspace, viewer: Account, name: str, content: bytes, mark: str) -> dict[str, int]:
    """Writes what was looked at into mappings/concepts, with an audit entry; how many rows of each list.

    Raises Overtaken when the file or the lists are not what was looked at.
    """
    with _WRITING:
        found = incoming(work, name, content)
        if found.faults or found.mark != mark:
            raise Overtaken("The lists, or the file, are not what you looked at. Look again.")
        changed = exchanging.write_changes(work.study.folder, found.changes)
        work.vault.note(by_account(work, viewer.name), "code lists imported", "mappings/concepts",
                        {"rows": changed, "mark": mark})
    return changed


_WRITING = threading.Lock()


def approval(work: Workspace, viewer: Account, chosen: Sequence[str]) -> Approval:
    """What approving candidates would sign; nothing is written."""
    return approving.approval(work, viewer, chosen)


def approve(work: Workspace, viewer: Account, asked: Approval, reason: str) -> Outcome:
    """Signs the approved candidates, all or none; settled behind the answer."""
    return settled_behind(work, approving.approve(work, viewer, asked, reason))


_COUNTED: dict[int, Usage] = {}
_COUNTING: dict[int, threading.Thread] = {}


def usage(work: Workspace, viewer: Account, patience: float = 2.0) -> tuple[Usage | None, bool]:
    """How often each code is used, as last counted, and whether it is being counted anew (behind the page)."""
    mark, known = approving.usage_mark(work), _COUNTED.get(id(work))
    if known is None or known.mark != mark:
        thread = _COUNTING.get(id(work))
        if thread is None or not thread.is_alive():
            thread = _COUNTING[id(work)] = threading.Thread(target=_count, args=(work,), name="counting", daemon=True)
            thread.start()
        thread.join(patience)
        known = _COUNTED.get(id(work))
    return (known.seen_by(viewer) if known else None), known is None or known.mark != mark


def _count(work: Workspace) -> None:
    try:
        _COUNTED[id(work)] = approving.count_usage(work)
    except Exception as error:  # nobody waits for this thread; the page says that it is being counted
        work.log.error("counting_failed", error)


@contextmanager
def _kept(name: str, content: bytes) -> Iterator[Path]:
    """An upload as a file for as long as it is read; its own name counts only by its ending."""
    suffix = Path(name).suffix.lower()
    if suffix.removeprefix(".") not in FORMS:
        raise UsageError(f"The file must be one of {', '.join(f'.{one}' for one in FORMS)}.")
    with TemporaryDirectory(prefix="fhir-adapter-") as folder:
        path = Path(folder) / f"file{suffix}"
        path.write_bytes(content)
        if suffix == ".xlsx":
            _refuse_bomb(path)
        yield path


def _refuse_bomb(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(one.file_size for one in packed.infolist())
    except zipfile.BadZipFile:
        raise UsageError("That is not an XLSX file.") from None
    if size > MOST_UNPACKED:
        raise UsageError("The spreadsheet unpacks to more than can be read.")
