"""What the rehearsal hospital knows: every version of every record, in memory, with the bytes as they were given.

Records come from `<Type>.ndjson` (the current versions) and `history.ndjson` (older versions and deletions:
`{"type","id","versionId","lastUpdated","resource"|"deleted":true}`). A body is served byte for byte, so that a
decimal `13.20` stays `13.20`; only what is edited later is written anew.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
"""When a record without `meta.lastUpdated` counts as written."""

_TICK = timedelta(milliseconds=1)
_HEAD = re.compile(rb'"(resourceType|id|versionId|lastUpdated|reference)"\s*:\s*"([^"\\]*)"')


@dataclass(frozen=True, eq=False)
class Version:
    """One version of one record; `body` is None for a deletion. `data` is the body read, for searching only."""

    type: str
    id: str
    version_id: str
    last_updated: datetime
    body: bytes | None
    data: dict[str, Any] = field(default_factory=dict)
    cache: dict[str, Any] = field(default_factory=dict)
    visible_from: datetime | None = None
    """When a late commit can be seen; None: it always could."""

    @property
    def deleted(self) -> bool:
        """Whether this version says that the record is gone."""
        return self.body is None

    @property
    def order(self) -> tuple[datetime, int]:
        """By time, then by version number."""
        return self.last_updated, int(self.version_id) if self.version_id.isdigit() else 0


@dataclass(frozen=True)
class Stamp:
    """When something is written: by the clock of the node that writes it, and from when on it can be seen.

    Without `exact` the time is moved behind everything written so far, so that no two are equal.
    """

    now: datetime
    visible_from: datetime | None = None
    exact: bool = False


class _HistoryLine(msgspec.Struct, rename="camel"):
    type: str
    id: str
    version_id: str
    last_updated: str
    resource: msgspec.Raw = msgspec.Raw(b"")
    deleted: bool = False


class Store:
    """All versions by type and id, oldest first."""

    def __init__(self, versions: Iterable[Version] = ()) -> None:
        self._versions: dict[str, dict[str, list[Version]]] = {}
        for version in versions:
            self._of(version.type).setdefault(version.id, []).append(version)
        for records in self._versions.values():
            for chain in records.values():
                chain.sort(key=lambda version: version.order)
        self._newest = max((chain[-1].last_updated for chain in self._chains()), default=EPOCH)
        self.revision = 0
        self.late = False

    def types(self) -> list[str]:
        """Every type there is a record of."""
        return sorted(self._versions)

    def heads(self, type_: str) -> list[Version]:
        """The current versions of a type; what is deleted is not among them."""
        chains = self._versions.get(type_, {}).values()
        return [chain[-1] for chain in list(chains) if not chain[-1].deleted]

    def chain(self, type_: str, id_: str) -> list[Version]:
        """Every version of one record, oldest first; [] for one that never was."""
        return list(self._versions.get(type_, {}).get(id_, []))

    def history(self, type_: str | None = None) -> list[Version]:
        """Every version of a type, or of all types, newest first."""
        every = [version for chain in self._chains(type_) for version in chain]
        return sorted(every, key=lambda version: (version.order, version.type, version.id), reverse=True)

    def put(self, resource: Mapping[str, Any], stamp: Stamp) -> Version:
        """A new version of a record, or a new record; `meta.versionId` and `meta.lastUpdated` are the server's."""
        type_, id_ = str(resource["resourceType"]), str(resource["id"])
        number, instant = self._next(type_, id_, stamp)
        meta = {**resource.get("meta", {}), "versionId": number, "lastUpdated": written(instant)}
        data = {**resource, "meta": meta}
        return self.append(Version(type_, id_, number, instant, encoded(data), data, visible_from=stamp.visible_from))

    def delete(self, type_: str, id_: str, stamp: Stamp) -> Version:
        """The record is gone; its history stays.

        Raises:
            KeyError: there is no such record.
        """
        if not self.chain(type_, id_):
            raise KeyError(f"no {type_} of that id at this hospital")
        number, instant = self._next(type_, id_, stamp)
        return self.append(Version(type_, id_, number, instant, None, visible_from=stamp.visible_from))

    def _of(self, type_: str) -> dict[str, list[Version]]:
        return self._versions.setdefault(type_, {})

    def _chains(self, type_: str | None = None) -> Iterator[list[Version]]:
        for name, records in list(self._versions.items()):
            if type_ in (None, name):
                yield from list(records.values())

    def chains(self, type_: str) -> list[list[Version]]:
        """Every record of a type with all its versions."""
        return [list(chain) for chain in list(self._versions.get(type_, {}).values())]

    def _next(self, type_: str, id_: str, stamp: Stamp) -> tuple[str, datetime]:
        chain = self.chain(type_, id_)
        before = chain[-1].version_id if chain else "0"
        number = str(int(before) + 1) if before.isdigit() else str(len(chain) + 1)
        instant = to_milliseconds(stamp.now)
        return number, instant if stamp.exact else max(instant, self._newest + _TICK)

    def append(self, version: Version) -> Version:
        """This version as the newest of its record, as it stands."""
        self._of(version.type).setdefault(version.id, []).append(version)
        self._newest = max(self._newest, version.last_updated)
        self.revision += 1
        self.late = self.late or version.visible_from is not None
        return version


def load(folder: Path) -> Store:
    """The hospital in this folder.

    Raises:
        ValueError: a line has no type or no id, so that no server could hold it; the text names file and line.
    """
    return Store(_versions_in(folder))


def _versions_in(folder: Path) -> Iterator[Version]:
    for path in sorted(folder.glob("*.ndjson")):
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            if not line.strip():
                continue
            version = _past(line) if path.name == "history.ndjson" else record(line.strip())
            if not (version.type and version.id):
                raise ValueError(f"{path.name} line {number}: a record needs resourceType and id")
            yield version


def record(body: bytes) -> Version:
    """One record's bytes with its head read, however broken the rest may be."""
    data = _read(body)
    meta = data.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    return Version(
        type=str(data.get("resourceType", "")),
        id=str(data.get("id", "")),
        version_id=str(meta.get("versionId", "1")),
        last_updated=instant_of(str(meta["lastUpdated"])) if "lastUpdated" in meta else EPOCH,
        body=body,
        data=data,
    )


def _past(line: bytes) -> Version:
    past = msgspec.json.decode(line, type=_HistoryLine)
    body = None if past.deleted else bytes(past.resource)
    return Version(
        type=past.type,
        id=past.id,
        version_id=past.version_id,
        last_updated=instant_of(past.last_updated),
        body=body,
        data=_read(body) if body is not None else {},
    )


def _read(body: bytes) -> dict[str, Any]:
    """The record as a dict; of bytes that no reader takes (a planted defect), only what a search needs."""
    try:
        data = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        found = [(name.decode(), value.decode("utf-8", "replace")) for name, value in _HEAD.findall(body)]
        first = dict(reversed(found))
        meta = {name: first[name] for name in ("versionId", "lastUpdated") if name in first}
        subject = {"reference": first["reference"]} if "reference" in first else {}
        return {
            "resourceType": first.get("resourceType", ""),
            "id": first.get("id", ""),
            "meta": meta,
            **dict.fromkeys(("subject", "patient", "individual"), subject),
        }
    return data if isinstance(data, dict) else {}


def encoded(data: Mapping[str, Any]) -> bytes:
    """JSON bytes; a Decimal becomes the number as it is written."""
    return msgspec.json.Encoder(decimal_format="number").encode(data)


def instant_of(text: str) -> datetime:
    """A FHIR instant; one without zone counts as UTC. Raises ValueError for anything else."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def written(instant: datetime) -> str:
    """An instant as this server writes it: UTC with milliseconds."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_milliseconds(instant: datetime) -> datetime:
    """Cut to what the server can write."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
