"""What each reader found at each time point: sums of targets, state of the other lesions, new lesions.

A target counts with its longest diameter, a node with its short axis; too small to measure is 5 mm unless a number is
given; gone is 0; not evaluated is missing. Fragments of a split lesion are added. Of several readings of one lesion
the larger counts. Values held as implausible or without a known unit are missing. A target in a field irradiated
outside the protocol is not evaluated from then on. Source: endpoints.md §2.2, §2.3, §0.2, §0.7.
"""

from collections import defaultdict

import msgspec
import pandas as pd

from fhir_adapter.endpoints.frames import NOTHING, Ground, Row, Trial, day, ground, together
from fhir_adapter.endpoints.grouping import Series
from fhir_adapter.endpoints.recist import NODE_GONE_UM

TOO_SMALL_UM = 5000
NEW_NODE_UM = 15000
EXCLUDED = frozenset({"unit_implausible", "unit_unknown"})
"""A size held for one of these is not used."""
_ROLE_ORDER = ("target", "non-target", "new", "none")

Place = tuple[str, str, int]
"""Subject, evaluator, number of the group."""


class Lesion(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A lesion of a subject: its role, whether it is a node, what it is called."""

    role: str | None
    node: bool
    label: str | None
    site: str | None
    ground: Ground


class Finding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The targets at one time point. `gone`: every non-nodal one at 0, every node below 10 mm; `back`: labels of those
    that are not; `last_target`: day of the last target measurement."""

    sum_um: int | None
    measured: int
    gone: bool
    back: tuple[str, ...]
    nodes_back: int
    last_target: int | None
    labels: tuple[str, ...]


def lesions(trial: Trial) -> dict[tuple[str, str], Lesion]:
    """Every lesion by subject and key.

    Of two roles the one that is stated elsewhere than where the lesion is measured (on a sheet) wins.
    """
    measured: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in trial.rows("lesion_measurement"):
        measured[row.subject, row.lesion].add(row.hospital)
    stated: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in trial.rows("lesion"):
        stated[row.subject, row.lesion].append(row)
    found = {}
    for key, rows in stated.items():
        by_role = sorted(
            (row for row in rows if row.role),
            key=lambda row: (row.hospital in measured[key], _ROLE_ORDER.index(row.role), row.fact_key),
        )
        found[key] = Lesion(
            role=by_role[0].role if by_role else None, node=any(row.node is True for row in rows),
            label=next((row.label for row in rows if row.label), None),
            site=next((row.site for row in rows if row.site), None),
            ground=together(ground("lesion", row) for row in rows),
        )
    return found


def measurements(trial: Trial, known: dict[tuple[str, str], Lesion], places: dict[str, int],
                 irradiated: dict[tuple[str, str], int]) -> pd.DataFrame:
    """One line per measurement at a time point, with its lesion's role and the size that counts (missing: not usable).

    `places` gives the group of each fact; `irradiated` the day from which a site of a subject is out of evaluation.
    """
    columns = ["subject", "evaluator", "group", "lesion", "fragment", "day", "role", "node", "label", "site", "state",
               "size", "ref"]
    lines = []
    for row in trial.rows("lesion_measurement"):
        ref, number = f"lesion_measurement:{row.fact_key}", day(row.date)
        if ref not in places or number is None or row.method == "pathology":
            continue
        lesion = known.get((row.subject, row.lesion), _UNKNOWN)
        out = irradiated.get((row.subject, lesion.site or ""))
        size = None if out is not None and number >= out else _size(row, lesion.node)
        lines.append((row.subject, row.evaluator, places[ref], row.lesion, row.fragment or "", number, lesion.role,
                      lesion.node, lesion.label, lesion.site, row.state, size, ref))
    frame = pd.DataFrame(lines, columns=columns)
    return frame.assign(size=pd.to_numeric(frame["size"]).astype("float64"))


_UNKNOWN = Lesion(role=None, node=False, label=None, site=None, ground=NOTHING)


def _size(row: Row, node: bool) -> int | None:
    """The size that counts, in micrometres; None when the lesion was not evaluated or the value is not usable."""
    if row.held_kind in EXCLUDED or row.state not in ("measured", "too_small", "absent"):
        return None
    if row.state == "absent":
        return 0
    if row.size_um is None:
        return TOO_SMALL_UM if row.state == "too_small" else None
    return int(row.size_um) if row.axis in (None, "short" if node else "longest") else None


def sums(found: pd.DataFrame) -> dict[Place, Finding]:
    """The targets at every time point that measured one, over whole columns."""
    targets = found[found["role"] == "target"]
    if targets.empty:
        return {}
    place = ["subject", "evaluator", "group"]
    lesion = [*place, "lesion"]
    piece = targets["fragment"] != ""
    split = piece.groupby([targets[name] for name in lesion]).transform("any")
    targets = targets[~split | piece]
    parts = targets.groupby([*lesion, "fragment"], as_index=False).agg(
        size=("size", "max"), node=("node", "first"), label=("label", "first"), day=("day", "max"))
    sizes = parts.groupby(lesion, as_index=False).agg(
        size=("size", "sum"), known=("size", "count"), parts=("fragment", "size"), node=("node", "first"),
        label=("label", "first"), day=("day", "max"))
    sizes = sizes[sizes["known"] == sizes["parts"]]
    sizes = sizes.assign(there=sizes["size"] >= NODE_GONE_UM * sizes["node"].astype("int64"))
    sizes["there"] &= sizes["size"] > 0
    places: dict[Place, list[tuple[int, bool, bool, str, int]]] = defaultdict(list)
    names = zip(sizes["subject"], sizes["evaluator"], sizes["group"], strict=True)
    values = zip(sizes["size"], sizes["there"], sizes["node"], sizes["label"], sizes["day"], strict=True)
    for (subject, evaluator, group), (size, there, node, label, number) in zip(names, values, strict=True):
        places[subject, evaluator, int(group)].append((int(size), bool(there), bool(node), label or "", int(number)))
    return {key: _finding(some) for key, some in places.items()}


def _finding(some: list[tuple[int, bool, bool, str, int]]) -> Finding:
    back = [one for one in some if one[1]]
    return Finding(
        sum_um=sum(one[0] for one in some), measured=len(some), gone=not back,
        back=tuple(sorted(one[3] for one in back)), nodes_back=sum(one[2] for one in back),
        last_target=max(one[4] for one in some), labels=tuple(sorted(one[3] for one in some if one[3])),
    )


class Others(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The lesions that are not targets at one time point: response, day of an unequivocal progression."""

    value: str
    progressed: int | None
    evaluated: int


def others(found: pd.DataFrame, expected: dict[Series, int]) -> dict[Place, Others]:
    """The response of the non-targets from their states; `expected` says how many a reader follows.

    One progressed: PD. One not evaluated: NE. All gone (nodes below 10 mm): CR. Else NON-CR/NON-PD.
    """
    rows = found[found["role"] == "non-target"]
    states: dict[Place, dict[str, int]] = defaultdict(dict)
    days: dict[Place, int] = {}
    columns = ("subject", "evaluator", "group", "lesion", "state", "node", "size", "day")
    for subject, evaluator, group, lesion, state, node, size, number in zip(*(rows[name] for name in columns),
                                                                            strict=True):
        place = (subject, evaluator, int(group))
        code = _state_code(state, bool(node), None if pd.isna(size) else int(size))
        states[place][lesion] = max(code, states[place].get(lesion, 0))
        if code == _PROGRESSED:
            days[place] = min(int(number), days.get(place, int(number)))
    answers = {}
    for place, some in states.items():
        codes = [code for code in some.values() if code != _NOT_EVALUATED]
        value = "NON-CR/NON-PD"
        if _PROGRESSED in codes:
            value = "PD"
        elif len(codes) < expected.get(place[:2], 0):
            value = "NE"
        elif set(codes) == {_GONE}:
            value = "CR"
        answers[place] = Others(value=value, progressed=days.get(place), evaluated=len(codes))
    return answers


_NOT_EVALUATED, _GONE, _PRESENT, _PROGRESSED = range(4)


def _state_code(state: str, node: bool, size: int | None) -> int:
    if state in ("absent", "progressed"):
        return _GONE if state == "absent" else _PROGRESSED
    if state == "not_evaluated":
        return _NOT_EVALUATED
    return _GONE if node and size is not None and size < NODE_GONE_UM else _PRESENT
