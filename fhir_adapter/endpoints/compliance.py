"""Whether the planned tumour assessments took place.

Every time point after the start belongs to the planned scan that is nearest to it. In the window it is done, before it
early, after it late; of several the best counts (done, early, late). A planned scan whose window ended before
follow-up did and that nobody filled is missed; one whose window was still open is not due. Follow-up for scans ends
with progression, death, the end of the study, and the last day on which anything could be known: the cut-off, without
one the last proof of life. Source: endpoints.md §6 (missed-visit test), §14 `[schedule]`.
"""

import msgspec
import pandas as pd

from fhir_adapter.core.protocol import Schedule
from fhir_adapter.endpoints.conclusions import AssessmentCompliance
from fhir_adapter.endpoints.frames import NOTHING, Ground, written, written_or_none
from fhir_adapter.endpoints.readings import Reading
from fhir_adapter.endpoints.schedule import nearest_scan, planned

STATES = ("done", "early", "late", "missed", "not_due")


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What one subject's compliance is decided by; `readings` are the time points after the baseline, in order."""

    subject: str
    start: int
    readings: list[Reading]
    ends: tuple[int, ...] = ()
    death: int | None = None
    last: int | None = None
    alive: int | None = None
    doubted: Ground = NOTHING


def conclude(of: Planned, schedule: Schedule) -> list[AssessmentCompliance]:
    """One row per planned scan up to the one that was due, or came, last; none without a schedule."""
    window, due = schedule.window_days, planned(schedule)
    if window is None or len(due) == 1:
        return []
    filled: dict[int, tuple[int, Reading, str]] = {}
    for one in of.readings:
        number = nearest_scan(schedule, one.first - of.start)
        if number >= 1:
            off = one.first - of.start - due[number]
            state = "done" if abs(off) <= window else "early" if off < 0 else "late"
            found = (STATES.index(state), one, state)
            filled[number] = min(found, filled.get(number, found), key=lambda each: each[0])
    until = _until(of)
    begun = [number for number, day in enumerate(due) if number and of.start + day - window <= until]
    return [_row(of, number, (of.start + due[number], window), filled.get(number), until)
            for number in range(1, max([0, *begun, *filled]) + 1)]


def _until(of: Planned) -> int:
    """The last day on which a scan was still owed."""
    progressed = [one.group.last for one in of.readings if one.overall == "PD"]
    known = of.last if of.last is not None else max(
        [of.start, *(one.group.last for one in of.readings), *([] if of.alive is None else [of.alive])])
    return min([known, *progressed, *of.ends, *([] if of.death is None else [of.death])])


def _row(of: Planned, number: int, when: tuple[int, int], filled: tuple[int, Reading, str] | None,
         until: int) -> AssessmentCompliance:
    day, window = when
    state = filled[2] if filled else "missed" if day + window <= until else "not_due"
    done = filled[1] if filled else None
    told = f"scan {number} due {written(day)} +- {window} days: {state.replace('_', ' ')}"
    whole = of.doubted if done is None else of.doubted | done.ground
    return AssessmentCompliance(
        subject=of.subject, number=number, due=written(day), due_from=written(day - window),
        due_to=written(day + window), done=written_or_none(None if done is None else done.first), state=state,
        **whole.told(told + (f" {written(done.first)}" if done else "")))


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """How many planned scans of each number took place, and of all.

    In: `assessment_compliance`. Out: number (`all` last), due (done, early, late or missed), done, early, late, missed,
    not_due, percent (of those due, done in the window or not; empty when none was due).
    """
    counted = pd.DataFrame({"number": frame["number"].tolist(), "state": frame["state"].tolist()})
    by_number = pd.crosstab(counted["number"], counted["state"]).reindex(columns=list(STATES), fill_value=0)
    whole = pd.concat([by_number, by_number.sum().to_frame("all").T])
    due = whole[["done", "early", "late", "missed"]].sum(axis=1)
    came = due - whole["missed"]
    percent = [round(100 * one / of, 1) if of else None for one, of in zip(came.tolist(), due.tolist(), strict=True)]
    found = whole.assign(due=due, percent=pd.Series(percent, index=whole.index, dtype=object))
    found.insert(0, "number", [str(one) for one in whole.index])
    return found[["number", "due", *STATES, "percent"]].reset_index(drop=True)
