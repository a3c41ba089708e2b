"""iRECIST time point by time point: unconfirmed progression (iUPD), its confirmation (iCPD), and the bar that is reset.

Before the first progression the values are those of RECIST with an i. Then:
1. Progression in any category (targets, non-targets, new lesions) is iUPD and opens a block.
2. In a block, from `confirm_from_days` - `window_days` after its first iUPD on, iCPD when one of these holds:
   a. targets: their sum is 5 mm or more over that of the first iUPD; b. non-targets: any further growth;
   c. new lesions: the sum of the new targets 5 mm or more over that of the first iUPD, any growth of other new
   lesions, or more new lesions; d. progression in a category that had none.
   An earlier scan is disregarded, unless made for a new symptom and showing a further new lesion. A scan later than
   `confirm_to_days` + `window_days` still confirms, flagged.
3. Otherwise, when no category progresses any longer, iCR, iPR or iSD resets the bar: the next progression is a new
   iUPD against the nadir of all sums. With a new lesion still there, the targets must have come to a better response
   than at the first iUPD (it is at best iPR); after it a new iUPD by new lesions needs further ones, 20 % and 5 mm over
   the nadir of the new targets, or unequivocal growth of the others.
4. Otherwise it stays iUPD. Not evaluated is NE and leaves the block open. After iCPD nothing counts.
New lesions are never added to the sum of the targets. Source: Seymour 2017, table 2; EORTC iRECIST questions;
endpoints.md §3, §0.10.
"""

from collections.abc import Mapping, Sequence

import msgspec

from fhir_adapter.core.protocol import Immune
from fhir_adapter.endpoints.recist import GROWTH_UM

CATEGORIES = ("target", "non_target", "new_lesion")
PLAIN = {"iCR": "CR", "iPR": "PR", "iSD": "SD", "NON-iCR/NON-iUPD": "NON-CR/NON-PD", "NE": "NE", "NED": "NED"}
"""RECIST values of iRECIST's, but for progression."""
IMMUNE = {plain: value for value, plain in PLAIN.items()} | {"PD": "iUPD"}
_BETTER = ("CR", "PR", "SD", "PD")


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One time point after the baseline as its lesions show it; lengths in micrometres, lesions by name.

    `overall` is RECIST's; `growing` non-targets and `new_growing` new lesions are those stated as progressed;
    `lesions` the new lesions that are there, `gone` those that are not any more; `new_targets` and `others` are sizes
    of new lesions; `symptom`: made for a new symptom.
    """

    day: int
    overall: str
    targets: int = 0
    sum_um: int | None = None
    complete: bool = False
    cleared: bool = False
    non_target: str = "NONE"
    sizes: Mapping[str, int] = {}
    growing: frozenset[str] = frozenset()
    new: bool = False
    lesions: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    new_targets: Mapping[str, int] = {}
    others: Mapping[str, int] = {}
    new_growing: frozenset[str] = frozenset()
    symptom: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The response of one time point; None when it is disregarded (`too_early`, `after_icpd`).

    `block`: the position of the first iUPD that this one belongs to; `reset`: whether it closed a block unconfirmed.
    """

    value: str | None
    reason: str | None = None
    categories: tuple[str, ...] = ()
    block: int | None = None
    late: bool = False
    reset: bool = False
    told: str = ""


class _Block(msgspec.Struct, frozen=True, kw_only=True):
    """A progression that waits for confirmation: where it began, what progressed, and its first time point."""

    position: int
    categories: frozenset[str]
    first: Point
    target: str


class _Bar(msgspec.Struct, kw_only=True):
    """What later time points are compared with."""

    baseline: int | None
    nadir: int | None
    block: _Block | None = None
    progressed: bool = False
    cleared: bool = False
    lesions: frozenset[str] = frozenset()
    unnamed: bool = False
    new_nadir: int | None = None


def respond(points: Sequence[Point], baseline_um: int | None, rules: Immune) -> list[Answer]:
    """The response of every time point after the baseline, in time order."""
    bar = _Bar(baseline=baseline_um, nadir=baseline_um)
    answers: list[Answer] = []
    for position, point in enumerate(points):
        if any(one.value == "iCPD" for one in answers):
            answers.append(Answer(value=None, reason="after_icpd", told="after confirmed progression"))
            continue
        answer = _pending(point, bar, bar.block, rules) if bar.block is not None else _open(point, position, bar)
        answers.append(answer)
        if answer.reset:
            bar.block = None
        if answer.value is not None:
            _remember(point, answer, bar)
    return answers


def _remember(point: Point, answer: Answer, bar: _Bar) -> None:
    if point.complete and point.sum_um is not None:
        bar.nadir = point.sum_um if bar.nadir is None else min(bar.nadir, point.sum_um)
    bar.cleared = bar.cleared or answer.value == "iCR"
    bar.unnamed = bar.unnamed or (point.new and not point.lesions)
    bar.lesions |= point.lesions
    if point.new_targets:
        total = sum(point.new_targets.values())
        bar.new_nadir = total if bar.new_nadir is None else min(bar.new_nadir, total)


def _open(point: Point, position: int, bar: _Bar) -> Answer:
    """No iUPD is pending: progression opens a block."""
    found = _progressing(point, bar)
    if not bar.progressed:
        if point.overall != "PD":
            return Answer(value=IMMUNE[point.overall])
        found = found or frozenset({"target"})
    elif not found:
        return Answer(value=_without_progression(point, bar))
    bar.progressed = True
    bar.block = _Block(position=position, categories=found, first=point, target=_target(point, bar))
    return Answer(value="iUPD", categories=_ordered(found), block=position, told=_named(found))


def _pending(point: Point, bar: _Bar, block: _Block, rules: Immune) -> Answer:
    """An iUPD waits: confirmed, reset, or still there."""
    elapsed = point.day - block.first.day
    if elapsed < rules.confirm_from_days - rules.window_days and not (point.symptom and _further(point, bar)):
        return Answer(value=None, reason="too_early", block=block.position,
                      told=f"{elapsed} days after iUPD: too early to confirm, disregarded")
    late = elapsed > rules.confirm_to_days + rules.window_days
    found = _progressing(point, bar)
    reasons = _confirming(point, block, bar, found)
    if reasons:
        return Answer(value="iCPD", categories=_ordered(found | block.categories), block=block.position, late=late,
                      told="; ".join(reasons) + (f"; {elapsed} days after iUPD, later than planned" if late else ""))
    value = _without_progression(point, bar)
    if found & {"target", "non_target"}:
        return Answer(value="iUPD", categories=_ordered(found), block=block.position, told="not confirmed")
    if value == "NE":
        return Answer(value="NE", block=block.position)
    there = bar.unnamed or bool(bar.lesions - point.gone)
    if there and not _better(_target(point, bar), block.target):
        return Answer(value="iUPD", categories=("new_lesion",), block=block.position,
                      told="the new lesion is still there, no more of it")
    return Answer(value=value, block=block.position, reset=True, told="not confirmed: the bar is reset")


def _confirming(point: Point, block: _Block, bar: _Bar, found: frozenset[str]) -> list[str]:
    """Why the pending progression is confirmed, in words; empty when it is not."""
    first, reasons = block.first, []
    if "target" in block.categories and _grown(point.sum_um, first.sum_um):
        reasons.append("targets 5 mm or more over the first iUPD")
    if "non_target" in block.categories and (point.growing - first.growing or _larger(point.sizes, first.sizes)):
        reasons.append("non-targets grew further")
    if "new_lesion" in block.categories:
        same = [size for name, size in point.new_targets.items() if name in first.new_targets]
        if len(same) == len(first.new_targets) > 0 and _grown(sum(same), sum(first.new_targets.values())):
            reasons.append("new targets 5 mm or more over the first iUPD")
        if point.new_growing or _larger(point.others, first.others):
            reasons.append("new lesions grew")
        if _further(point, bar):
            reasons.append("more new lesions")
    fresh = found - block.categories
    return reasons + ([f"progression also by {_named(fresh)}"] if fresh else [])


def _progressing(point: Point, bar: _Bar) -> frozenset[str]:
    """The categories that progress by RECIST against the bar."""
    found = set()
    if _target(point, bar) == "PD" or (bar.cleared and point.sum_um is not None and not point.cleared):
        found.add("target")
    if point.non_target == "PD" or (bar.cleared and point.non_target == "NON-CR/NON-PD"):
        found.add("non_target")
    again = bar.block is None and (point.new_growing or _over(sum(point.new_targets.values()), bar.new_nadir))
    if _further(point, bar) or again:
        found.add("new_lesion")
    return frozenset(found)


def _further(point: Point, bar: _Bar) -> bool:
    """Whether there is a new lesion that was not known; one without a name is taken for the one that is known."""
    known = bool(bar.lesions) or bar.unnamed
    return bool(point.lesions - bar.lesions) if point.lesions and not bar.unnamed else point.new and not known


def _target(point: Point, bar: _Bar) -> str:
    """RECIST's target response against the bar."""
    if not point.targets:
        return "NONE"
    if bar.baseline is None:
        return "NE"
    if point.sum_um is not None and _over(point.sum_um, bar.nadir):
        return "PD"
    if not point.complete or point.sum_um is None:
        return "NE"
    if point.cleared:
        return "CR"
    return "PR" if 10 * point.sum_um <= 7 * bar.baseline else "SD"


def _without_progression(point: Point, bar: _Bar) -> str:
    """The response when nothing progresses; with a new lesion still there at best iPR."""
    target, there = _target(point, bar), bar.unnamed or bool(bar.lesions - point.gone)
    if target == "CR":
        return "iCR" if point.non_target in ("CR", "NONE") and not there else "iPR"
    if target in ("PR", "SD", "PD"):
        return "iPR" if target == "PR" else "iSD"
    if target == "NONE" and point.non_target in ("CR", "NON-CR/NON-PD"):
        return "iCR" if point.non_target == "CR" and not there else "NON-iCR/NON-iUPD"
    return "NE"


def _grown(now: int | None, before: int | None) -> bool:
    return now is not None and before is not None and now - before >= GROWTH_UM


def _over(now: int, nadir: int | None) -> bool:
    return nadir is not None and now - nadir >= GROWTH_UM and 10 * now >= 12 * nadir


def _larger(now: Mapping[str, int], before: Mapping[str, int]) -> bool:
    return any(size > before[name] for name, size in now.items() if name in before)


def _better(now: str, before: str) -> bool:
    return now in _BETTER and before in _BETTER and _BETTER.index(now) < _BETTER.index(before)


def _ordered(found: frozenset[str]) -> tuple[str, ...]:
    return tuple(one for one in CATEGORIES if one in found)


def _named(found: frozenset[str]) -> str:
    return ", ".join(one.replace("_", "-") + "s" if one != "new_lesion" else "new lesion" for one in _ordered(found))
