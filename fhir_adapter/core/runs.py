"""What a run did: counts that must add up, and what it ended with, hospital by hospital."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from fhir_adapter.core.errors import WHOLE, worst


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """The equation of DESIGN §5.3: fetched = outside + unchanged + repeated + unreadable + new; and

    new = mapped + waiting + ignored + quarantined, once the new versions are mapped.
    """

    fetched: int = 0
    outside: int = 0
    unchanged: int = 0
    repeated: int = 0
    unreadable: int = 0
    new: int = 0
    mapped: int = 0
    waiting: int = 0
    ignored: int = 0
    quarantined: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Counts of two parts of a run together."""
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    @property
    def pull_adds_up(self) -> bool:
        """Whether every fetched record is accounted for."""
        return self.fetched == self.outside + self.unchanged + self.repeated + self.unreadable + self.new

    @property
    def map_adds_up(self) -> bool:
        """Whether every new version is accounted for."""
        return self.new == self.mapped + self.waiting + self.ignored + self.quarantined


class HospitalOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one hospital's part of a run ended: its exit code, its counts and what a person should know.

    `asked` is the exit code of asking alone (None: it was not asked): what waits for a person does not make a
    hospital due again. `seconds` is how long asking and mapping took.
    """

    hospital: str
    code: int = WHOLE
    counts: Counts = Counts()
    messages: tuple[str, ...] = ()
    asked: int | None = None
    seconds: float = 0.0


class NotDue(msgspec.Struct, frozen=True, kw_only=True):
    """A hospital that a scheduled job left alone: until when, and why in words."""

    hospital: str
    until: datetime
    why: str


class RunOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended; `code` is the worst of its hospitals', or why it could not even begin (`failed`).

    `notes` concern no hospital and change no exit code; `skipped` were not due.
    """

    hospitals: tuple[HospitalOutcome, ...] = ()
    skipped: tuple[NotDue, ...] = ()
    notes: tuple[str, ...] = ()
    failed: int = WHOLE

    @property
    def code(self) -> int:
        """The exit code of the run."""
        return worst([self.failed, *(one.code for one in self.hospitals)])


class CompletenessRow(msgspec.Struct, frozen=True, kw_only=True):
    """Hospital x type: whether we have everything, and since when not."""

    hospital: str
    type: str
    mode: str
    whole_as_of: str | None
    open_since: str | None
    declared_gap: str = ""


Progress = Callable[[str, int, int], None]
"""Told about long work: what is being done, how much of it is done, how much there is (0: nobody knows)."""


def silent(what: str, done: int, total: int) -> None:
    """A Progress that says nothing."""
