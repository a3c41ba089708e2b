"""The clinical cut-off: what happened later is invisible.

Facts that begin after the cut-off are dropped, an end after it is open. Policy `cap` alone looks further: a later
proof of life, or a later death, shows that the subject lived at the cut-off (used for OS). Without a cut-off nothing
is dropped. Source: endpoints.md §0.17, §7.
"""

import pandas as pd

BEGINS = {
    "adverse_event": "onset", "anticancer_therapy": "start_date", "disposition": "date",
    "drug_administration": "start_date", "hospital_stay": "start_date", "lab_result": "date",
    "lesion_measurement": "date", "medication": "start_date", "performance_status": "date", "procedure": "start_date",
    "radiotherapy": "start_date", "response_assessment": "date", "tumor_assessment": "start_date",
    "vital_sign": "date", "vital_status": "death",
}
"""The column with which a fact of a table begins; tables without one are not dated."""


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
