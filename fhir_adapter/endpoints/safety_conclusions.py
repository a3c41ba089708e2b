"""What is concluded about safety: adverse events, exposure, and grades from values, column by column."""

from decimal import Decimal
from typing import Annotated

import msgspec

from fhir_adapter.core.facts import column
from fhir_adapter.endpoints.conclusion_columns import Facts, HeldKinds, Provisional, Subject, Why


class AeEpisode(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One adverse event record and the analysis sets it belongs to."""

    subject: Subject
    number: Annotated[int, column("counts the subject's events by onset")]
    episode: Annotated[
        int, column("counts the subject's episodes: records of one term that touch or overlap are one episode")
    ] = 1
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


class Exposure(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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


class LabToxicity(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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
