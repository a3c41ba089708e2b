"""New lesions: what was stated or seen at each time point, and when an equivocal one turns out to be real.

A stated `unequivocal` or `equivocal` holds. A lesion of role `new` that is seen without such a statement is
unequivocal, except a node: below 10 mm it is ignored, below 15 mm it is equivocal. An equivocal lesion that is
confirmed later dates the progression at the first scan that showed it. Source: RECIST 1.1 §4.3.5; endpoints.md §2.3,
§0.6, §0.7.
"""

from collections import defaultdict

import msgspec
import pandas as pd

from fhir_adapter.endpoints.frames import Trial, day
from fhir_adapter.endpoints.lesions import NEW_NODE_UM, Place
from fhir_adapter.endpoints.recist import NODE_GONE_UM

LEVELS = ("not stated", "none", "equivocal", "unequivocal")


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What one time point says about new lesions: the strongest level, its first scan, the lesions if named."""

    level: str = LEVELS[0]
    day: int | None = None
    lesions: frozenset[str] = frozenset()

    def may_be(self, other: "Sighting") -> bool:
        """Whether the two may speak of the same lesion: a shared one, or one of them names none."""
        return not self.lesions or not other.lesions or bool(self.lesions & other.lesions)


def sightings(trial: Trial, places: dict[str, int], found: pd.DataFrame) -> dict[Place, Sighting]:
    """The new lesions of every time point that speaks of them."""
    said: dict[Place, list[tuple[str, int, str | None]]] = defaultdict(list)
    for row in trial.rows("response_assessment"):
        number, ref = day(row.date), f"response_assessment:{row.fact_key}"
        if row.category == "new_lesion" and ref in places and number is not None and row.value in LEVELS:
            said[row.subject, row.evaluator, places[ref]].append((row.value, number, row.lesion))
    for place, level, number, lesion in _seen(found):
        spoken = [one for one in said.get(place, []) if one[0] in LEVELS[2:]]
        if not any(one[2] in (None, lesion) for one in spoken):
            said[place].append((level, number, lesion))
    return {place: _strongest(some) for place, some in said.items()}


def _seen(found: pd.DataFrame) -> list[tuple[Place, str, int, str]]:
    """Lesions of role `new` that were seen, with the level that their size gives."""
    rows = found[(found["role"] == "new") & found["state"].isin(["measured", "present", "progressed", "too_small"])]
    seen = []
    columns = ("subject", "evaluator", "group", "lesion", "node", "size", "day")
    for subject, evaluator, group, lesion, node, size, number in zip(*(rows[name] for name in columns), strict=True):
        level = "unequivocal"
        if node and not pd.isna(size) and size < NEW_NODE_UM:
            level = "none" if size < NODE_GONE_UM else "equivocal"
        seen.append(((subject, evaluator, int(group)), level, int(number), str(lesion)))
    return seen


def _strongest(some: list[tuple[str, int, str | None]]) -> Sighting:
    level = max((one[0] for one in some), key=LEVELS.index)
    strongest = [one for one in some if one[0] == level]
    named = frozenset(one[2] for one in strongest if one[2])
    return Sighting(level=level, day=min(one[1] for one in strongest),
                    lesions=named if all(one[2] for one in strongest) else frozenset())


def first_sight(series: list[Sighting], confirmed: int) -> int:
    """The position of the time point that first showed the lesion that is unequivocal at `confirmed`.

    Goes back over time points that called it equivocal; a stated absence ends the chain, silence does not.
    """
    first = confirmed
    for position in range(confirmed - 1, -1, -1):
        sighting = series[position]
        if sighting.level == "equivocal" and sighting.may_be(series[confirmed]):
            first = position
        elif sighting.level in ("none", "unequivocal"):
            break
    return first
