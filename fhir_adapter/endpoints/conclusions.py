"""What is concluded: the tables that endpoints fill, column by column.

Every conclusion ends with `why` (words), `provisional`, `held_kinds` and `facts`: the value explains itself, says
whether an open conflict may still change it, and names the facts that decided it. Dates are text (`YYYY-MM-DD`, partial
where the source was partial and nothing was imputed), lengths whole micrometres, spans whole days.
"""

from decimal import Decimal
from typing import Annotated

import msgspec

from fhir_adapter.core.facts import column

EVALUATORS = ("investigator", "central 1", "central 2", "adjudicator")
RESPONSES = ("CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE", "NED")
_SOURCES = ("lesions", "reported")

Subject = Annotated[str, column("trial number of the subject")]
Evaluator = Annotated[str, column("role of the reader whose series this is", codes=EVALUATORS)]
Why = Annotated[str, column("the reason in words")]
Provisional = Annotated[bool, column("whether an open conflict may still change the value")]
HeldKinds = Annotated[str, column("kinds of the open conflicts involved, a JSON list")]
Facts = Annotated[str, column("the facts that decided the value, a sorted JSON list of table:fact_key")]


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
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


class Population(msgspec.Struct, frozen=True, kw_only=True):
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


class TimePoint(msgspec.Struct, frozen=True, kw_only=True):
    """One tumour assessment of one evaluator: scans that belong together, and the response they give."""

    subject: Subject
    evaluator: Evaluator
    source: Annotated[str, column("computed from lesions, or as reported by the reader", codes=_SOURCES)]
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


class BestResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The best overall response of one series, confirmed and unconfirmed."""

    subject: Subject
    evaluator: Evaluator
    source: Annotated[str, column("computed from lesions, or as reported by the reader", codes=_SOURCES)]
    confirmed: Annotated[bool, column("whether CR and PR need confirmation")]
    headline: Annotated[bool, column("whether this is the row that is counted for the subject")]
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
    why: Why
    provisional: Provisional
    held_kinds: HeldKinds
    facts: Facts


class TimeToEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint on one subject's clock: start, end, and whether the end is the event."""

    subject: Subject
    endpoint: Annotated[str, column("endpoint", codes=("PFS", "OS", "DOR", "TTR"))]
    rule: Annotated[
        str, column("censoring rules; empty where there is only one way", codes=("treatment_policy", "table_a", ""))
    ]
    headline: Annotated[bool, column("whether this is the row that is analysed")]
    evaluator: Annotated[str | None, column("whose readings", codes=EVALUATORS)] = None
    source: Annotated[str | None, column("which readings", codes=_SOURCES)] = None
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
    why: Why
    provisional: Provisional
    held_kinds: HeldKinds
    facts: Facts


class AliveEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """The latest day on which one kind of record proves that the subject was alive."""

    subject: Subject
    kind: Annotated[str, column("what proves it: the fact table, or the step of the subject through the study")]
    date: Annotated[str, column("latest day proved by this kind")]
    latest: Annotated[bool, column("whether no other kind proves a later day")]
    why: Why
    provisional: Provisional
    held_kinds: HeldKinds
    facts: Facts


class AeEpisode(msgspec.Struct, frozen=True, kw_only=True):
    """One adverse event record and the analysis sets it belongs to."""

    subject: Subject
    number: Annotated[int, column("counts the subject's events by onset")]
    episode: Annotated[
        int, column("counts the subject's episodes: records of one term that touch or overlap are one episode")
    ]
    term: Annotated[str, column("CTCAE term; the reported words if no code leads to one; `not coded` without words")]
    coded: Annotated[bool, column("whether the term is a CTCAE term")]
    soc: Annotated[str, column("system organ class; `not coded` without one")]
    ctcae: Annotated[str, column("CTCAE version of the grade")]
    grade: Annotated[int | None, column("CTCAE grade 1 to 5; missing stays missing")] = None
    grade_exists: Annotated[
        bool | None,
        column("whether the term has this grade in its CTCAE version; empty without a grade, a code or that version"),
    ] = None
    onset: Annotated[str | None, column("onset, as precisely as known")] = None
    onset_day: Annotated[
        int | None, column("study day of the onset; the first study treatment is day 1", unit="days")
    ] = None
    end: Annotated[str | None, column("end, as precisely as known; empty while it goes on")] = None
    serious: Annotated[bool | None, column("serious: the flag or any criterion")] = None
    fatal: Annotated[bool, column("outcome fatal or grade 5")] = False
    related: Annotated[bool | None, column("related to any study component; empty when none is judged")] = None
    related_to: Annotated[str, column("components judged related, a JSON list")] = "[]"
    actions: Annotated[str, column("actions taken, a JSON list of component:action")] = "[]"
    immune_related: Annotated[
        bool | None, column("whether mappings/terms/immune_related.csv lists the term; empty while nobody filled it")
    ] = None
    continues: Annotated[
        bool, column("goes on from before the first study treatment without a higher grade: not emergent")
    ] = False
    in_registered: Annotated[bool, column("first study treatment to end of follow-up", source="endpoints.md §0.19")] = (
        False
    )
    in_teae: Annotated[
        bool, column("first study treatment to last component + 30 days, or worse then than before it",
                     source="endpoints.md §0.19, §10")
    ] = False
    in_extended: Annotated[
        bool, column("serious or immune-related, to last component + 90 days", source="endpoints.md §0.19")
    ] = False
    radiotherapy_phase: Annotated[
        str | None, column("acute up to 90 days after the last fraction, else late", codes=("acute", "late"))
    ] = None
    why: Why
    provisional: Provisional
    held_kinds: HeldKinds
    facts: Facts


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What a subject received of one study treatment."""

    subject: Subject
    treatment: Annotated[str, column("drug concept, or `radiotherapy`")]
    evidence: Annotated[
        str | None, column("best rank of the evidence", codes=("administered", "stated", "dispensed"))
    ] = None
    doses: Annotated[int, column("doses given, or stated periods; for radiotherapy courses")] = 0
    doses_unknown: Annotated[int, column("of these without a known amount")] = 0
    doses_partial: Annotated[int, column("of these stopped before their end")] = 0
    doses_omitted: Annotated[int, column("recorded as not given, or given as 0; not in `doses`")] = 0
    cycles: Annotated[
        int | None, column("cycles begun; empty without a regimen, or when doses were not recorded as administered")
    ] = None
    total_mg: Annotated[Decimal | None, column("sum of known doses; empty if none is known", unit="mg")] = None
    first_date: Annotated[str | None, column("first dose or fraction")] = None
    last_date: Annotated[str | None, column("last dose or fraction")] = None
    duration_days: Annotated[int | None, column("last minus first plus one planned interval", unit="days")] = None
    intensity: Annotated[Decimal | None, column("total / duration; empty if an amount is unknown", unit="mg/week")] = (
        None
    )
    relative_intensity: Annotated[
        Decimal | None, column("intensity / planned intensity: doses and delays count", unit="percent")
    ] = None
    planned_mg: Annotated[Decimal | None, column("planned doses of the cycles begun", unit="mg")] = None
    dose_percent: Annotated[
        Decimal | None,
        column("total / planned total of the cycles begun, delays do not count (admiral's `doseint`)", unit="percent"),
    ] = None
    dose_cgy: Annotated[
        Decimal | None, column("highest volume of one level of one course, physical dose delivered", unit="cGy")
    ] = None
    fractions: Annotated[int | None, column("fractions delivered to that volume", unit="fractions")] = None
    level: Annotated[
        str | None, column("level of the records that gave the dose", codes=("course", "phase", "fraction"))
    ] = None
    eqd2_gy: Annotated[Decimal | None, column("equivalent dose in 2-Gy fractions", unit="Gy")] = None
    bed_gy: Annotated[Decimal | None, column("biologically effective dose", unit="Gy")] = None
    alpha_beta: Annotated[int | None, column("alpha/beta used for eqd2_gy and bed_gy", unit="Gy")] = None
    courses: Annotated[
        str | None,
        column("each course of radiotherapy: site, days, level, dose_cgy, fractions, eqd2_gy, bed_gy; a JSON list"),
    ] = None
    at_least_subgroup: Annotated[
        str | None,
        column(
            "whether the dose reaches the subgroup's limit (radiotherapy only)",
            codes=("yes", "no", "unknown", "ambiguous", "none"),
        ),
    ] = None
    why: Why
    provisional: Provisional
    held_kinds: HeldKinds
    facts: Facts


class LabToxicity(msgspec.Struct, frozen=True, kw_only=True):
    """A CTCAE grade computed from a laboratory value or a vital sign; a lab grade is no adverse event."""

    subject: Subject
    number: Annotated[int, column("counts the subject's graded values by day, test and term")]
    test: Annotated[str, column("laboratory test or vital sign concept")]
    term: Annotated[str, column("CTCAE term")]
    soc: Annotated[str | None, column("system organ class of the term")] = None
    direction: Annotated[str, column("which side of normal the term is about", codes=("low", "high"))]
    ctcae: Annotated[str, column("CTCAE version of the grade")]
    date: Annotated[str | None, column("day of the sample, as precisely as known")] = None
    value: Annotated[
        Decimal | None, column("value in the canonical unit; total calcium corrected for albumin")
    ] = None
    unit: Annotated[str | None, column("canonical unit (UCUM)")] = None
    grade: Annotated[int | None, column("grade by the named policy; 0 is a result, empty cannot be graded")] = None
    lowest: Annotated[int | None, column("lowest possible grade")] = None
    highest: Annotated[int | None, column("highest possible grade")] = None
    reason: Annotated[
        str | None,
        column(
            "why it cannot be graded, as a code",
            codes=("not_final", "no_unit", "unit_unknown", "comparator", "no_albumin", "no_uln", "no_lln",
                   "no_baseline", "no_baseline_range"),
        ),
    ] = None
    question: Annotated[
        str | None, column("what CTCAE asks and no record says, where the grade depends on it")
    ] = None
    policy: Annotated[
        str | None,
        column("which grade was taken where the question decides; empty elsewhere", codes=("worst_case", "lowest")),
    ] = None
    screening: Annotated[
        bool, column("a single blood pressure: a screening grade, never in tables", source="endpoints.md §0.21")
    ] = False
    is_baseline: Annotated[bool, column("whether this value is the baseline of its test")] = False
    baseline_date: Annotated[str | None, column("day of the baseline value")] = None
    baseline_value: Annotated[Decimal | None, column("baseline value in the canonical unit")] = None
    baseline_grade: Annotated[int | None, column("grade of the baseline value")] = None
    assumed_before: Annotated[
        bool, column("on the day of the first treatment, times unknown: counted as before it")
    ] = False
    on_treatment: Annotated[
        bool, column("after the first study treatment, up to the last component + the window of `teae`")
    ] = False
    worst: Annotated[
        bool, column("the first value with the highest grade of the term on treatment")
    ] = False
    shift: Annotated[
        str | None, column("baseline grade > worst grade on treatment; only with `worst`", unit="grades")
    ] = None
    why: Why
    provisional: Provisional
    held_kinds: HeldKinds
    facts: Facts


class AssessmentCompliance(msgspec.Struct, frozen=True, kw_only=True):
    """One planned tumour assessment and whether it took place. Empty until issue 5."""

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
    Conclusion(name="time_to_event", record=TimeToEvent, key=("subject", "endpoint", "rule")),
    Conclusion(name="alive_evidence", record=AliveEvidence, key=("subject", "kind")),
    Conclusion(name="ae_episode", record=AeEpisode, key=("subject", "number")),
    Conclusion(name="exposure", record=Exposure, key=("subject", "treatment")),
    Conclusion(name="lab_toxicity", record=LabToxicity, key=("subject", "number")),
    Conclusion(name="assessment_compliance", record=AssessmentCompliance, key=("subject", "number")),
)
"""Every conclusion table, in the order in which they are derived."""
