"""Who belongs to which analysis population, and who does not for which reason.

- screened: gave consent (enrolment and screening failure show it too).
- enrolled: registered; never a candidate, someone in screening, or a screening failure.
- treated, safety: any study treatment, also radiotherapy alone.
- evaluable: measurable disease at baseline, and an adequate assessment after it or progression or death before.
Source: endpoints.md §0.18, §9.
"""

import msgspec

from fhir_adapter.endpoints.baseline import Measured
from fhir_adapter.endpoints.conclusions import Population
from fhir_adapter.endpoints.frames import NOTHING, Ground, together
from fhir_adapter.endpoints.readings import EVALUABLE, Reading
from fhir_adapter.endpoints.treatment import Step

_WORDS = {
    "no_consent": "no consent is recorded", "screening_failure": "screening failure",
    "not_enrolled": "no enrolment is recorded", "not_treated": "no study treatment is recorded",
    "no_measurable_disease": "no target lesion at baseline", "no_baseline": "no baseline assessment",
    "no_assessment": "no adequate assessment, progression or death after the baseline",
}


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """What decides a subject's populations."""

    subject: str
    steps: list[Step]
    treated: bool
    treatment: Ground = NOTHING
    measured: Measured
    has_lesions: bool
    readings: list[Reading]
    died: bool
    doubted: Ground = NOTHING


def conclude(member: Member) -> list[Population]:
    """One row per population."""
    consent = _reason_not_screened(member)
    enrolled = _reason_not_enrolled(member)
    treated = enrolled if enrolled == "screening_failure" else None if member.treated else "not_treated"
    evaluable = treated or _reason_not_evaluable(member)
    reasons = {"screened": consent, "enrolled": enrolled, "treated": treated, "safety": treated,
               "evaluable": evaluable}
    return [_row(member, name, reason) for name, reason in reasons.items()]


def is_enrolled(steps: list[Step]) -> bool:
    """Whether a subject is registered in the trial."""
    return any(step.event == "enrolled" for step in steps)


def _reason_not_screened(member: Member) -> str | None:
    shown = {"consent", "screened", "screening_failure", "enrolled"}
    return None if shown & {step.event for step in member.steps} else "no_consent"


def _reason_not_enrolled(member: Member) -> str | None:
    if is_enrolled(member.steps):
        return None
    return "screening_failure" if any(step.event == "screening_failure" for step in member.steps) else "not_enrolled"


def _reason_not_evaluable(member: Member) -> str | None:
    if member.measured.group is None:
        return "no_baseline"
    if member.has_lesions and member.measured.targets == 0:
        return "no_measurable_disease"
    if member.died or any(one.overall in EVALUABLE for one in member.readings):
        return None
    return "no_assessment"


def _row(member: Member, name: str, reason: str | None) -> Population:
    wanted = {"screened": ("consent", "screened", "screening_failure", "enrolled"),
              "enrolled": ("enrolled", "screening_failure")}.get(name)
    whole = member.doubted
    if wanted is not None:
        whole = together([whole, *(step.ground for step in member.steps if step.event in wanted)])
    else:
        whole = whole | member.treatment
    if name == "evaluable":
        whole = together([whole, member.measured.ground, *(one.ground for one in member.readings[:1])])
    told = f"in the {name} population" if reason is None else f"not {name}: {_WORDS[reason]}"
    return Population(subject=member.subject, population=name, included=reason is None, reason=reason,
                      **whole.told(told))
