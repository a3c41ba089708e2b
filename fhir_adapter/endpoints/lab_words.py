"""Why a value has its grade, or none, in words."""

from decimal import Decimal
from typing import Any

import pandas as pd

_WHY_NOT = {
    "not_final": "the result is not final", "no_unit": "it has no unit",
    "unit_unknown": "nobody has said how to convert its unit", "comparator": "its range spans grades",
    "no_albumin": "total calcium without the albumin of its sample", "no_uln": "its record has no upper limit",
    "no_lln": "its record has no lower limit", "no_baseline": "there is no baseline value",
    "no_baseline_range": "the record of the baseline has no normal range",
}
_USED = ["label", "comparator", "reported", "unit_text", "low", "high", "grade", "lowest", "highest", "reason",
         "question", "policy", "ctcae", "term", "uses_baseline", "baseline_reported", "baseline_unit", "baseline_date",
         "is_baseline", "albumin", "assumed"]


def told(found: pd.DataFrame) -> list[str]:
    """The words of every row of the graded values."""
    return [_told(row) for row in found[_USED].itertuples(index=False, name="Value")]


def _told(row: Any) -> str:
    corrected = " corrected for albumin" if row.albumin is not None else ""
    words = f"{row.label}{corrected} {row.comparator or ''}{_number(row.reported)}{_after(row.unit_text)}: "
    if row.reason is not None:
        words += f"cannot be graded as {row.term}: {_WHY_NOT[row.reason]}"
        if row.lowest is not None and row.lowest != row.highest:
            words += f" (grade {row.lowest} to {row.highest})"
    else:
        words += f"grade {row.grade} {row.term} (CTCAE {row.ctcae})"
        if row.question is not None:
            words += f"; {row.lowest} or {row.highest}, depending on {row.question}: {row.policy}"
    if row.is_baseline:
        words += "; this is the baseline"
    elif row.uses_baseline and row.baseline_reported is not None:
        words += f"; baseline {_number(row.baseline_reported)}{_after(row.baseline_unit)} of {row.baseline_date}"
    return words + ("; taken on the day of the first treatment, counted as before it" if row.assumed else "")


def _number(value: Decimal | None) -> str:
    return "-" if value is None else f"{value:f}"


def _after(unit: str | None) -> str:
    return f" {unit}" if unit else ""
