"""RECIST 1.1 as two tables over whole columns: the response of the targets, and the overall response.

Lengths are whole micrometres and compared exactly: `10 * sum >= 12 * nadir`, `10 * sum <= 7 * baseline`.
Source: RECIST 1.1 (Eisenhauer 2009) §4.3, tables 1 and 2; endpoints.md §2.2, §2.4, §0.7.
"""

import numpy as np
import pandas as pd

GROWTH_UM = 5000
"""Progression needs at least 5 mm over the nadir."""
NODE_GONE_UM = 10000
"""A node with a short axis below 10 mm is normal."""
SERIES = ["subject", "evaluator"]


def nadir(points: pd.DataFrame) -> "pd.Series[float]":
    """The smallest complete sum before each time point, the baseline included.

    In: subject, evaluator, number (0 is the baseline), sum_um, complete; in time order. An incomplete sum never
    becomes the nadir; time points before the baseline do not count.
    """
    keys = [points[name] for name in SERIES]
    counted = points["sum_um"].where(points["complete"] & (points["number"] >= 0))
    lowest = counted.groupby(keys).cummin().groupby(keys).ffill()
    return lowest.groupby(keys).shift()


def target_response(points: pd.DataFrame) -> "pd.Series[str]":
    """The response of the targets at each time point; the first rule that holds decides.

    In: targets (how many), sum_um, complete, baseline_um, nadir_um (micrometres, missing allowed), gone (all non-nodal
    targets at 0 and all target nodes below 10 mm).
    1. No target: NONE. 2. No baseline to compare with: NE. 3. At least 5 mm and 20 % over the nadir: PD, also of an
    incomplete sum and below the baseline; a nadir of 0 needs 5 mm. 4. A target not evaluated: NE. 5. All gone: CR.
    6. At least 30 % below the baseline: PR. 7. SD.
    """
    total, lowest, baseline = points["sum_um"], points["nadir_um"], points["baseline_um"]
    grown = (total - lowest >= GROWTH_UM) & (10 * total >= 12 * lowest)
    conditions = [
        points["targets"] == 0,
        baseline.isna(),
        grown,
        ~points["complete"],
        points["gone"],
        10 * total <= 7 * baseline,
    ]
    chosen = np.select([condition.to_numpy(dtype=bool) for condition in conditions],
                       ["NONE", "NE", "PD", "NE", "CR", "PR"], "SD")
    return pd.Series(chosen, index=points.index, dtype=object)


def overall_response(points: pd.DataFrame) -> "pd.Series[str]":
    """The overall response from target, non_target and new_lesion; anything but `unequivocal` is no new lesion.

    NED: no disease at the baseline and none now.
    """
    target, other, new = points["target"], points["non_target"], points["new_lesion"]
    conditions = [
        (new == "unequivocal") | (target == "PD") | (other == "PD"),
        (target == "CR") & other.isin(["CR", "NONE"]),
        target.isin(["CR", "PR"]),
        target == "SD",
        target == "NE",
        other == "CR",
        other == "NON-CR/NON-PD",
        other == "NE",
    ]
    values = ["PD", "CR", "PR", "SD", "NE", "CR", "NON-CR/NON-PD", "NE"]
    chosen = np.select([condition.to_numpy(dtype=bool) for condition in conditions], values, "NED")
    return pd.Series(chosen, index=points.index, dtype=object)


def permille(total: int, baseline: int) -> int | None:
    """The change from the baseline in permille, rounded half up; None for a baseline of 0."""
    return (2000 * (total - baseline) + baseline) // (2 * baseline) if baseline else None
