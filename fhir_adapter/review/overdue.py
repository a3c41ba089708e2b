"""Overdue: contact and scans that were expected by a day and have not come. The day is an argument, never a clock.

A hospital's day is the latest one that any of its subjects is known to have reached, so that nothing is overdue because
a hospital was not asked. Rows of mappings/checks.csv say how many days pass before somebody is asked (`tolerance`).
Source: DESIGN §5.5; endpoints.md §0.16, §6; the registry follows every subject to death or loss.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise

import msgspec
import pandas as pd

from fhir_adapter.core.checks import Check

Frames = dict[str, pd.DataFrame]

LONE_DAYS = 183
"""A latest day so far after every other of its hospital is a mistyped year: it makes nobody overdue."""

NO_LONGER_ASKED = ("visits", "records")
"""Levels of a withdrawal after which no contact is expected."""


class Overdue(msgspec.Struct, frozen=True, kw_only=True):
    """What is overdue of one subject: the check that says so, and what is missing (days, as text)."""

    check: Check
    subject: str
    values: tuple[str, ...]
    message: str


def as_of(evidence: pd.DataFrame, subjects: Mapping[str, Collection[str]]) -> dict[str, date]:
    """The day by hospital: the latest of its subjects' days, without one that stands alone by more than `LONE_DAYS`.

    In: `alive_evidence` (subject, date) of all subjects; the subjects of each hospital. A hospital without any day is
    left out. Of two days that are the same none stands alone.
    """
    days = evidence[evidence["date"].str.len() == 10] if not evidence.empty else evidence
    found = {}
    for hospital, listed in sorted(subjects.items()):
        mine = sorted(days[days["subject"].isin(list(listed))]["date"], reverse=True) if not days.empty else []
        known = [date.fromisoformat(one) for one in mine]
        if known:
            found[hospital] = next((late for late, before in pairwise(known) if (late - before).days <= LONE_DAYS),
                                   known[-1])
    return found


def overdue(frames: Frames, checks: Collection[Check], days: Mapping[str, date]) -> Iterator[Overdue]:
    """What is overdue on the day of each subject, in order of check and subject.

    In: the conclusions `alive_evidence`, `assessment_compliance` and `population`, and the standing facts `disposition`
    and `vital_status`. Only enrolled subjects who are not known to be dead, and have not left the study, are asked for.
    """
    if frames["population"].empty:
        return
    followed = sorted(_followed(frames) & set(days))
    for check in checks:
        rule = RULES.get(check.rule)
        if rule is not None:
            for subject, missing in rule(frames, check, {one: days[one] for one in followed}):
                yield Overdue(check=check, subject=subject, values=missing,
                              message=f"{check.message} {_told(check, missing)}, counted to {days[subject]}.")


def _followed(frames: Frames) -> set[str]:
    people = frames["population"]
    enrolled = people[(people["population"] == "enrolled") & people["included"].astype(bool)]
    return set(enrolled["subject"]) - _gone(frames)


def _gone(frames: Frames) -> set[str]:
    """Subjects who are dead, lost, at the end of the study, or have withdrawn from being followed."""
    steps, lives = frames["disposition"], frames["vital_status"]
    gone: set[str] = set()
    if not steps.empty:
        left = steps["event"].isin(["end_of_study", "lost_to_follow_up"])
        withdrawn = (steps["event"] == "withdrawal") & (steps["level"].isna() | steps["level"].isin(NO_LONGER_ASKED))
        gone |= set(steps[left | withdrawn]["subject"])
    return gone | (set(lives[lives["status"] == "dead"]["subject"]) if not lives.empty else set())


def _no_contact(frames: Frames, check: Check, days: Mapping[str, date]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Nothing proves a subject alive in the last days, as many as the tolerance says; the day of the last proof."""
    evidence = frames["alive_evidence"]
    last = evidence.groupby("subject")["date"].max() if not evidence.empty else pd.Series(dtype=object)
    for subject, day in days.items():
        seen = last.get(subject)
        if seen is not None and (day - date.fromisoformat(str(seen))).days > check.tolerance:
            yield subject, (str(seen),)


def _no_scan(frames: Frames, check: Check, days: Mapping[str, date]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Planned scans that were missed, when as many days have passed since their window; the days they were due."""
    scans = frames["assessment_compliance"]
    missed = scans[scans["state"] == "missed"] if not scans.empty else scans
    slack = timedelta(days=int(check.tolerance))
    for subject, some in (missed.groupby("subject", sort=True) if not missed.empty else ()):
        day = days.get(str(subject))
        due = () if day is None else tuple(
            sorted(one for one, until in zip(some["due"], some["due_to"], strict=True)
                   if date.fromisoformat(until) + slack < day))
        if due:
            yield str(subject), due


def _told(check: Check, missing: tuple[str, ...]) -> str:
    return ("Last known alive " if check.rule == "no_contact" else "Due ") + ", ".join(missing)


RULES: dict[str, Callable[[Frames, Check, Mapping[str, date]], Iterator[tuple[str, tuple[str, ...]]]]] = {
    "no_contact": _no_contact, "no_scan": _no_scan,
}
"""Rules of mappings/checks.csv that need a day; the others (checks.RULES) need none."""
