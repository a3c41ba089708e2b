"""The protocol: what mappings/trial.toml may say. A missing key means its default, printed with the results.

The keys are those of endpoints.md §14.
"""

from decimal import Decimal
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from fhir_adapter.core.configuration import Config


class Trial(Config):
    """The trial's own names: the identifier system of its subject numbers, the drugs and their regimens."""

    id: str = "trial"
    title: str = ""
    subject_system: str = ""
    study_drugs: tuple[str, ...] = ()
    arm: str = "all"


class Regimen(Config):
    """What the protocol plans for one study drug: milligrams a dose, doses a cycle, days a cycle."""

    dose_mg: int
    doses_per_cycle: int
    cycle_days: int
    route: str = ""


class Schedule(Config):
    """When scans are planned: every `interval_days` +- `window_days`; `steps` change the interval from a study day."""

    interval_days: int | None = Field(default=None, gt=0)
    window_days: int | None = Field(default=None, ge=0)
    steps: tuple[tuple[NonNegativeInt, PositiveInt], ...] = ()

    def interval(self, day: int) -> int | None:
        """The days from a scan so many days after the start to the next one; None without a schedule."""
        found = self.interval_days
        for from_day, changed in self.steps:
            found = changed if found is not None and day >= from_day else found
        return found


class Response(Config):
    """[response] of endpoints.md §14."""

    criteria: Literal["RECIST 1.1"] = "RECIST 1.1"
    source: Literal["auto", "lesions", "reported"] = "auto"
    timepoint_days: int = 14
    strict: bool = False
    confirmation: bool = True
    confirm_days: int = 28
    sd_min_days: int = 35
    cr_then_pr: Literal["pd", "downgrade"] = "pd"
    max_ne_between: int = 1
    accept_sd_between: bool = False
    baseline_days: int = 28
    benefit_days: int = 168
    """Clinical benefit: a response, or stable for so many days (24 weeks)."""


class Immune(Config):
    """[irecist]: when a scan confirms an iUPD, and what an iUPD that nothing follows counts for in iPFS."""

    confirm_from_days: int = 28
    confirm_to_days: int = 56
    window_days: int = 2
    pending: Literal["event", "censor"] = "event"
    symptom_visits: tuple[str, ...] = ()
    """Visit names by which sources call a scan that was made early, for a new symptom."""


class EndpointSettings(Config):
    """[endpoints.NAME]: the clock's start, the events, and the rules that censor."""

    start: Literal["first_dose", "first_treatment", "enrolment"] = "first_dose"
    events: tuple[Literal["progression", "death"], ...] = ("progression", "death")
    pfs_rule: Literal["treatment_policy", "table_a"] = "treatment_policy"
    discontinuation: Literal["continue", "censor"] = "continue"
    clinical_progression: bool = False


class TimeToEvent(Config):
    """[time_to_event] of endpoints.md §14."""

    day_one_counts: bool = True
    days_per_month: float = 30.4375
    cutoff_policy: Literal["drop", "cap"] = "drop"
    km_ci: Literal["log-log", "log", "plain"] = "log-log"
    median_tie: Literal["midpoint", "first"] = "midpoint"
    landmark_days: int = 90
    rates_at_months: tuple[int, ...] = (6, 12, 24, 36, 60)
    min_at_risk: int = 5
    """No rate at a fixed time with fewer subjects at risk."""


class Subgroups(Config):
    """[subgroups]: how subgroups are cut, and how those by delivered radiotherapy dose are compared."""

    dose: Literal["landmark", "time_dependent"] = "landmark"
    age: int = 65
    """Years; from this age on one group, below it the other."""
    pdl1_percent: int = 1
    events: int = 10
    """No Cox model with fewer events."""


class Population(Config):
    """[population]: the denominator of efficacy."""

    efficacy: Literal["treated", "enrolled", "evaluable"] = "treated"


class Toxicity(Config):
    """[toxicity] of endpoints.md §14."""

    ctcae: Literal["4.03", "5.0", "6.0"] = "5.0"
    teae_window_days: int = 30
    extended_window_days: int = 90
    missing_relatedness: Literal["unknown", "related", "not_related"] = "unknown"
    lab_symptom_policy: Literal["worst_case", "lowest"] = "worst_case"
    v5_gap_rule: Literal["lower", "higher"] = "lower"


class ProtocolWindow(Config):
    """Study radiotherapy starts within these days of the first study-drug dose, both included."""

    from_day: int
    to_day: int


class Fractionation(Config):
    """[radiotherapy.fractionation]: how a fractionation is named when its source does not say (profiles.md §4.3).

    The thresholds are nobody's standard: without this block nothing is derived. Doses in Gy, both limits included.
    """

    sbrt_max_fractions: int
    sbrt_min_gy: Decimal
    """Stereotactic: at least this much a fraction, in at most so many fractions."""
    low_dose_max_total_gy: Decimal
    low_dose_max_gy: Decimal
    """Low dose: at most this much in all and a fraction."""
    conventional_gy: tuple[Decimal, Decimal]
    """Conventional: between these a fraction."""


class Radiotherapy(Config):
    """[radiotherapy] of endpoints.md §14."""

    protocol: ProtocolWindow | None = None
    dose_levels: tuple[Literal["course", "phase", "fraction"], ...] = ("course", "phase", "fraction")
    subgroup_gy: int = 60
    alpha_beta: int = 10
    dose_sites: tuple[str, ...] = ()
    """Sites whose courses count for the dose (the primary, the neck); empty: of all courses the highest counts."""
    fractionation: Fractionation | None = None


class Protocol(Config):
    """mappings/trial.toml: what the trial asks. A missing key means its default, printed with the results."""

    trial: Trial = Trial()
    regimen: dict[str, Regimen] = {}
    schedule: Schedule = Schedule()
    response: Response = Response()
    irecist: Immune = Immune()
    endpoints: dict[str, EndpointSettings] = {"PFS": EndpointSettings(), "OS": EndpointSettings(events=("death",))}
    time_to_event: TimeToEvent = TimeToEvent()
    subgroups: Subgroups = Subgroups()
    population: Population = Population()
    toxicity: Toxicity = Toxicity()
    radiotherapy: Radiotherapy = Radiotherapy()
