"""Detection: which facts of one subject cannot all be true.

Input everywhere: fact frames of standing facts (columns of core.tables.FACT_COLUMNS plus the domain's own).
Output: Disputes. Only candidates are walked in Python; the search for them is whole-column.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pandas as pd

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.review.disputes import Dispute, Member, scope_of
from fhir_adapter.review.reconciliation import reconcile

Frames = dict[str, pd.DataFrame]

ENDPOINT_TABLES = frozenset({
    "vital_status", "drug_administration", "anticancer_therapy", "radiotherapy", "radiotherapy_volume",
    "lesion", "lesion_measurement", "response_assessment", "adverse_event",
})
"""Tables whose facts decide endpoints: a retraction there asks for a person."""

_ACTIVITY = {
    "drug_administration": "start_date", "radiotherapy": "end_date", "procedure": "start_date",
    "lab_result": "date", "vital_sign": "date", "performance_status": "date", "tumor_assessment": "start_date",
    "lesion_measurement": "date",
}
"""What only a living person has, with the column that dates it."""


def detect(frames: Frames) -> Iterator[Dispute]:
    """Every dispute among the standing facts of the subjects in the frames."""
    for finder in ALL:
        yield from finder(frames)


def member(table: str, row: Any) -> Member:
    """A fact row as a member of a dispute."""
    return Member(table, row.fact_key, row.hospital, row.resource, row.element)


def death_dates_disagree(frames: Frames) -> Iterator[Dispute]:
    """Two sources state deaths on days that cannot be the same (a month holds any of its days)."""
    deaths = _rows(frames, "vital_status", lambda f: (f.status == "dead") & f.death.notna())
    for _, rows in _repeated(deaths, ["subject"]):
        dates = [PartialDate(text=row.death, written="") for row in rows]
        if max(date.earliest for date in dates) > min(date.latest for date in dates):
            yield _facts("death_dates_disagree", "vital_status", rows, "death",
                         "Two records give dates of death that cannot both be true.")


def activity_after_death(frames: Frames) -> Iterator[Dispute]:
    """Something only a living person has is dated after the latest stated death."""
    deaths = _rows(frames, "vital_status", lambda f: (f.status == "dead") & f.death.notna())
    if deaths.empty:
        return
    latest = deaths.death.map(lambda text: PartialDate(text=text, written="").latest.isoformat())
    last_day = latest.groupby(deaths.subject).max()
    found: dict[Any, list[Member]] = {}
    for table, column in _ACTIVITY.items():
        rows = _rows(frames, table, _known_to_the_day(column))
        if table == "drug_administration" and not rows.empty:
            rows = rows[rows.given.eq(True) & rows.evidence.eq("administered")]
        late = rows[rows[column] > rows.subject.map(last_day)] if not rows.empty else rows
        for row in late.itertuples():
            found.setdefault(row.subject, []).append(member(table, row))
    for subject, activities in sorted(found.items()):
        stated = [member("vital_status", row) for row in deaths[deaths.subject == subject].itertuples()]
        yield Dispute(kind="activity_after_death", scope=scope_of(stated), subject=subject,
                      members=tuple(sorted(stated) + sorted(activities)), holds=False,
                      values=tuple(sorted(one.fact_key for one in stated + activities)),
                      message=f"{len(activities)} record(s) are dated after the death.")


def fatal_ae_without_death(frames: Frames) -> Iterator[Dispute]:
    """An adverse event was fatal (outcome, or grade 5), but no record says that the subject died."""
    fatal = _rows(frames, "adverse_event", lambda f: f.outcome.eq("fatal") | f.grade.eq(5))
    dead = set(_rows(frames, "vital_status", lambda f: f.status == "dead").get("subject", ()))
    rows: Iterable[Any] = fatal.itertuples()
    for row in rows:
        if row.subject not in dead:
            one = member("adverse_event", row)
            yield Dispute(kind="fatal_ae_without_death", scope=scope_of([one]), subject=row.subject, members=(one,),
                          values=(_text(row.outcome), _text(row.grade)), holds=False,
                          message="An adverse event was fatal, but no record says that the subject died.")


def readings_differ(frames: Frames) -> Iterator[Dispute]:
    """One lesion, one day, one evaluator role, two sizes: two readers, or one who measured twice."""
    sizes = _rows(frames, "lesion_measurement", lambda f: f.date.notna() & f.state.isin(("measured", "too_small")))
    keys = ["subject", "lesion", "date", "fragment", "evaluator", "axis"]
    for _, rows in _repeated(sizes, keys):
        if len({row.size_um for row in rows}) > 1:
            kind = "readers_disagree" if len({row.performer for row in rows}) > 1 else "lesion_measured_twice"
            yield _facts(kind, "lesion_measurement", rows, "size_text", "One lesion has two sizes on one day.")


def responses_differ(frames: Frames) -> Iterator[Dispute]:
    """Two performers of one evaluator role, or two evaluators, judge one scan differently."""
    stated = _rows(frames, "response_assessment", lambda f: f.category.eq("overall") & f.date.notna())
    for _, rows in _repeated(stated, ["subject", "date", "criteria"]):
        if len({row.value for row in rows}) < 2:
            continue
        within = [[row for row in rows if row.evaluator == role] for role in sorted({row.evaluator for row in rows})]
        for same_role in within:
            if len({row.value for row in same_role}) > 1 and len({row.performer for row in same_role}) > 1:
                yield _facts("readers_disagree", "response_assessment", same_role, "value",
                             "Two readers judge one scan differently.")
        if len(within) > 1:
            yield _facts("evaluators_disagree", "response_assessment", rows, "value",
                         "Investigator and central review judge one scan differently.", holds=False)


def lesion_roles_differ(frames: Frames) -> Iterator[Dispute]:
    """Two sources give one lesion two roles."""
    roles = _rows(frames, "lesion", lambda f: f.role.notna())
    for _, rows in _repeated(roles, ["subject", "lesion"]):
        if len({row.role for row in rows}) > 1:
            yield _facts("lesion_role_disagrees", "lesion", rows, "role", "One lesion has two roles.")


def causalities_differ(frames: Frames) -> Iterator[Dispute]:
    """A record and a sheet, or two sheets, judge differently whether a component caused an event."""
    judged = _rows(frames, "ae_causality", lambda f: f.related.notna())
    if judged.empty:
        return
    judged = judged.assign(about=judged.record.where(judged.record.notna(), judged.resource))
    for _, rows in _repeated(judged, ["subject", "about", "component"]):
        if len({row.related for row in rows}) > 1 and len({row.resource for row in rows}) > 1:
            yield _facts("causality_disagrees", "ae_causality", rows, "relatedness",
                         "Two judgements of whether a treatment caused an adverse event differ.")


def duplicate_adverse_events(frames: Frames) -> Iterator[Dispute]:
    """Two records tell of one term with one onset. An episode split into grades has several onsets and is none."""
    events = _rows(frames, "adverse_event", lambda f: f.onset.notna() & (f.term.notna() | f.term_text.notna()))
    if events.empty:
        return
    events = events.assign(what=events.term.fillna(events.term_text))
    for _, rows in _repeated(events, ["subject", "what", "onset"]):
        if len({row.resource for row in rows}) > 1:
            yield _facts("duplicate_adverse_event", "adverse_event", rows, "grade",
                         "Two records tell of one term with one onset.", holds=False)


def overlapping_adverse_events(frames: Frames) -> Iterator[Dispute]:
    """A record begins while another of the same term goes on: on a later day, and before the day on which that ends.

    Grades of one episode follow each other, the end of one on the onset of the next. Days are known to the day.
    """
    days = _rows(frames, "adverse_event", lambda f: (f.onset.str.len() == 10) & (f.term.notna() | f.term_text.notna()))
    if days.empty:
        return
    days = days.assign(what=days.term.fillna(days.term_text)).sort_values(["onset", "fact_key"])
    for _, rows in _repeated(days, ["subject", "what"]):
        for place, row in enumerate(rows):
            over = [one for one in rows[:place] if one.resource != row.resource and _known(one.end_date)
                    and one.onset < row.onset < one.end_date]
            if over:
                yield _facts("duplicate_adverse_event", "adverse_event", [*over, row], "onset",
                             "An adverse event begins while another record of its term goes on.", holds=False)


def _known(day: Any) -> bool:
    return isinstance(day, str) and len(day) == 10


def retracted_records(frames: Frames) -> Iterator[Dispute]:
    """A record that decided something was deleted or entered in error."""
    found: dict[tuple[Any, Any], list[Member]] = {}
    for table in sorted(ENDPOINT_TABLES):
        for row in _rows(frames, table, lambda f: f.standing == "retracted").itertuples():
            found.setdefault((row.subject, row.resource), []).append(member(table, row))
    for (subject, resource), members in sorted(found.items()):
        yield Dispute(kind="retracted_record", scope=(resource,), subject=subject, members=tuple(sorted(members)),
                      values=("retracted",), holds=False,
                      message="A record that decided something was deleted or entered in error.")


def hidden_records(frames: Frames, origins: pd.DataFrame) -> Iterator[Dispute]:
    """A record that decides something can no longer be read by us, and nobody says that it is gone (Q30).

    `origins`: the versions of records, with resource, ordinal and reason; the newest of a hidden one is `not_visible`.
    """
    newest = origins.sort_values("ordinal").drop_duplicates("resource", keep="last")
    hidden = set(newest[newest.reason == "not_visible"].resource)
    found: dict[tuple[Any, Any], list[Member]] = {}
    for table in sorted(ENDPOINT_TABLES) if hidden else ():
        for row in _rows(frames, table, lambda f: f.resource.isin(list(hidden))).itertuples():
            found.setdefault((row.subject, row.resource), []).append(member(table, row))
    for (subject, resource), members in sorted(found.items()):
        yield Dispute(kind="hidden_record", scope=(resource,), subject=subject, members=tuple(sorted(members)),
                      values=("not visible",), holds=False,
                      message="A record that decides something is no longer visible to us, and not known to be gone.")


def _facts(kind: str, table: str, rows: list[Any], column: str, message: str, *, holds: bool = True) -> Dispute:
    members = tuple(sorted(member(table, row) for row in rows))
    values = tuple(sorted(f"{row.hospital}|{row.element}|{_text(getattr(row, column))}" for row in rows))
    return Dispute(kind=kind, scope=scope_of(members), subject=rows[0].subject, members=members, values=values,
                   message=message, holds=holds)


def _text(value: Any) -> str:
    """A value in one form, whatever the column's type: an integer column with gaps is a float column in pandas."""
    if pd.isna(value):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _known_to_the_day(column: str) -> Callable[[pd.DataFrame], "pd.Series[bool]"]:
    return lambda frame: frame[column].str.len() == 10


def _rows(frames: Frames, table: str, condition: Callable[[pd.DataFrame], "pd.Series[bool]"]) -> pd.DataFrame:
    frame = frames.get(table)
    if frame is None or frame.empty:
        return pd.DataFrame()
    return frame[condition(frame)]


def _repeated(frame: pd.DataFrame, keys: list[str]) -> Iterator[tuple[Any, list[Any]]]:
    """Groups of at least two rows, in key order; a missing key value is a value of its own."""
    if frame.empty:
        return
    doubles = frame[frame.duplicated(keys, keep=False)]
    for key, group in doubles.groupby(keys, sort=True, dropna=False):
        yield key, list(group.itertuples())


ALL: tuple[Callable[[Frames], Iterator[Dispute]], ...] = (
    death_dates_disagree, activity_after_death, fatal_ae_without_death, readings_differ, responses_differ,
    lesion_roles_differ, causalities_differ, duplicate_adverse_events,
    overlapping_adverse_events, reconcile,
)
"""The finders over standing facts alone; `retracted_records` looks at retracted ones, `hidden_records` at versions."""
