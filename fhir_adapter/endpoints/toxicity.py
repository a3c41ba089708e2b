"""Adverse events: one row per record with the analysis sets it belongs to, and counts of participants.

- `registered`: onset from the first study treatment (radiotherapy included) to the end of follow-up.
- `teae`: to the last component + `teae_window_days`; ongoing treatment leaves the end open.
- `extended`: serious ones, to the last component + `extended_window_days`.
A partial onset belongs if it can; an unknown onset belongs unless the event ended before treatment began.
Related: true if a named component is related, false if all named are not, else unknown (`missing_relatedness`).
Counts are of participants at their worst grade, once per term, per organ class and overall; a missing grade is its own
column. Source: CTCAE; endpoints.md §0.19, §10; profiles of the HL7 adverse event guides.
"""

import json
from collections import defaultdict

import msgspec
import pandas as pd

from fhir_adapter.core.study import Toxicity
from fhir_adapter.endpoints.conclusions import AeEpisode
from fhir_adapter.endpoints.frames import Ground, Row, Trial, first_day, ground, last_day, together

LATE_DAYS = 90
"""Radiotherapy effects are acute up to this many days after the last fraction."""
GRADES = ("1", "2", "3", "4", "5", "missing")


class Treated(msgspec.Struct, frozen=True, kw_only=True):
    """When a subject was treated: first treatment, last component (None while treatment goes on), fractions."""

    first: int | None = None
    last: int | None = None
    first_fraction: int | None = None
    last_fraction: int | None = None
    doubted: Ground = Ground()


class _About(msgspec.Struct, frozen=True):
    """What is said about the events of one record: causality, actions, criteria."""

    causality: list[Row]
    actions: list[Row]
    criteria: list[Row]


def episodes(trial: Trial, treated: dict[str, Treated]) -> list[AeEpisode]:
    """One row per adverse event record, numbered by onset within the subject."""
    names = ("ae_causality", "ae_action", "ae_seriousness")
    tables: dict[str, dict[str, list[Row]]] = {name: defaultdict(list) for name in names}
    for name, found in tables.items():
        for row in trial.rows(name):
            found[row.resource].append(row)
    by_subject: dict[str, list[Row]] = defaultdict(list)
    for row in trial.rows("adverse_event"):
        by_subject[row.subject].append(row)
    rows = []
    for subject, some in sorted(by_subject.items()):
        ordered = sorted(some, key=lambda row: (row.onset is None, row.onset or "", _term(row), row.fact_key))
        for number, row in enumerate(ordered, start=1):
            about = _About(*(tables[name][row.resource] for name in names))
            rows.append(_episode(number, row, about, treated.get(subject, Treated()), trial.protocol.toxicity))
    return rows


def _term(row: Row) -> str:
    return str(row.term or row.term_text or "not coded")


def _episode(number: int, row: Row, about: _About, treated: Treated, rules: Toxicity) -> AeEpisode:
    related = related_to_any([one.related for one in about.causality], rules.missing_relatedness)
    grade = None if row.grade is None else int(row.grade)
    serious = True if about.criteria else row.serious
    begins, onset = treated.first, first_day(row.onset)
    whole = together([
        ground("adverse_event", row), *(ground("ae_causality", one) for one in about.causality),
        *(ground("ae_action", one) for one in about.actions),
        *(ground("ae_seriousness", one) for one in about.criteria), treated.doubted,
    ])
    registered = _since(row, begins)
    return AeEpisode(
        subject=row.subject, number=number, term=_term(row), coded=row.term is not None, soc=row.soc or "not coded",
        ctcae=row.ctcae or rules.ctcae, grade=grade, onset=row.onset,
        onset_day=_study_day(onset, begins) if row.onset is not None and len(row.onset) == 10 else None,
        end=row.end_date, serious=serious, fatal=row.outcome == "fatal" or grade == 5, related=related,
        related_to=json.dumps(sorted({one.component for one in about.causality if one.related is True})),
        actions=json.dumps(sorted({f"{one.component}:{one.action}" for one in about.actions})),
        in_registered=registered,
        in_teae=registered and _until(onset, treated.last, rules.teae_window_days),
        in_extended=registered and serious is True and _until(onset, treated.last, rules.extended_window_days),
        radiotherapy_phase=_phase(onset, treated), **whole.told(_told(row, grade)),
    )


def related_to_any(judged: list[bool | None], missing: str) -> bool | None:
    """Whether any component is named as related; what nobody judged is unknown, or as the option says."""
    if True in judged:
        return True
    if judged and None not in judged:
        return False
    return {"related": True, "not_related": False}.get(missing)


def _since(row: Row, first: int | None) -> bool:
    """Whether the event can have begun on or after the first study treatment."""
    if first is None:
        return False
    onset, end = last_day(row.onset), last_day(row.end_date)
    if onset is None:
        return end is None or end >= first
    return onset >= first


def _until(onset: int | None, last: int | None, days: int) -> bool:
    return onset is None or last is None or onset <= last + days


def _study_day(number: int | None, first: int | None) -> int | None:
    """Day 1 is the first study treatment, the day before is -1."""
    if number is None or first is None:
        return None
    return number - first + (1 if number >= first else 0)


def _phase(onset: int | None, treated: Treated) -> str | None:
    if onset is None or treated.first_fraction is None or onset < treated.first_fraction:
        return None
    if treated.last_fraction is None or onset <= treated.last_fraction + LATE_DAYS:
        return "acute"
    return "late"


def _told(row: Row, grade: int | None) -> str:
    told = "grade missing" if grade is None else f"grade {grade}"
    return f"{_term(row)}, {told}, onset {row.onset or 'unknown'}"


def ae_summary(frame: pd.DataFrame, name: str = "registered") -> pd.DataFrame:
    """Participants by worst grade: overall, per organ class, per term; by frequency, then by name.

    In: the table `ae_episode`; `name` is `registered`, `teae` or `extended`. Out: level (overall, soc, term), soc,
    term, participants, one column per grade `1` to `5` and `missing`.
    """
    columns = ["level", "soc", "term", "participants", *GRADES]
    events = frame[frame[f"in_{name}"].eq(True)]
    if len(events) == 0:
        return pd.DataFrame({column: pd.Series(dtype=object) for column in columns})
    parts: list[pd.DataFrame] = []
    levels: tuple[tuple[str, list[str]], ...] = (("overall", []), ("soc", ["soc"]), ("term", ["soc", "term"]))
    for level, keys in levels:
        worst = events.assign(grade=pd.to_numeric(events["grade"])).groupby([*keys, "subject"], as_index=False)[
            "grade"].max()
        label = worst["grade"].astype("Int64").astype("string").fillna("missing")
        counted = worst.assign(label=label, one=1, **{key: "" for key in ("soc", "term") if key not in keys})
        table = counted.pivot_table(index=["soc", "term"], columns="label", values="one", aggfunc="sum", fill_value=0)
        table = table.reindex(columns=list(GRADES), fill_value=0).astype("int64")
        parts.append(table.assign(participants=table.sum(axis=1), level=level).reset_index())
    whole: pd.DataFrame = pd.concat(parts, ignore_index=True)[columns]
    whole["rank"] = whole["level"].map({"overall": 0, "soc": 1, "term": 2})
    whole = whole.sort_values(["rank", "participants", "soc", "term"], ascending=[True, False, True, True])
    return whole.drop(columns="rank").reset_index(drop=True)
