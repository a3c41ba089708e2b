"""Reads a folder of FHIR files as if a hospital had sent it: NDJSON, Bundles, single resources, each also gzipped."""

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.windows import Damage, Entry, Gap, Outcome, Page
from fhir_adapter.wire.envelope import MAX_PAGE, Opening, damage, open_page

LINES_A_PAGE = 500
_FILE = re.compile(r".+\.(?P<kind>ndjson|jsonl|json)(?P<packed>\.gz)?", re.IGNORECASE)


def pages(folder: Path) -> Iterator[Page]:
    """Every file of the folder and its subfolders, by name; other kinds of file are passed over.

    A record without id gets the SHA-256 of its bytes as id, and an Outcome `id-from-content` says so. The same record
    again is given again: whether it is a repetition or a new version is for the vault to tell. The files are the
    user's own, so bytes that cannot be read are kept.

    Raises:
        UsageError: the folder is none, or holds no such file.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and _FILE.fullmatch(path.name)]
    if not found:
        raise UsageError(f"{folder}: no .ndjson, .jsonl or .json file in it (each also as .gz)")
    for path in found:
        yield from _file(path, path.relative_to(folder).as_posix())


def _file(path: Path, name: str) -> Iterator[Page]:
    match = _FILE.fullmatch(path.name)
    is_json = match is not None and match["kind"].lower() == "json"
    is_packed = match is not None and match["packed"] is not None
    try:
        with gzip.open(path, "rb") if is_packed else path.open("rb") as stream:
            source = cast("BinaryIO", stream)
            yield from _document(source, name) if is_json else _lines(source, name)
    except (OSError, EOFError, zlib.error):
        yield _gap(name, "truncated", f"the file {name} cannot be read to its end")


def _document(source: BinaryIO, name: str) -> Iterator[Page]:
    body = source.read(MAX_PAGE + 1)
    page = open_page(body, _opening(name))
    if any(gap.code == "not_fhir" for gap in page.gaps):
        length = len(body) + len(source.read()) if len(body) > MAX_PAGE else len(body)
        found = damage("malformed_json", f"the file {name} is no FHIR, or larger than 64 MB", 0, body, keep=False)
        page = msgspec.structs.replace(page, damages=(msgspec.structs.replace(found, length=length),), gaps=())
    # A file has no next page: links of a saved search answer lead nowhere.
    yield msgspec.structs.replace(page, next=None)


def _lines(source: BinaryIO, name: str) -> Iterator[Page]:
    return lines(source, name, _opening(name))


def lines(source: BinaryIO, name: str, how: Opening) -> Iterator[Page]:
    """The records of a stream of NDJSON, some hundreds a page; a line may also be a Bundle (deleted records)."""
    entries: list[Entry] = []
    damages: list[Damage] = []
    outcomes: list[Outcome] = []
    position = 0
    for number, line in enumerate(_bounded(source), start=1):
        if line.strip():
            page = open_page(line.rstrip(b"\r\n"), msgspec.structs.replace(how, url=f"{name}:{number}"))
            entries.extend(_placed(page.entries, f"{name}:{number}"))
            outcomes.extend(page.outcomes)
            damages.extend(msgspec.structs.replace(found, position=position + found.position)
                           for found in page.damages)
            # In a file a bad line is a bad record: the file does not end with it.
            if any(gap.code != "suppressed" for gap in page.gaps):
                damages.append(damage("malformed_json", "a line is no FHIR resource", position, line,
                                      keep=how.keep_damaged))
        position += len(line)
        if len(entries) >= LINES_A_PAGE:
            yield Page(url=name, entries=tuple(entries), damages=tuple(damages), outcomes=tuple(outcomes))
            entries, damages, outcomes = [], [], []
    if entries or damages or outcomes:
        yield Page(url=name, entries=tuple(entries), damages=tuple(damages), outcomes=tuple(outcomes))


def _bounded(source: BinaryIO) -> Iterator[bytes]:
    """Lines, none longer than a page may be; a longer one comes in pieces, none of which can be read."""
    while line := source.readline(MAX_PAGE):
        yield line


def _placed(entries: Iterable[Entry], url: str) -> Iterator[Entry]:
    return (entry if entry.url else msgspec.structs.replace(entry, url=url) for entry in entries)


def _opening(url: str) -> Opening:
    return Opening(url=url, keep_damaged=True, content_ids=True)


def _gap(name: str, code: str, message: str) -> Page:
    return Page(url=name, entries=(), gaps=(Gap(code=code, message=message),))
