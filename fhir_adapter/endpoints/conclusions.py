"""What is concluded: the tables that endpoints fill, column by column.

Every conclusion ends with `why` (words), `provisional`, `held_kinds` and `facts`: the value explains itself, says
whether an open conflict may still change it, and names the facts that decided it. Dates are text (`YYYY-MM-DD`, partial
where the source was partial and nothing was imputed), lengths whole micrometres, spans whole days.
"""

from decimal import Decimal
from typing import Annotated

import msgspec

from fhir_adapter.core.facts import column
from fhir_adapter.endpoints.conclusion_columns import (
    ENDPOINTS,
    EVALUATORS,
    RESPONSES,
    SOURCES,
    UNIRRADIATED,
    Evaluator,
    Facts,
    HeldKinds,
    Provisional,
    Subject,
    Why,
)
from fhir_adapter.endpoints.immune_conclusions import ImmuneBestResponse, ImmuneTimePoint
from fhir_adapter.endpoints.safety_conclusions import AeEpisode, Exposure, LabToxicity

__all__ = ["ALL", "EVALUATORS", "RESPONSES", "AeEpisode", "AliveEvidence", "AssessmentCompliance", "Baseline",
           "BestResponse", "Conclusion", "Exposure", "ImmuneBestResponse", "ImmuneTimePoint", "LabToxicity",
           "Population", "TimePoint", "TimeToEvent", "Treatment"]

class Baseline(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The last complete tumour assessment on or before the first study treatment, and who the subject was then."""

    subject: Subject
    evaluator: Evaluator
    date: Annotated[
        str | None, column("first scan of the baseline assessment; none: there is no baseline", source="RECIST 1.1 §4")
    ] = None
    last_date: Annotated[str | None, column("last scan of the baseline assessment")] = None
    sum_um: Annotated[int | None, column("baseline sum of diameters", unit="um")] = None
    targets: Annotated[int, column("target lesions in the sum")] = 0
    non_targets: Annotated[int, column("lesions known at baseline that are not targets")] = 0
    deviation: Annotated[
        str | None,
        column("why a baseline called so by its source is out of the window", codes=("too_old", "after_start")),
    ] = None
    age: Annotated[int | None, column("year of the first dose minus year of birth", unit="years")] = None
    birth_year: Annotated[int | None, column("year of birth")] = None
    sex: Annotated[str | None, column("sex as administered", codes=("female", "male", "other", "unknown"))] = None
    histology: Annotated[str | None, column("histology concept of the cancer")] = None
    stage: Annotated[str | None, column("stage group as stated")] = None
    braf: Annotated[str | None, column("latest BRAF result as stated")] = None
    pdl1: Annotated[str | None, column("latest PD-L1 result as stated")] = None
    pdl1_percent: Annotated[Decimal | None, column("the same as a number, if it is one", unit="percent")] = None
    ecog: Annotated[int | None, column("last ECOG on or before the first study treatment")] = None
    enrolled: Annotated[str | None, column("day of enrolment")] = None
    first_dose: Annotated[str | None, column("first dose above 0 of any study drug")] = None
    first_dose_evidence: Annotated[
        str | None, column("rank of the evidence of the first dose", codes=("administered", "stated", "dispensed"))
    ] = None
    first_treatment: Annotated[str | None, column("first study treatment of any kind, radiotherapy included")] = None
    why: Why
    provisional: Provisional
    held_kinds: HeldKinds
    facts: Facts


class Population(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Whether a subject belongs to a population, and if not, why not."""

    subject: Subject
    population: Annotated[
        str, column("analysis population", codes=("screened", "enrolled", "treated", "safety", "evaluable"))
    ]
    included: Annotated[bool, column("whether the subject belongs to it")]
    reason: Annotated[
        str | None,
        column(
            "why the subject is excluded, as a code; empty for a member",
            codes=(
                "no_consent",
                "screening_failure",
                "not_enrolled",
                "not_treated",
                "no_measurable_disease",
                "no_baseline",
                "no_assessment",
            ),
        ),
    ] = None
    why: Why
    provisional: Provisional
    held_kinds: HeldKinds
    facts: Facts


class TimePoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One tumour assessment of one evaluator: scans that belong together, and the response they give."""

    subject: Subject
    evaluator: Evaluator
    source: Annotated[str, column("computed from lesions, or as reported by the reader", codes=SOURCES)]
    number: Annotated[int, column("0 is the baseline, later ones count from 1; earlier ones are negative")]
    visit: Annotated[str | None, column("visit as stated")] = None
    grouping: Annotated[str, column("what binds the scans together", codes=("visit", "window", "days"))]
    date: Annotated[str, column("first scan")]
    last_date: Annotated[str, column("last scan")]
    progression_date: Annotated[
        str | None, column("day on which progression counts; empty without progression", source="endpoints.md §0.1")
    ] = None
    censor_date: Annotated[str, column("day on which a censoring counts: last target measurement, else last scan")]
    sum_um: Annotated[
        int | None, column("sum of diameters of the targets; empty when none was measured", unit="um")
    ] = None
    complete: Annotated[bool, column("whether every target of the baseline is in the sum")] = False
    baseline_um: Annotated[int | None, column("baseline sum", unit="um")] = None
    nadir_um: Annotated[int | None, column("smallest complete sum before this one, baseline included", unit="um")] = (
        None
    )
    change_permille: Annotated[
        int | None, column("change of a complete sum from baseline, rounded half up", unit="permille")
    ] = None
    target: Annotated[str | None, column("response of the targets", codes=("CR", "PR", "SD", "PD", "NE", "NONE"))] = (
        None
    )
    non_target: Annotated[
        str | None, column("response of the other lesions", codes=("CR", "NON-CR/NON-PD", "PD", "NE", "NONE"))
    ] = None
    new_lesion: Annotated[str, column("new lesion", codes=("unequivocal", "equivocal", "none", "not stated"))] = (
        "not stated"
    )
    overall: Annotated[str | None, column("overall response; empty at and before the baseline", codes=RESPONSES)] = None
    chosen: Annotated[
        bool, column("whether this source is the one analysed for the subject", source="endpoints.md §0.4")
    ] = False
    discordant: Annotated[bool, column("whether the other source has another overall response here")] = False
    why: Why
    provisional: Provisional
    held_kinds: HeldKinds
    facts: Facts


class BestResponse(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The best overall response of one series, confirmed and unconfirmed."""

    subject: Subject
    evaluator: Evaluator
    source: Annotated[
        str,
        column("computed from lesions, as reported by the reader, or from lesions without irradiated targets",
               codes=(*SOURCES, UNIRRADIATED)),
    ]
    confirmed: Annotated[bool, column("whether CR and PR need confirmation")]
    headline: Annotated[bool, column("whether this is the row that is counted for the subject")]
    chosen: Annotated[bool, column("whether this source is the one analysed for this reader")] = False
    value: Annotated[str, column("best overall response", codes=RESPONSES)]
    date: Annotated[str | None, column("first assessment that gives the value")] = None
    reason: Annotated[
        str | None,
        column("why it is NE, as a code", codes=("no_assessment", "no_baseline", "not_evaluable", "too_early")),
    ] = None
    first_response_date: Annotated[
        str | None,
        column("first CR or PR (of the earliest confirmed response); empty for others", source="endpoints.md §0.9"),
    ] = None
    best_change_permille: Annotated[
        int | None,
        column("smallest change of a complete sum from baseline up to progression or new therapy", unit="permille"),
    ] = None
    controlled_days: Annotated[
        int | None,
        column("start to the last CR, PR, SD or NON-CR/NON-PD that counts; empty without one", unit="days"),
    ] = None
    why: Why
    provisional: Provisional
    held_kinds: HeldKinds
    facts: Facts


class TimeToEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One endpoint on one subject's clock: start, end, and whether the end is the event."""

    subject: Subject
    endpoint: Annotated[str, column("endpoint", codes=ENDPOINTS)]
    rule: Annotated[
        str, column("censoring rules; empty where there is only one way", codes=("treatment_policy", "table_a", ""))
    ]
    headline: Annotated[bool, column("whether this is the row that is analysed")]
    evaluator: Annotated[
        str, column("whose readings; empty where no reading decides", codes=(*EVALUATORS, ""))
    ] = ""
    source: Annotated[str | None, column("which readings", codes=SOURCES)] = None
    start: Annotated[str | None, column("day on which the clock starts")] = None
    date: Annotated[str | None, column("day of the event or of the censoring; empty when undetermined")] = None
    status: Annotated[str, column("what happened on that day", codes=("event", "censored", "undetermined"))]
    days: Annotated[int | None, column("date minus start, plus one if day one counts", unit="days")] = None
    reason: Annotated[
        str,
        column(
            "what decided, as a code",
            codes=(
                "progression",
                "clinical_progression",
                "death",
                "response",
                "no_start",
                "no_baseline",
                "no_assessment",
                "missed_assessments",
                "new_therapy",
                "discontinuation",
                "last_assessment",
                "last_alive",
                "no_contact",
                "cutoff",
                "no_schedule",
                "radiotherapy_only",
            ),
        ),
    ]
    imputed: Annotated[str | None, column("what of the date was imputed", codes=("day", "month", "date"))] = None
    cause: Annotated[
        str | None,
        column("stated cause of a death (OS only)", codes=("disease", "toxicity", "other", "unknown")),
    ] = None
    why: Why
    provisional: Provisional
    held_kinds: HeldKinds
    facts: Facts


class Treatment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One treatment of the cancer, or around it, and what it was for."""

    subject: Subject
    number: Annotated[int, column("counts the subject's treatments in time order; those without a day first")]
    kind: Annotated[str, column("kind of treatment", codes=("drug", "radiotherapy", "surgery", "other"))]
    therapy: Annotated[str, column("drug or procedure concept, or the irradiated site; may be empty")]
    role: Annotated[
        str,
        column("what it was for", codes=("prior", "study", "subsequent", "supportive", "unknown"),
               source="endpoints.md §0.11"),
    ]
    stated: Annotated[bool, column("whether a source, a sheet or a decision states the role")] = False
    start: Annotated[str | None, column("first day that its start can be")] = None
    end: Annotated[str | None, column("last day that its end can be")] = None
    why: Why
    provisional: Provisional
    held_kinds: HeldKinds
    facts: Facts


class AliveEvidence(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The latest day on which one kind of record proves that the subject was alive."""

    subject: Subject
    kind: Annotated[str, column("what proves it: the fact table, or the step of the subject through the study")]
    date: Annotated[str, column("latest day proved by this kind")]
    latest: Annotated[bool, column("whether no other kind proves a later day")]
    why: Why
    provisional: Provisional
    held_kinds: HeldKinds
    facts: Facts


class AssessmentCompliance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One planned tumour assessment and whether it took place."""

    subject: Subject
    number: Annotated[int, column("counts the planned assessments from 1")]
    due: Annotated[str, column("planned day")]
    due_from: Annotated[str, column("first day of its window")]
    due_to: Annotated[str, column("last day of its window")]
    done: Annotated[str | None, column("day of the assessment that fills it")] = None
    state: Annotated[str, column("what became of it", codes=("done", "early", "late", "missed", "not_due"))]
    why: Why
    provisional: Provisional
    held_kinds: HeldKinds
    facts: Facts


class Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    """One conclusion table: its name, the record that declares its columns, its primary key, its title."""

    name: str
    record: type[msgspec.Struct]
    key: tuple[str, ...]

    @property
    def title(self) -> str:
        """The first line of the record's docstring."""
        return (self.record.__doc__ or "").strip().splitlines()[0]


ALL: tuple[Conclusion, ...] = (
    Conclusion(name="baseline", record=Baseline, key=("subject", "evaluator")),
    Conclusion(name="population", record=Population, key=("subject", "population")),
    Conclusion(name="time_point", record=TimePoint, key=("subject", "evaluator", "source", "number")),
    Conclusion(name="best_response", record=BestResponse, key=("subject", "evaluator", "source", "confirmed")),
    Conclusion(name="time_to_event", record=TimeToEvent, key=("subject", "endpoint", "rule", "evaluator")),
    Conclusion(name="immune_time_point", record=ImmuneTimePoint, key=("subject", "evaluator", "number")),
    Conclusion(name="immune_best_response", record=ImmuneBestResponse, key=("subject", "evaluator", "confirmed")),
    Conclusion(name="treatment", record=Treatment, key=("subject", "number")),
    Conclusion(name="alive_evidence", record=AliveEvidence, key=("subject", "kind")),
    Conclusion(name="ae_episode", record=AeEpisode, key=("subject", "number")),
    Conclusion(name="exposure", record=Exposure, key=("subject", "treatment")),
    Conclusion(name="lab_toxicity", record=LabToxicity, key=("subject", "number")),
    Conclusion(name="assessment_compliance", record=AssessmentCompliance, key=("subject", "number")),
)
"""Every conclusion table, in the order in which they are derived."""
