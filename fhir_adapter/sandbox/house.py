"""What all rooms of a rehearsal hospital share: its records, its persona, its clock and its seed."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from fhir_adapter.sandbox.auth import Guard
from fhir_adapter.sandbox.parameters import known_types
from fhir_adapter.sandbox.persona import Faults, Persona
from fhir_adapter.sandbox.store import Store

BASE = "/fhir"
TOKEN = "/auth/token"  # noqa: S105 - an address


@dataclass(frozen=True)
class Place:
    """Where a hospital stands: its FHIR version, its origin, and the other origin that it sends some callers to."""

    version: str
    origin: str
    annex: str
    strict: bool = False
    seed: int = 0


@dataclass
class House:
    """One hospital. `hidden`: records that this client may no longer see, with the status of a direct read."""

    place: Place
    store: Store
    guard: Guard
    persona: Persona
    clock: Callable[[], datetime]
    hidden: dict[tuple[str, str], int] = field(default_factory=dict)
    poison: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.origin = self.place.origin
        self.seed = self.place.seed
        self.faults = Faults(self.persona.faults)

    @property
    def base_url(self) -> str:
        """The FHIR base address."""
        return self.origin + BASE

    def play(self, persona: Persona) -> None:
        """From now on it behaves like this; faults are counted anew."""
        self.persona = persona
        self.faults = Faults(persona.faults)

    def types(self) -> list[str]:
        """Every type that this hospital has."""
        return sorted({*known_types(self.place.version), *self.store.types()} - self.persona.missing)

    def chance(self, *what: object) -> int:
        """A number that depends on the seed and on these words alone."""
        return chance(self.seed, *what)

    def is_poison(self, type_: str, id_: str) -> bool:
        """Whether this record can never be answered."""
        records = self.persona.records
        return f"{type_}/{id_}" in records.poison | self.poison or self.one_of(records.poison_every, type_, id_)

    def one_of(self, every: int, *what: object) -> bool:
        """Whether this is one of so many; never for 0."""
        return every > 0 and self.chance(every, *what) % every == 0


def chance(seed: int, *what: object) -> int:
    """A number that depends on the seed and on these words alone."""
    return int.from_bytes(hashlib.sha256("|".join(map(str, (seed, *what))).encode()).digest()[:6])
