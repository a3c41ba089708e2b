"""When study treatment began: the first dose of a study drug, the first study treatment of any kind.

First dose: the earliest dose above 0 of any study drug. Of each drug the best evidence counts (administered, else
stated, else dispensed; an order never starts a clock); a date that is not known to the day starts no clock.
Study radiotherapy starts within the days of `[radiotherapy] protocol`, counted from the first dose, without one from
enrolment. Source: endpoints.md §0.11, §0.12, §1, §12.
"""

from collections import defaultdict
from decimal import Decimal

import msgspec

from fhir_adapter.endpoints.frames import NOTHING, Ground, Row, Trial, day, ground, together, written

RANKS = ("administered", "stated", "dispensed")
"""Ranks of evidence that count, best first."""


class Dose(msgspec.Struct, frozen=True, kw_only=True):
    """One dose, or stated period, of a study drug; days are None when not known to the day.

    `partial`: the administration was stopped.
    """

    subject: str
    drug: str
    evidence: str
    start: int | None
    end: int | None
    open: bool
    milligrams: Decimal | None
    ground: Ground
    partial: bool = False


class FirstDose(msgspec.Struct, frozen=True, kw_only=True):
    """The first dose of a subject; `day` is None when there is none that is known to the day."""

    day: int | None = None
    evidence: str | None = None
    drug: str | None = None
    ground: Ground = NOTHING

    @property
    def told(self) -> str:
        """The first dose in words."""
        if self.day is None:
            return "no first dose of a study drug is known"
        flag = "" if self.evidence == "administered" else f" ({self.evidence}, not recorded as administered)"
        return f"first dose {written(self.day)}: {self.drug}{flag}"


def is_study_drug(trial: Trial, drug: str) -> bool:
    """Whether a drug concept is one of the trial's, by trial.toml or by its class."""
    return drug in trial.protocol.trial.study_drugs or trial.terms.term("drug", drug).get("class") == "study"


def doses(trial: Trial) -> dict[str, list[Dose]]:
    """Every subject's doses of study drugs, of each drug only those of its best evidence, in time order."""
    found: dict[tuple[str, str, str], list[Dose]] = defaultdict(list)
    for row in trial.rows("drug_administration"):
        if row.given and row.evidence in RANKS and row.drug and is_study_drug(trial, row.drug):
            found[row.subject, row.drug, row.evidence].append(_dose(row))
    best: dict[str, list[Dose]] = defaultdict(list)
    for subject, drug in sorted({key[:2] for key in found}):
        rank = next(rank for rank in RANKS if (subject, drug, rank) in found)
        best[subject].extend(found[subject, drug, rank])
    return {subject: sorted(some, key=lambda one: (one.start or 0, one.drug)) for subject, some in best.items()}


def omitted(trial: Trial) -> dict[str, dict[str, int]]:
    """Doses of study drugs that are recorded as not given, by subject and drug."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in trial.rows("drug_administration"):
        if not row.given and row.evidence == "administered" and row.drug and is_study_drug(trial, row.drug):
            found[row.subject][row.drug] += 1
    return found


def _dose(row: Row) -> Dose:
    start, end = day(row.start_date), day(row.end_date)
    return Dose(
        subject=row.subject, drug=row.drug, evidence=row.evidence, start=start, end=start if end is None else end,
        open=row.end_date is None and row.evidence != "administered",
        milligrams=None if row.dose_mg is None else Decimal(row.dose_mg), ground=ground("drug_administration", row),
        partial=row.status == "stopped",
    )


def first_dose(given: list[Dose]) -> FirstDose:
    """The earliest dose of a subject that is known to the day; a tie goes to the better evidence."""
    known = [(dose.start, RANKS.index(dose.evidence), dose.drug, dose) for dose in given if dose.start is not None]
    if not known:
        return FirstDose(ground=together(dose.ground for dose in given))
    first = min(known, key=lambda one: one[:3])[3]
    return FirstDose(day=first.start, evidence=first.evidence, drug=first.drug, ground=first.ground)


class Step(msgspec.Struct, frozen=True):
    """A dated step of a subject through the study; `day` is the first day that its date can be."""

    event: str
    day: int | None
    component: str | None
    level: str | None
    ground: Ground


def steps(trial: Trial) -> dict[str, list[Step]]:
    """Every subject's steps through the study (consent, enrolment, ends, contacts)."""
    from fhir_adapter.endpoints.frames import first_day

    found: dict[str, list[Step]] = defaultdict(list)
    for row in trial.rows("disposition"):
        found[row.subject].append(
            Step(row.event, first_day(row.date), row.component, row.level, ground("disposition", row))
        )
    return dict(found)


def earliest(given: list[Step], event: str) -> Step | None:
    """A subject's first step of that kind; one without a date only if no other has one."""
    some = [step for step in given if step.event == event]
    return min(some, key=lambda step: (step.day is None, step.day or 0, sorted(step.ground.refs)), default=None)
