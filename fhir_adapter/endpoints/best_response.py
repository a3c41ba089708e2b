"""Best overall response, unconfirmed and confirmed, from one series of overall responses.

Assessments after the baseline count, up to and including the first progression, not after the start of a new
anticancer therapy (the same day counts). CR > PR > SD > NON-CR/NON-PD > NED > PD > NE.
SD and NON-CR/NON-PD need `sd_min_days` from the start; a CR or PR that is not good enough counts as SD.
Confirmed: CR and PR need confirmation (`confirmation`). Without it CR or PR falls back to SD if the minimum was met;
PR then SD is SD; CR then SD without the minimum is PD; then PD, else NE. Never assessed is NE with its reason.
The first response is the first CR or PR of the earliest confirmed response, also when the best is CR.
Source: RECIST 1.1 §4.6 and its confirmation table; endpoints.md §2.5, §0.8, §0.9.
"""

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from fhir_adapter.core.study import Response
from fhir_adapter.endpoints.conclusions import BestResponse
from fhir_adapter.endpoints.confirmation import Assessed, confirms, first_confirmed
from fhir_adapter.endpoints.frames import NOTHING, Ground, together, written, written_or_none
from fhir_adapter.endpoints.readings import Reading

_STABLE = ("CR", "PR", "SD")
CONTROLLED = (*_STABLE, "NON-CR/NON-PD")
"""Responses that count as control of the disease."""


class Best(msgspec.Struct, frozen=True, kw_only=True):
    """A best response; positions are those of the assessments that count, None where there is none."""

    value: str
    position: int | None = None
    response: int | None = None
    reason: str | None = None


def unconfirmed(assessed: Sequence[Assessed], start: int, rules: Response) -> Best:
    """The best response without confirmation; `assessed` is already cut at progression and new therapy."""
    values = [value for _, value in assessed]
    first = next((place for place, value in enumerate(values) if value in ("CR", "PR")), None)
    for value in ("CR", "PR"):
        if value in values:
            return Best(value=value, position=values.index(value), response=first)
    return _without_response(assessed, start, rules)


def confirmed(assessed: Sequence[Assessed], start: int, rules: Response) -> Best:
    """The best response with confirmation; the first response is that of the earliest confirmed one."""
    first = first_confirmed(assessed, rules)
    for value in ("CR", "PR"):
        position = first_confirmed(assessed, rules, (value,))
        if position is not None:
            return Best(value=value, position=position, response=first)
    return _without_response(assessed, start, rules)


def _without_response(assessed: Sequence[Assessed], start: int, rules: Response) -> Best:
    values = [value for _, value in assessed]
    late = [place for place, (day, _) in enumerate(assessed) if day - start >= rules.sd_min_days]
    stable = [place for place in late if values[place] in _STABLE]
    if stable:
        return Best(value="SD", position=stable[0])
    followed = _followed_by_stable(values)
    if followed == "PR":
        return Best(value="SD", position=values.index("PR"))
    for value in ("NON-CR/NON-PD", "NED"):
        some = [place for place in late if values[place] == value]
        if some:
            return Best(value=value, position=some[0])
    if "PD" in values:
        return Best(value="PD", position=values.index("PD"))
    if followed == "CR":
        return Best(value="PD", position=values.index("CR"))
    if not values:
        return Best(value="NE", reason="no_assessment")
    early = next((place for place, value in enumerate(values) if value != "NE"), None)
    return Best(value="NE", position=0 if early is None else early,
                reason="not_evaluable" if early is None else "too_early")


def _followed_by_stable(values: list[str]) -> str | None:
    """The response (CR or PR) whose next evaluable assessment is SD; None if there is none."""
    evaluable = [value for value in values if value != "NE"]
    return next((one for one, after in pairwise(evaluable)
                 if one in ("CR", "PR") and after == "SD"), None)


def counting(readings: Sequence[Reading], new_therapy: int | None) -> list[Reading]:
    """The readings that count: up to the first progression, not after the start of new therapy."""
    some: list[Reading] = []
    for one in readings:
        if new_therapy is not None and one.first > new_therapy:
            break
        some.append(one)
        if one.overall == "PD":
            break
    return some


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One series to conclude on: whose, from which source, since when, and what else may change it."""

    subject: str
    evaluator: str
    source: str
    chosen: bool
    start: int
    baseline: bool
    readings: list[Reading]
    new_therapy: int | None = None
    doubted: Ground = NOTHING


def conclude(case: Case, rules: Response) -> list[BestResponse]:
    """The two rows of the table, unconfirmed and confirmed."""
    some = counting(case.readings, case.new_therapy)
    assessed = [(one.first, one.overall or "NE") for one in some]
    change = min((one.change for one in some if one.change is not None), default=None)
    controlled = max((one.first - case.start for one in some if one.overall in CONTROLLED), default=None)
    rows = []
    for is_confirmed, rule in ((False, unconfirmed), (True, confirmed)):
        best = rule(assessed, case.start, rules)
        if best.value == "NE" and best.reason == "not_evaluable" and not case.baseline:
            best = msgspec.structs.replace(best, reason="no_baseline")
        whole = together([case.doubted, *(one.ground for one in _deciding(some, assessed, best, rules))])
        doubted = whole.doubted(*(kind for one in some for kind in one.ground.held))
        rows.append(BestResponse(
            subject=case.subject, evaluator=case.evaluator, source=case.source, confirmed=is_confirmed,
            headline=case.chosen and case.evaluator == "investigator" and is_confirmed == rules.confirmation,
            value=best.value, date=None if best.position is None else written(some[best.position].first),
            reason=best.reason, first_response_date=written_or_none(_response_day(some, best)),
            best_change_permille=change, chosen=case.chosen, controlled_days=controlled,
            **doubted.told(_told(best, some, assessed, rules, is_confirmed)),
        ))
    return rows


def _response_day(some: list[Reading], best: Best) -> int | None:
    return None if best.response is None else some[best.response].first


def _deciding(some: list[Reading], assessed: list[Assessed], best: Best, rules: Response) -> list[Reading]:
    """The readings that decide: the one that gives the value, the one that confirms it, the first response."""
    if best.position is None:
        return []
    places = {best.position}
    if best.response is not None:
        places.add(best.response)
    if best.value in ("CR", "PR") and (again := confirms(assessed, best.position, rules)) is not None:
        places.add(again)
    return [some[place] for place in sorted(places)]


def _told(best: Best, some: list[Reading], assessed: list[Assessed], rules: Response, is_confirmed: bool) -> str:
    if best.position is None:
        return "NE: no assessment after the baseline"
    one = some[best.position]
    if best.value == "NE":
        return f"NE ({(best.reason or '').replace('_', ' ')}): {one.told()}"
    if best.value in ("CR", "PR"):
        again = confirms(assessed, best.position, rules)
        repeat = "" if not is_confirmed or again is None else f", confirmed {written(assessed[again][0])}"
        return f"{one.told()}{repeat}"
    if one.overall == best.value:
        return one.told()
    fallen = " (response not confirmed)" if is_confirmed and one.overall in ("CR", "PR") else ""
    return f"{best.value}{fallen}: {one.told()}"
