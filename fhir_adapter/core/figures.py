"""The numbers that pages, prints and files show: rates, Kaplan-Meier curves, counts, completeness of the data behind.

Plain values, made by `endpoints` (estimates) and `flow` (completeness, conflicts), read by `report`, `export` and the
command line. Spans are whole days; whoever shows months divides by the protocol's `days_per_month`.
"""

import msgspec


class Rate(msgspec.Struct, frozen=True):
    """`x` of `n` subjects with the exact (Clopper-Pearson) 95 % interval, as shares from 0 to 1.

    `low` and `high` are None when `n` is 0: there is nothing to estimate. Source: endpoints.md §4.
    """

    x: int
    n: int
    low: float | None = None
    high: float | None = None

    @property
    def share(self) -> float | None:
        """x / n; None when n is 0."""
        return self.x / self.n if self.n else None


class Quantile(msgspec.Struct, frozen=True):
    """A median with its interval in days; None means not reached (NR). `method` names the interval."""

    days: float | None = None
    low: float | None = None
    high: float | None = None
    method: str = "log-log"


class CurveStep(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the Kaplan-Meier table, at a time where somebody had the event or was censored.

    `at_risk` counts those still followed just before `days`; `survival` and its limits hold from `days` on.
    """

    days: int
    at_risk: int
    events: int
    censored: int
    survival: float
    low: float | None = None
    high: float | None = None


class Landmark(msgspec.Struct, frozen=True, kw_only=True):
    """The share without the event at a fixed time; None beyond the last follow-up (no extrapolation)."""

    days: float
    at_risk: int
    survival: float | None = None
    low: float | None = None
    high: float | None = None


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """A Kaplan-Meier estimate of one endpoint under one rule: its table, its median, its rates at fixed times.

    `steps` are in time order and empty when nobody could be followed. `undetermined` counts subjects of the
    population whose endpoint could not be determined; they are in neither `n` nor the curve.
    """

    endpoint: str
    rule: str
    n: int
    events: int
    undetermined: int = 0
    steps: tuple[CurveStep, ...] = ()
    median: Quantile = Quantile()
    rates: tuple[Landmark, ...] = ()

    def at(self, days: float) -> Landmark | None:
        """The rate at a fixed time; None if it was not estimated there."""
        return next((rate for rate in self.rates if rate.days == days), None)


class AeCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Participants with adverse events in one analysis set (`registered`, `teae`, `extended`); `n` is the denominator.

    `worst_grade` counts participants by their worst known grade; those with no known grade stand under `missing`.
    """

    name: str
    n: int
    any: int = 0
    grade_3_or_more: int = 0
    grade_5: int = 0
    serious: int = 0
    related: int = 0
    related_3_or_more: int = 0
    worst_grade: dict[str, int] = {}


class Hazard(msgspec.Struct, frozen=True, kw_only=True):
    """A hazard ratio of one level against the reference with its 95 % interval (Cox, Efron ties); p by log-rank.

    `reason` says why there is none: `too_few_events`, `not_estimable`, `one_group`, `reference`, `left_out`.
    """

    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    reason: str | None = None


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One level of a subgroup: how many, its response rate, its curve, its hazard against the first level."""

    name: str
    n: int
    orr: Rate
    curve: Curve
    hazard: Hazard = Hazard()


class Subgroup(msgspec.Struct, frozen=True, kw_only=True):
    """A subgroup of one endpoint. `excluded` left the comparison before the landmark, by reason; `method` names how:
    `baseline`, `landmark`, `time_dependent`.
    """

    name: str
    endpoint: str
    method: str
    landmark_days: int | None = None
    levels: tuple[Level, ...] = ()
    excluded: dict[str, int] = {}


class ByReader(msgspec.Struct, frozen=True, kw_only=True):
    """What one reader's scans give, over the efficacy population: response rates, and PFS and TTP under both rules.

    Overall survival has no reader: it is the same for all.
    """

    evaluator: str
    orr_confirmed: Rate
    orr_unconfirmed: Rate
    dcr: Rate
    cbr: Rate
    curves: tuple[Curve, ...] = ()


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The trial's headline numbers.

    `efficacy` names the population that is the denominator of response rates and curves.
    """

    screened: int
    enrolled: int
    treated: int
    evaluable: int
    efficacy: str = "treated"
    orr_confirmed: Rate
    orr_unconfirmed: Rate
    dcr: Rate
    cbr: Rate = Rate(0, 0)
    orr_unirradiated: Rate = Rate(0, 0)
    """Confirmed responses when targets in a field of study radiotherapy are left out."""
    readers: tuple[ByReader, ...] = ()
    best_confirmed: dict[str, int] = {}
    best_unconfirmed: dict[str, int] = {}
    curves: tuple[Curve, ...] = ()
    follow_up: Quantile = Quantile()
    adverse_events: tuple[AeCounts, ...] = ()

    def curve(self, endpoint: str, rule: str = "") -> Curve | None:
        """The curve of an endpoint under a rule; None if it was not made."""
        return next((one for one in self.curves if (one.endpoint, one.rule) == (endpoint, rule)), None)


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table to be printed: cells are texts and numbers, None where there is nothing; the first column names the row.

    `name` is its key on the page and in files; `note` is the small print.
    """

    name: str
    title: str
    note: str = ""
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float | None, ...], ...] = ()


class Completeness(msgspec.Struct, frozen=True, kw_only=True):
    """How far one hospital's answers for one type reach; a row of the table `completeness`.

    `whole_as_of`: when we last had everything; `open_since`: since when something is missing. Both as text
    (ISO 8601); None for never and for nothing. `quarantined` counts records refused and not acknowledged.
    """

    hospital: str
    type: str
    mode: str
    whole_as_of: str | None = None
    open_since: str | None = None
    quarantined: int = 0


class OpenConflict(msgspec.Struct, frozen=True):
    """One open conflict: its kind, and whom and where it concerns (`subjects` is empty for a code)."""

    kind: str
    subjects: tuple[str, ...] = ()
    hospitals: tuple[str, ...] = ()
