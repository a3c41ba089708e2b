"""A step of a subject through the study: consent, enrolment, end of a component, end of study, withdrawal, loss."""

from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class Disposition(Fact, frozen=True, kw_only=True):
    """A step of a subject through the study: consent, enrolment, end of a component, end of study, withdrawal, loss."""

    event: Annotated[str, column("what happened", codes=("consent", "screened", "screening_failure", "enrolled", "end_of_component", "end_of_study", "withdrawal", "lost_to_follow_up", "contact", "clinical_progression"), source="ResearchSubject, supplement disposition")]
    date: Annotated[PartialDate | None, column("when it happened")] = None
    component: Annotated[str | None, column("treatment component that ended: a drug concept or `radiotherapy`")] = None
    level: Annotated[str | None, column("what a withdrawal withdraws", codes=("treatment", "visits", "records"))] = None
    state: Annotated[str | None, column("subject state as the source writes it", source="ResearchSubject.status; R5 progress.subjectState")] = None
    arm: Annotated[str | None, column("arm as stated", source="ResearchSubject.assignedArm; R5 assignedComparisonGroup")] = None
    reason: Annotated[str | None, column("coded reason")] = None
