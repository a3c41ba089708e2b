"""What the page must know besides results: the protocol, the hospitals, what is open, and how old the data are."""

import msgspec

from fhir_adapter.core.conflicts import ConflictKind
from fhir_adapter.core.figures import Completeness, OpenConflict, Table
from fhir_adapter.core.study import Hospital, Protocol


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """The cut whose results a page shows; `waived` counts the open conflicts that were signed for.

    `program` is the version that computed it, `mappings_as_of` whether the mappings are those in force at `known_at`.
    """

    name: str
    digest: str
    known_at: str
    signed_by: str
    signed_at: str
    reason: str = ""
    waived: int = 0
    program: str = ""
    mappings_as_of: str = "known_at"


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that stands beside the results.

    `cutoff` (latest clinical date, or the cut's) and `generated` are texts, because time is an argument here;
    `known_at` is when the databases were last asked. `closed` counts settled conflicts by kind. `notice` is a sentence
    for the top of the page, for example that the data are rehearsal data. `frozen` is the cut that is shown; without
    one the page shows what is known now.
    """

    protocol: Protocol
    hospitals: dict[str, Hospital] = {}
    kinds: tuple[ConflictKind, ...] = ()
    conflicts: tuple[OpenConflict, ...] = ()
    closed: dict[str, int] = {}
    completeness: tuple[Completeness, ...] = ()
    cutoff: str = ""
    known_at: str = ""
    generated: str = ""
    version: str = ""
    notice: str = ""
    tables: tuple[Table, ...] = ()
    frozen: Frozen | None = None

    def kind(self, name: str) -> ConflictKind | None:
        """A kind of conflict by name; None for one that nobody described."""
        return next((one for one in self.kinds if one.name == name), None)

    def hospital_name(self, key: str) -> str:
        """A hospital's printed name; its key if it has no file."""
        found = self.hospitals.get(key)
        return found.name if found is not None else key
