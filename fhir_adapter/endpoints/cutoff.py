"""The clinical cut-off: what happened later is invisible.

Facts that begin after the cut-off are dropped, an end after it is open; a partial date counts from its first possible
day. A death of which the day is imputed is bounded by the cut-off from above, and is none where a later proof of life
shows that it had not happened. Policy `cap` alone lets what came later decide OS: a later proof of life, or a later
death, censors at the cut-off. An adverse event whose death came later goes on at the cut-off: it is not fatal yet, and
what grade it had by then its record does not say. Without a cut-off nothing is dropped.
Source: endpoints.md §0.15, §0.17, §7.
"""

from collections.abc import Mapping

import msgspec
import pandas as pd

from fhir_adapter.endpoints.frames import Ground, Trial, first_day
from fhir_adapter.endpoints.survival import Life

BEGINS = {
    "adverse_event": "onset", "anticancer_therapy": "start_date", "biomarker": "date", "deviation": "date",
    "disposition": "date", "medical_history": "onset",
    "drug_administration": "start_date", "hospital_stay": "start_date", "lab_result": "date",
    "lesion_measurement": "date", "medication": "start_date", "performance_status": "date", "procedure": "start_date",
    "radiotherapy": "start_date", "response_assessment": "date", "tumor_assessment": "start_date",
    "vital_sign": "date", "vital_status": "death",
}
"""The column with which a fact of a table begins; tables without one are not dated."""

FATAL = 5
"""The CTCAE grade that is a death."""


def cut(facts: dict[str, pd.DataFrame], on: str | None) -> dict[str, pd.DataFrame]:
    """The facts as they were known to have happened up to and including a day (`YYYY-MM-DD`)."""
    if on is None:
        return facts
    return {name: _cut(frame, BEGINS.get(name), on) for name, frame in facts.items()}


def _cut(frame: pd.DataFrame, begins: str | None, on: str) -> pd.DataFrame:
    if begins is None or begins not in frame or frame.empty:
        return frame
    kept = frame[frame[begins].isna() | (frame[begins].astype("string") <= on)]
    if "end_date" not in kept:
        return kept
    later = kept["end_date"].astype("string") > on
    return kept.assign(end_date=kept["end_date"].astype(object).mask(later.fillna(False).astype(bool), None))


def bounded(found: Mapping[str, Life], whole: Mapping[str, Life], limit: int | None) -> dict[str, Life]:
    """Lives up to a day, with the imputed deaths that may have happened by then; `whole`: with what came later."""
    if limit is None:
        return dict(found)
    return {subject: _bounded(life, whole.get(subject, life), limit) for subject, life in found.items()}


def _bounded(life: Life, whole: Life, limit: int) -> Life:
    death, alive = life.death, whole.last_alive
    if death is None or death.imputed is None:
        return life
    if alive is not None and alive[1] > limit:
        return msgspec.structs.replace(life, death=None)
    return msgspec.structs.replace(life, death=msgspec.structs.replace(death, day=min(death.day, limit)))


def caps(whole: Mapping[str, Life], limit: int | None) -> dict[str, int]:
    """By policy `cap`: the cut-off for every subject of whom a later proof of life or a later death is known."""
    if limit is None:
        return {}
    return {subject: limit for subject, life in whole.items()
            if (life.death is not None and life.death.day > limit)
            or (life.last_alive is not None and life.last_alive[1] > limit)}


def not_yet_fatal(whole: Trial, known: tuple[Mapping[str, Life], Mapping[str, Life]],
                  limit: int | None) -> dict[str, Ground]:
    """Fatal adverse events whose death came after the cut-off: by fact key, what is open about that death.

    `whole`: the facts without a cut-off; `known`: the lives up to it, and with what came later. Of a subject whose
    death is stated its day decides, of another the first possible day of the event's own end; without either nothing
    says that it came later, and the event stays fatal.
    """
    if limit is None:
        return {}
    found = {}
    for row in whole.rows("adverse_event"):
        if row.outcome != "fatal" and row.grade != FATAL:
            continue
        died, later = (one[row.subject].death if row.subject in one else None for one in known)
        end = first_day(row.end_date)
        if died is None and (later is not None or (end is not None and end > limit)):
            found[row.fact_key] = Ground() if later is None else Ground(held=later.ground.held)
    return found
