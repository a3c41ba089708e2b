"""What must hold for everybody, over 600 invented subjects each: two derivations that differ in one thing.

The changes are made to the subjects themselves, so that the same facts builder serves both.
"""

from collections.abc import Callable
from copy import deepcopy
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any

import pandas as pd
import pytest

from fhir_adapter.core.protocol import Protocol
from fhir_adapter.endpoints import derive
from tests.endpoints.build import TERMS, protocol
from tests.endpoints.invented import as_facts, subject
from tests.endpoints.reference import Subject, Visit, days

pytestmark = pytest.mark.hard

RULES = protocol(response={"source": "lesions"})
RANK = ("CR", "PR", "SD", "NON-CR/NON-PD", "NED", "PD", "NE")
Frames = dict[str, pd.DataFrame]


@cache
def subjects() -> tuple[Subject, ...]:
    """The invented subjects; nobody changes them."""
    return tuple(subject(number) for number in range(40_000, 40_600))


def frames(some: tuple[Subject, ...], cut_off: str | None = None, rules: Protocol = RULES) -> Frames:
    """Their conclusions."""
    return derive(as_facts(*some), rules, TERMS, cut_off=cut_off).frames


@cache
def base() -> Frames:
    """The conclusions of the subjects as they are."""
    return frames(subjects())


def changed(change: Callable[[Subject], None]) -> tuple[Subject, ...]:
    """Copies of the subjects, each changed."""
    some = deepcopy(subjects())
    for one in some:
        change(one)
    return some


def best(found: Frames, confirmed: bool) -> dict[str, str]:
    """Best responses by subject."""
    rows = found["best_response"]
    rows = rows[rows["confirmed"].eq(confirmed)]
    return dict(zip(rows["subject"], rows["value"], strict=True))


def ends(found: Frames, endpoint: str, rule: str = "") -> dict[str, tuple[str, str, int]]:
    """Date, status and days of an endpoint by subject."""
    rows = found["time_to_event"]
    rows = rows[(rows["endpoint"] == endpoint) & (rows["rule"] == rule)]
    lines: list[Any] = list(rows.itertuples())
    return {row.subject: (row.date, row.status, row.days) for row in lines}


def progressed(found: Frames) -> dict[str, date]:
    """The first scan of the first progression by subject."""
    rows = found["time_point"]
    lines: list[Any] = list(rows[rows["overall"] == "PD"].drop_duplicates("subject").itertuples())
    return {row.subject: date.fromisoformat(row.date) for row in lines}


def test_an_assessment_after_the_first_progression_changes_no_best_response() -> None:
    """A complete response, or another progression, sixty days after the last scan.

    Not a new lesion where an equivocal one was seen: it would confirm that one, and date the progression back (§2.3).
    """
    first = progressed(base())

    def add(one: Subject) -> None:
        if one.name in first:
            random = Random(one.name)
            found: dict[str, Any] = {lesion.name: random.choice(("absent", "not_evaluated")) for lesion in one.lesions}
            doubtful = any(visit.new == "equivocal" for visit in one.visits)
            new = "none" if doubtful else random.choice(("none", "unequivocal"))
            one.visits.append(Visit(one.visits[-1].day + days(60), found, new))

    again = frames(changed(add))
    assert len(first) > 200
    for confirmed in (False, True):
        before, after = best(base(), confirmed), best(again, confirmed)
        assert {name: (before[name], after[name]) for name in first if before[name] != after[name]} == {}
    pfs, later = ends(base(), "PFS", "treatment_policy"), ends(again, "PFS", "treatment_policy")
    assert {name for name in first if pfs[name] != later[name]} == set()


def test_shifting_all_dates_shifts_the_results() -> None:
    """By 400 days, over a leap day: every date moves, no status, value or number of days changes."""
    by = timedelta(days=400)

    def move(one: Subject) -> None:
        one.start += by
        for visit in [*([one.baseline] if one.baseline else []), *one.visits]:
            visit.day += by
        one.death = one.death + by if one.death else None
        one.new_therapy = one.new_therapy + by if one.new_therapy else None
        one.contacts = [day + by for day in one.contacts]

    again = frames(changed(move))
    for name in ("time_point", "best_response", "time_to_event", "immune_time_point", "assessment_compliance"):
        before, after = base()[name], again[name]
        words = {"why", "facts", *(column for column in before if "date" in str(column) or column in (
            "start", "due", "due_from", "due_to", "done", "first_iupd"))}
        pd.testing.assert_frame_equal(before.drop(columns=list(words)), after.drop(columns=list(words)))
    moved = pd.to_datetime(base()["time_to_event"]["date"]) + by
    pd.testing.assert_series_equal(moved, pd.to_datetime(again["time_to_event"]["date"]))


def test_adding_a_scan_that_nobody_could_read_never_improves() -> None:
    """Not evaluable, in a gap of 70 days or more: no better best response, no later or other end of PFS."""
    def add(one: Subject) -> None:
        line = [one.start, *(visit.day for visit in one.visits)]
        for number, (day, after) in enumerate(zip(line, [*line[1:], line[-1] + days(100)], strict=True)):
            if (after - day).days >= 70:
                one.visits.insert(number, Visit(day + days((after - day).days // 2),
                                                {lesion.name: "not_evaluated" for lesion in one.lesions}))
                return

    some = changed(add)
    again = frames(some)
    touched = {one.name for one, old in zip(some, subjects(), strict=True) if len(one.visits) > len(old.visits)}
    assert len(touched) > 200
    for confirmed in (False, True):
        before, after = best(base(), confirmed), best(again, confirmed)
        assert {name for name in touched if RANK.index(after[name]) < RANK.index(before[name])} == set()
    for rule in ("treatment_policy", "table_a"):
        pfs, later = ends(base(), "PFS", rule), ends(again, "PFS", rule)
        assert {name for name in touched if pfs[name] != later[name]} == set()


def test_pfs_never_ends_after_os() -> None:
    """Complete dates; table A never ends after treatment policy; TTP never before PFS; iPFS never before PFS."""
    survival, policy = ends(base(), "OS"), ends(base(), "PFS", "treatment_policy")
    table_a, ttp = ends(base(), "PFS", "table_a"), ends(base(), "TTP", "treatment_policy")
    immune = ends(base(), "iPFS", "treatment_policy")
    assert {name for name, end in policy.items() if end[0] > survival[name][0]} == set()
    assert {name for name, end in table_a.items() if end[0] > policy[name][0]} == set()
    assert {name for name, end in ttp.items() if end[1] == "event" and end != policy[name]} == set()
    assert {name for name, end in immune.items() if end[1] == "event" and end[0] < policy[name][0]} == set()


def test_a_later_cut_off_never_turns_an_event_into_a_censoring() -> None:
    """OS and PFS (treatment policy) at cut-offs of 120, 250 and 500 days after the first dose."""
    for endpoint, rule in (("OS", ""), ("PFS", "treatment_policy")):
        lines = [ends(cut(number), endpoint, rule) for number in (120, 250, 500)] + [ends(base(), endpoint, rule)]
        for before, after in pairwise(lines):
            assert {name for name, end in before.items() if end[1] == "event" and after[name][1] != "event"} == set()
            assert {name for name, end in before.items() if end[1] == "event" and after[name][0] > end[0]} == set()


@cache
def cut(number: int) -> Frames:
    """The conclusions at a cut-off."""
    return frames(subjects(), (date(2023, 1, 2) + days(number)).isoformat())


def test_a_held_fact_never_removes_a_subject() -> None:
    """A third of all facts held for one of several kinds: the same subjects, populations and clocks."""
    random = Random(3)
    facts = as_facts(*subjects())
    kinds = ("unit_implausible", "readers_disagree", "death_dates_disagree", "therapy_role_unknown", "partial_date",
             "merged_patient")
    held = {name: frame.assign(held_kind=pd.Series(
        [random.choice(kinds) if random.random() < 0.3 else None for _ in frame.index], dtype=object), standing="held")
        for name, frame in facts.items()}
    again = derive(held, RULES, TERMS).frames
    for name, keys in (("population", ["subject", "population"]), ("baseline", ["subject", "evaluator"]),
                       ("best_response", ["subject", "confirmed"])):
        assert again[name][keys].to_numpy().tolist() == base()[name][keys].to_numpy().tolist()
    treated = [frame["population"].query("population == 'treated' and included")["subject"].tolist()
               for frame in (again, base())]
    assert treated[0] == treated[1]
    assert ends(again, "OS").keys() == ends(base(), "OS").keys()
    assert {name: end[1] for name, end in ends(again, "OS").items()} == {
        name: end[1] for name, end in ends(base(), "OS").items()}
    assert again["time_to_event"]["provisional"].any()


def test_the_order_of_facts_does_not_matter() -> None:
    """Rows shuffled: the same conclusions."""
    facts = {name: frame.sample(frac=1, random_state=5) for name, frame in as_facts(*subjects()).items()}
    again = derive(facts, RULES, TERMS).frames
    for name, frame in base().items():
        pd.testing.assert_frame_equal(again[name], frame, obj=name)


def test_confirmation_never_improves() -> None:
    """The confirmed best response is never better than the unconfirmed one; the same holds of iRECIST."""
    strict, free = best(base(), True), best(base(), False)
    assert {name for name in strict if RANK.index(strict[name]) < RANK.index(free[name])} == set()
    immune = base()["immune_best_response"]
    order = ("iCR", "iPR", "iSD", "NON-iCR/NON-iUPD", "NED", "iCPD", "iUPD", "NE")
    by = [dict(zip(rows["subject"], rows["value"], strict=True)) for rows in (
        immune[immune["confirmed"].eq(flag)] for flag in (True, False))]
    assert {name for name in by[0] if order.index(by[0][name]) < order.index(by[1][name])} == set()


def test_irecist_is_recist_until_the_first_progression() -> None:
    """§3: the same values with an i; the first iUPD is the first PD."""
    plain, immune = base()["time_point"], base()["immune_time_point"]
    plain = plain[plain["number"] > 0]
    first = plain[plain["overall"] == "PD"].drop_duplicates("subject").set_index("subject")["number"]
    both = plain.merge(immune, on=["subject", "evaluator", "number"])
    limit = both["subject"].map(first)
    until = both[limit.isna() | (both["number"] <= limit)]
    told = until["value"].replace({"iUPD": "PD", "NON-iCR/NON-iUPD": "NON-CR/NON-PD", "iCR": "CR", "iPR": "PR",
                                   "iSD": "SD"})
    assert len(until) > 1000
    assert (told == until["overall"]).all()
