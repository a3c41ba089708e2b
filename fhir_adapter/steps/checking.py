"""Full conformance of what the vault holds: nothing waits for it, and nothing is refused because of it.

Versions are checked in other processes, hospital by hospital in the order in which they were kept. What is done is
written down after each piece of work (`data/check.json`: counts by element, no value), so that a check that was stopped
goes on where it stood, and the next one looks at new versions only.
"""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import msgspec

from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.runs import Progress
from fhir_adapter.core.study import Hospital
from fhir_adapter.fhir.conformance import Fault, checked
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.raw import all_versions
from fhir_adapter.store.records import Kind, Version

PIECE = 500
"""Versions in one piece of work."""

WAITING = 2
"""Pieces that each process may have before it: more would only hold memory."""


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """How many versions of a type at a hospital break a rule at an element."""

    hospital: str
    type: str
    element: str
    rule: str
    versions: int


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at of one hospital: versions, and those that break any rule."""

    hospital: str
    fhir_version: str
    versions: int
    broken: int
    fresh: int
    """Of the versions those that this check looked at; the others were looked at before."""


class Conformance(msgspec.Struct, frozen=True, kw_only=True):
    """The conformance of a vault: by hospital, and by element with the most frequent breach first."""

    hospitals: tuple[Checked, ...]
    breaches: tuple[Breach, ...]


class _Done(msgspec.Struct, kw_only=True):
    """What is known of one hospital, up to a place in its sequence."""

    fhir_version: str
    seq: int = 0
    versions: int = 0
    broken: int = 0
    breaches: dict[str, int] = {}


class _Book(msgspec.Struct, kw_only=True):
    vault: str
    hospitals: dict[str, _Done] = {}


def check(work: Workspace, told: Progress, *, processes: int = 0, again: bool = False) -> Conformance:
    """Checks every version that has not been checked yet (`again`: every version) and says what breaks which rule.

    `processes`: how many work at once; 0 means one for each processor, 1 none beside this one. Sheets have no model
    and are left out. A hospital that now declares another FHIR version is checked anew.
    """
    path = work.folder / "data" / "check.json"
    book = _Book(vault=work.vault.id) if again else _opened(path, work.vault.id)
    before = {name: one.versions for name, one in book.hospitals.items()}
    count = processes or os.cpu_count() or 1
    with _workers(count) as workers:
        for name in sorted(work.study.hospitals):
            hospital = work.study.hospitals[name]
            if hospital.pull.mode == "sheet":
                continue
            done = book.hospitals.get(name)
            if done is None or done.fhir_version != hospital.fhir_version:
                done = book.hospitals[name] = _Done(fhir_version=hospital.fhir_version)
                before[name] = 0
            last = work.vault.last_seq(name)
            for _ in _pieces(work, hospital, done, workers, count * WAITING):
                _write(path, book)
                told(f"{name}: checking", done.seq, last)
    return _conformance(book, before)


class _Here:
    """Work in this process, for those who have one processor."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def _workers(count: int) -> "ProcessPoolExecutor | _Here":
    """Processes that begin anew: they inherit no database connection."""
    return ProcessPoolExecutor(count, mp_context=get_context("spawn")) if count > 1 else _Here()


_Piece = tuple[list[Version], Callable[[], list[tuple[Fault, ...]]]]


def _pieces(work: Workspace, hospital: Hospital, done: _Done, workers: Executor | None, ahead: int) -> Iterator[None]:
    """Folds one piece after the other into what is done, in order, with at most `ahead` of them under way."""
    under_way: deque[_Piece] = deque()
    for versions in all_versions(work.vault, hospital.id, done.seq, PIECE):
        version: str = hospital.fhir_version
        records = [(one.type, one.body, version) for one in versions if _has_model(one)]
        under_way.append((versions, _asked(workers, records)))
        if len(under_way) >= ahead:
            _fold(done, *under_way.popleft())
            yield
    while under_way:
        _fold(done, *under_way.popleft())
        yield


def _has_model(version: Version) -> bool:
    return version.kind == Kind.CONTENT and version.type != "Sheet"


def _asked(workers: Executor | None, records: list[tuple[str, bytes, str]]) -> Callable[[], list[tuple[Fault, ...]]]:
    if workers is None:
        return lambda: checked(records)
    future: Future[list[tuple[Fault, ...]]] = workers.submit(checked, records)
    return future.result


def _fold(done: _Done, versions: list[Version], answer: Callable[[], list[tuple[Fault, ...]]]) -> None:
    found = Counter(done.breaches)
    asked = [one for one in versions if _has_model(one)]
    for version, breaches in zip(asked, answer(), strict=True):
        done.versions += 1
        done.broken += bool(breaches)
        found.update(f"{version.type}|{one.element}|{one.rule}" for one in breaches)
    done.breaches = dict(found)
    done.seq = versions[-1].seq


def _conformance(book: _Book, before: dict[str, int]) -> Conformance:
    hospitals = tuple(
        Checked(hospital=name, fhir_version=one.fhir_version, versions=one.versions, broken=one.broken,
                fresh=one.versions - before.get(name, 0))
        for name, one in sorted(book.hospitals.items())
    )
    breaches = [
        Breach(hospital=name, type=type, element=element, rule=rule, versions=count)
        for name, one in book.hospitals.items() for key, count in one.breaches.items()
        for type, element, rule in (key.split("|"),)
    ]
    order = sorted(breaches, key=lambda one: (-one.versions, one.hospital, one.type, one.element, one.rule))
    return Conformance(hospitals=hospitals, breaches=tuple(order))


def _opened(path: Path, vault: str) -> _Book:
    """What an earlier check left; a book about another vault is none."""
    try:
        book = msgspec.json.decode(path.read_bytes(), type=_Book)
    except FileNotFoundError:
        return _Book(vault=vault)
    except (OSError, msgspec.MsgspecError):
        raise UsageError(f"{path}: cannot be read; `fhir-adapter check --again` begins anew.") from None
    return book if book.vault == vault else _Book(vault=vault)


def _write(path: Path, book: _Book) -> None:
    """Whole or not at all, whenever we are stopped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(book))
    fresh.replace(path)
