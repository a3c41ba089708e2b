"""A step of a subject through the study: consent, enrolment, end of a component, end of study, withdrawal, loss."""

from collections.abc import Iterator
from typing import Annotated, Any

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, Ignored, column
from fhir_adapter.domains.enrolment import ENDED, ENROLLED, NOT_ENROLLED, SCREENED, WITHDRAWN
from fhir_adapter.domains.reading import Reading
from fhir_adapter.domains.signed_row import SignedRow
from fhir_adapter.fhir.elements import date_of
from fhir_adapter.fhir.research_subject import Progress, ResearchSubject
from fhir_adapter.fhir.sheet import Sheet


class Disposition(Fact, frozen=True, kw_only=True):
    """A step of a subject through the study: consent, enrolment, end of a component, end of study, withdrawal, loss."""

    event: Annotated[
        str,
        column(
            "what happened",
            codes=(
                "consent", "screened", "screening_failure", "enrolled", "end_of_component", "end_of_study",
                "withdrawal", "lost_to_follow_up", "contact", "clinical_progression",
            ),
            source="ResearchSubject, supplement disposition",
        ),
    ]
    date: Annotated[PartialDate | None, column("when it happened")] = None
    component: Annotated[str | None, column("treatment component that ended: a drug concept or `radiotherapy`")] = None
    level: Annotated[str | None, column("what a withdrawal withdraws", codes=("treatment", "visits", "records"))] = None
    state: Annotated[
        str | None,
        column("subject state as the source writes it", source="ResearchSubject.status; R5 progress.subjectState"),
    ] = None
    arm: Annotated[
        str | None,
        column("arm as stated", source="ResearchSubject.assignedArm; R5 assignedComparisonGroup"),
    ] = None
    reason: Annotated[str | None, column("coded reason")] = None


SHEET_EVENTS = ("consent", "screening_failure", "enrolled", "end_of_component", "end_of_study", "withdrawal",
                "lost_to_follow_up", "contact", "clinical_progression", "death")
LEVELS = ("treatment", "visits", "records")


def read(resource: ResearchSubject | Sheet, reading: Reading) -> Iterator[Any]:
    """The steps of a ResearchSubject (R5: its progress), and the disposition sheet but for deaths."""
    if isinstance(resource, Sheet):
        if resource.sheet == "disposition" and resource.cell("event") != "death":
            yield from _read_sheet(resource, reading)
        return
    enrolled = False
    found = False
    for index, step in enumerate(resource.steps(reading.version)):
        element = f"progress[{index}]" if reading.version == "R5" else "status"
        for event, written in events(step, first=not enrolled):
            enrolled = enrolled or event == "enrolled"
            found = True
            yield Disposition(element=element, index=int(event in ("end_of_study", "withdrawal")), event=event,
                              date=date_of(written), state=step.state, arm=resource.arm)
            if event == "withdrawal":
                yield reading.doubt("withdrawal_level_open", "withdrawn: from treatment, visits or records?", element)
    if not found:
        yield Ignored("no_subject_state" if resource.state(reading.version) is None else "not_enrolled")


def events(step: Progress, *, first: bool) -> Iterator[tuple[str, str | None]]:
    """What one step says, with its date as written: `first` is whether nobody said `enrolled` yet.

    A person off study was on it: with one step only (STU3, R4) its start is the enrolment and its end the end.
    Somebody withdrawn was enrolled only if the source dates a beginning.
    """
    state = step.state or ""
    if state in SCREENED:
        yield "screened", step.start_date
    elif state in NOT_ENROLLED:
        yield "screening_failure", step.start_date
    elif state in ENROLLED and first:
        yield "enrolled", step.start_date
    elif state in ENDED:
        if first:
            yield "enrolled", step.start_date
        yield "end_of_study", step.end_date if first else step.start_date
    elif state == WITHDRAWN:
        if first and step.start_date is not None:
            yield "enrolled", step.start_date
        yield "withdrawal", step.end_date if first else step.start_date


def _read_sheet(resource: Sheet, reading: Reading) -> Iterator[Any]:
    row = SignedRow(resource, reading)
    event = row.one_of("event", SHEET_EVENTS) or ""
    when = row.day("date", required=True)
    level = row.word("level", LEVELS)
    component = row.filled("component") if event == "end_of_component" else row.text("component")
    row.signed()
    if row.problems:
        yield from row.problems
        return
    yield Disposition(element="row", event=event, date=when, component=component, level=level,
                      reason=row.text("reason"))
    if event == "withdrawal" and level is None:
        yield reading.doubt("withdrawal_level_open", "withdrawn: from treatment, visits or records?", "row")


DOMAIN = Domain(
    name="disposition", fact=Disposition, title="Steps of a subject through the study",
    reads=("ResearchSubject", "Sheet"), read=read, same=("event", "component"), agree=("date",),
)
