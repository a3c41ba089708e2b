"""What the JSON interface takes and gives: the shapes that its OpenAPI document states."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fhir_adapter.desk import KINDS

Text = Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]*$")]
Short = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", examples=["00000000000000000000000000000000"])]
Number = Annotated[int, Field(ge=1, le=2_000_000_000)]


_CHOICES = sorted({one for kind in KINDS for one in kind.choices})
Choice = Annotated[str, Field(pattern=f"^({'|'.join(_CHOICES)})$")]
"""A choice that some kind of conflict has; which a conflict has, it says itself."""


class Shape(BaseModel):
    """Nothing that is not named; no value of a request in an error."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Refusal(Shape):
    """Why something was refused, and what to do."""

    detail: str


class Health(Shape):
    """That the desk answers."""

    status: Literal["ok"]
    version: str


class ConflictLine(Shape):
    """A conflict as the queue lists it; `seen` goes back with a decision about it."""

    key: str
    kind: str
    state: str
    blocking: bool
    owner: str
    subject: str
    hospitals: list[str]
    code: str
    occurrences: int
    message: str
    since: str
    assignee: str
    due: str
    query: str
    seen: int


class ConflictPage(Shape):
    """A page of the queue. `after` goes into the next question; none: that was the last page."""

    total: int
    conflicts: list[ConflictLine]
    after: str | None


class SideShown(Shape):
    """One side of a conflict: whose record, where in it, and what was read from it."""

    number: int
    hospital: str
    table: str
    fact: str
    record: str
    element: str
    standing: str
    values: dict[str, str]


class DecisionShown(Shape):
    """A decision as it was signed."""

    number: int
    choice: str
    value: str
    reason: str
    by: str
    at: str
    undoes: int | None
    in_force: bool


class ConflictWhole(Shape):
    """One conflict; `fingerprint` stands for the values in dispute and goes back with a decision."""

    conflict: ConflictLine
    fingerprint: str
    choices: list[str]
    sides: list[SideShown]
    decisions: list[DecisionShown]


class Decide(Shape):
    """A decision that is wanted. `seen` and `fingerprint`: as the conflict was shown, so that nobody is overruled
    unawares; `source`: the document that an override rests on; `everywhere`: of a code, at every hospital."""

    choice: Choice
    value: Text = ""
    reason: Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00]*\S[^\x00]*$")]
    seen: Annotated[int, Field(ge=0, le=2_000_000_000)]
    fingerprint: Annotated[str, Field(min_length=1, max_length=64)]
    source: Short = ""
    everywhere: bool = False


class TakeBack(Shape):
    """Why a decision is taken back."""

    reason: Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00]*\S[^\x00]*$")]


class Made(Shape):
    """What was signed, or proposed; `pending`: what follows from it is still being worked out."""

    decisions: list[int]
    proposal: int | None
    pending: bool


class RunShown(Shape):
    """A run: what was asked, what it counted by hospital, how it ended (exit codes: docs/jobs.md)."""

    number: int
    command: str
    hospitals: list[str]
    started_at: str
    ended_at: str | None
    exit_code: int | None
    counts: dict[str, Any]


class Runs(Shape):
    """The last runs, the newest first."""

    runs: list[RunShown]


class Results(Shape):
    """Headline numbers in words and tables, beside what they rest on, as of now or as a cut froze them.

    `faults`: what of a cut's folder is not as it was signed.
    """

    cutoff: str
    lines: dict[str, str]
    tables: list[dict[str, Any]]
    open_conflicts: int
    blocking_conflicts: int
    settling: int
    incomplete: list[str]
    faults: list[str]
