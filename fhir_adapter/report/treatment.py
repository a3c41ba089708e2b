"""What was given: exposure by drug, and the radiotherapy dose subgroup, never compared from the first dose."""

from statistics import median
from typing import Any

import msgspec

from fhir_adapter.report.conclusions import Frames, Row, members, rows, times, whole
from fhir_adapter.report.words import NOTHING

GROUPS = ("yes", "no", "ambiguous", "unknown", "none")


class Drug(msgspec.Struct, frozen=True, kw_only=True):
    """One study treatment over the subjects who received it; texts are median (range), with how many are known."""

    name: str
    subjects: int
    doses: str
    total_mg: str
    duration_days: str
    relative_intensity: str
    evidence: str
    provisional: int


class DoseGroup(msgspec.Struct, frozen=True, kw_only=True):
    """One group of the radiotherapy dose; `at_landmark` counts those followed and alive on the landmark day."""

    name: str
    subjects: int
    dose: str
    at_landmark: int
    provisional: int


def drugs(frames: Frames) -> tuple[Drug, ...]:
    """One line a study drug, by name."""
    by_name: dict[str, list[Row]] = {}
    for row in rows(frames, "exposure"):
        if row["treatment"] != "radiotherapy":
            by_name.setdefault(row["treatment"], []).append(row)
    return tuple(
        Drug(
            name=name, subjects=len({row["subject"] for row in found}),
            doses=_spread(found, "doses"), total_mg=_spread(found, "total_mg"),
            duration_days=_spread(found, "duration_days"),
            relative_intensity=_spread(found, "relative_intensity"),
            evidence=_evidence(found), provisional=sum(bool(row["provisional"]) for row in found),
        )
        for name, found in sorted(by_name.items())
    )


def dose_groups(frames: Frames, population: str, subgroup_gy: int, landmark_days: int) -> tuple[DoseGroup, ...]:
    """The groups of the highest delivered dose; () when nobody has a radiotherapy record.

    Unknown is a group of its own, never "below". Members of the population without any radiotherapy row count as none.
    """
    found = {row["subject"]: row for row in rows(frames, "exposure") if row["treatment"] == "radiotherapy"}
    if not found:
        return ()
    names = {
        "yes": f"at least {subgroup_gy} Gy", "no": f"below {subgroup_gy} Gy",
        "ambiguous": f"ambiguous: volumes that may add up to {subgroup_gy} Gy", "unknown": "dose unknown",
        "none": "no study radiotherapy",
    }
    survival = times(frames, "OS")
    everyone = sorted({*members(frames, population), *found})
    groups = []
    for group in GROUPS:
        of_group = [one for one in everyone if (found.get(one, {}).get("at_least_subgroup") or "none") == group]
        doses = [float(found[one]["dose_cgy"]) / 100 for one in of_group
                 if one in found and found[one]["dose_cgy"] is not None]
        groups.append(DoseGroup(
            name=names[group], subjects=len(of_group), dose=spread(doses),
            at_landmark=sum((whole(survival.get(one, {}).get("days")) or 0) >= landmark_days for one in of_group),
            provisional=sum(bool(found.get(one, {}).get("provisional")) for one in of_group),
        ))
    return tuple(groups)


def spread(values: list[float]) -> str:
    """`12 (3–31)`: median and range; a dash for nothing."""
    if not values:
        return NOTHING
    return f"{_number(median(values))} ({_number(min(values))}–{_number(max(values))})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.1f}"


def _spread(found: list[Row], column: str) -> str:
    values: list[Any] = [row[column] for row in found if row[column] is not None]
    said = spread([float(value) for value in values])
    return said if len(values) == len(found) else f"{said}, {len(values)} of {len(found)} known"


def _evidence(found: list[Row]) -> str:
    ranks = [row["evidence"] or "not stated" for row in found]
    return ", ".join(f"{rank} {ranks.count(rank)}" for rank in sorted(set(ranks)))
