"""How numbers are said: months, shares, intervals, partial dates. One place, so that page and figures agree."""

from fhir_adapter.core.figures import Curve, Landmark, Quantile, Rate

NOTHING = "–"
PFS_RULES = ("treatment_policy", "table_a")
RULES = {"treatment_policy": "treatment policy", "table_a": "table A", "": ""}
RESPONSES = {
    "CR": "complete response",
    "PR": "partial response",
    "SD": "stable disease",
    "NON-CR/NON-PD": "neither complete response nor progression",
    "PD": "progressive disease",
    "NE": "not evaluable",
    "NED": "no evidence of disease",
}


def months(days: float | None, days_per_month: float, missing: str = "NR") -> str:
    """Days as months with one decimal; `NR` (not reached) for None."""
    return missing if days is None else f"{days / days_per_month:.1f}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share as percent, without the sign."""
    return NOTHING if share is None else f"{100 * share:.{digits}f}"


def of(x: int, n: int) -> str:
    """`12/58 (20.7 %)`."""
    return f"{x}/{n} ({percent(x / n)} %)" if n else f"{x}/0"


def interval(rate: Rate | Landmark) -> str:
    """`95 % CI 19.1–64.0 %`, or words when there is nothing to estimate."""
    if rate.low is None or rate.high is None:
        return "no interval: nothing to estimate"
    return f"95 % CI {percent(rate.low)}–{percent(rate.high)} %"


def median(found: Quantile, days_per_month: float) -> str:
    """`4.6 months`, or `not reached`."""
    return "not reached" if found.days is None else f"{months(found.days, days_per_month)} months"


def median_interval(found: Quantile, days_per_month: float) -> str:
    """`95 % CI 3.9–5.2, log-log`; NR is not reached."""
    low, high = months(found.low, days_per_month), months(found.high, days_per_month)
    return f"95 % CI {low}–{high}, {found.method}"


def curve_name(curve: Curve) -> str:
    """`PFS, treatment policy`."""
    rule = RULES.get(curve.rule, curve.rule)
    return f"{curve.endpoint}, {rule}" if rule else curve.endpoint


def at_risk(curve: Curve, days: float) -> int:
    """How many are still followed just before a time, read from the Kaplan-Meier table."""
    return next((step.at_risk for step in curve.steps if step.days >= days), 0)


def counted(n: int, one: str, many: str = "") -> str:
    """`1 subject`, `2 subjects`."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def reason(code: str | None) -> str:
    """A reason code as words: `last_assessment` is `last assessment`."""
    return (code or "").replace("_", " ")


def listed(names: list[str] | tuple[str, ...]) -> str:
    """`a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
