"""A hospital's other records, for mappers that follow references."""

import msgspec

from fhir_adapter.store.records import Kind
from fhir_adapter.store.vault import Vault

KEPT = 2000
"""So many bodies are held: a patient's lesions and drugs are asked for again and again, then no more."""


class _Identifier(msgspec.Struct):
    value: str = ""


class _Named(msgspec.Struct):
    identifier: list[_Identifier] = []


class Lookup:
    """The records of one hospital as the vault has them now. Bodies are held while they may be asked for again."""

    def __init__(self, vault: Vault, hospital: str) -> None:
        self.vault, self.hospital = vault, hospital
        self._bodies: dict[str, bytes | None] = {}
        self._identified: dict[str, dict[str, list[str]]] = {}

    def noting(self, needs: set[str]) -> "NotedLookup":
        """The same records, each look remembered in `needs`."""
        return NotedLookup(self, needs)

    def key(self, type: str, id: str) -> str:
        """The opaque key of a record."""
        return self.vault.key(self.hospital, type, id)

    def body(self, key: str) -> bytes | None:
        """The bytes of a record's head; None if it is unknown or gone."""
        if key not in self._bodies:
            if len(self._bodies) >= KEPT:
                self._bodies.clear()
            head = self.vault.head_of(key)
            self._bodies[key] = head.body if head is not None and head.kind == Kind.CONTENT else None
        return self._bodies[key]

    def identified(self, type: str) -> dict[str, list[str]]:
        """Keys of all records of a type, by the value of each of their business identifiers."""
        if type not in self._identified:
            found: dict[str, list[str]] = {}
            for one in self.vault.ids(self.hospital, type):
                key = self.key(type, one)
                body = self.body(key)
                for value in _values(body) if body is not None else ():
                    found.setdefault(value, []).append(key)
            self._identified[type] = found
        return self._identified[type]


class NotedLookup:
    """Records asked through one mapping (domains.reading.Records)."""

    def __init__(self, lookup: Lookup, needs: set[str]) -> None:
        self._lookup, self._needs = lookup, needs

    def key(self, type: str, id: str) -> str:
        """The opaque key of a record of this hospital, whether or not we have it."""
        return self._lookup.key(type, id)

    def body(self, type: str, id: str) -> bytes | None:
        """The bytes of the record's current version; None if it is unknown or deleted."""
        key = self._lookup.key(type, id)
        self._needs.add(key)
        return self._lookup.body(key)

    def keys_of_identifier(self, type: str, value: str) -> tuple[str, ...]:
        """Keys of this hospital's records of a type that carry a business identifier of that value."""
        found = tuple(sorted(self._lookup.identified(type).get(value, ())))
        self._needs.update(found)
        return found


def _values(body: bytes) -> list[str]:
    try:
        return [one.value for one in msgspec.json.decode(body, type=_Named).identifier if one.value]
    except msgspec.MsgspecError:
        return []
