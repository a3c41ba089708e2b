"""ResearchSubject: whose state R5 keeps in `progress`, no longer in `status` (profiles.md §1.5)."""

from typing import ClassVar, Literal

from fhir_adapter.fhir.elements import CodeableConcept, Element, Identifier, Period, Reference, Refusal, Resource

R5_STATUS = ("draft", "active", "retired", "unknown")
"""R5's status of the record (a publication status), never the subject's state."""


class Progress(Element, frozen=True, kw_only=True):
    """R5: one step of a subject through the study."""

    type: CodeableConcept | None = None
    subject_state: CodeableConcept | None = None
    milestone: CodeableConcept | None = None
    reason: CodeableConcept | None = None
    start_date: str | None = None
    end_date: str | None = None

    @property
    def state(self) -> str | None:
        """The state's code, in lower case; None if the step names none."""
        coding = self.subject_state.coding if self.subject_state is not None else ()
        return next((c.code.lower() for c in coding if c.code), None)


class ResearchSubject(Resource, frozen=True, kw_only=True):
    """A person's part in a study."""

    ONLY: ClassVar[dict[str, tuple[str, ...]]] = {
        "individual": ("STU3", "R4"), "subject": ("R5",), "progress": ("R5",),
        "assigned_arm": ("STU3", "R4"), "actual_arm": ("STU3", "R4"),
        "assigned_comparison_group": ("R5",), "actual_comparison_group": ("R5",),
    }

    status: Literal[
        "candidate", "enrolled", "active", "suspended", "withdrawn", "completed",
        "eligible", "follow-up", "ineligible", "not-registered", "off-study", "on-study", "on-study-intervention",
        "on-study-observation", "pending-on-study", "potential-candidate", "screening",
        "draft", "retired", "unknown", "entered-in-error",
    ]
    identifier: tuple[Identifier, ...] | Identifier = ()
    period: Period | None = None
    study: Reference | None = None
    individual: Reference | None = None
    subject: Reference | None = None
    assigned_arm: str | None = None
    actual_arm: str | None = None
    assigned_comparison_group: str | None = None
    actual_comparison_group: str | None = None
    progress: tuple[Progress, ...] = ()

    def __post_init__(self) -> None:
        """A research subject is somebody."""
        if self.individual is None and self.subject is None:
            raise Refusal("missing_element", "individual (R5: subject) is missing")

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        """Its numbers: one object in STU3, a list since."""
        return (self.identifier,) if isinstance(self.identifier, Identifier) else self.identifier

    @property
    def person(self) -> Reference | None:
        """Who it is: `individual`, in R5 `subject`."""
        return self.individual or self.subject

    @property
    def arm(self) -> str | None:
        """The arm as stated: the actual one, else the assigned one."""
        return self.actual_arm or self.assigned_arm or self.actual_comparison_group or self.assigned_comparison_group

    def steps(self, version: str) -> tuple[Progress, ...]:
        """The subject's steps: R5's `progress`, or the one step that the status of other versions tells.

        In R5 a step without state (a milestone only) is a step too.
        """
        if version == "R5":
            return self.progress
        period = self.period or Period()
        return (
            Progress(
                subject_state=CodeableConcept.of(self.status), start_date=period.start, end_date=period.end,
            ),
        )

    def state(self, version: str) -> str | None:
        """The subject's state now; None if R5 tells none.

        Of R5's steps the one without an end holds, the latest started if there are several; else the latest started.
        Steps without a start date come before all others, in their order.
        """
        if version != "R5":
            return self.status
        stated = [step for step in self.progress if step.state is not None]
        running = [step for step in stated if step.end_date is None] or stated
        last = max(enumerate(running), key=lambda pair: (pair[1].start_date or "", pair[0]), default=None)
        return None if last is None else last[1].state
