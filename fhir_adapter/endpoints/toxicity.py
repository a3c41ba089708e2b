"""Adverse events: one row per record with the analysis sets it belongs to.

- `registered`: onset from the first study treatment (radiotherapy included) to the end of follow-up.
- `teae`: to the last component + `teae_window_days`; ongoing treatment leaves the end open.
- `extended`: serious or immune-related ones, to the last component + `extended_window_days`.
A partial onset belongs if it can; an unknown onset belongs unless the event ended before treatment began.
Related: true if a named component is related, false if all named are not, else unknown (`missing_relatedness`).
Records of one term that touch or overlap are one episode. A record that goes on from an episode begun before treatment
is emergent (`teae`, `extended`) only when its grade is higher than every grade before, or cannot be compared; the
registry's set goes by dates alone. Of an event whose death came after the clinical cut-off neither grade 5 nor the
fatal outcome nor that criterion counts: its grade is missing, its stated seriousness stays. A term is immune-related
when mappings/terms/immune_related.csv lists it.
Source: CTCAE; endpoints.md §0.19, §10; profiles of the HL7 adverse event guides.
"""

import json
from collections import defaultdict
from collections.abc import Mapping

import msgspec

from fhir_adapter.core.concepts import CTCAE_IN_PART
from fhir_adapter.endpoints.conclusions import AeEpisode
from fhir_adapter.endpoints.cutoff import FATAL
from fhir_adapter.endpoints.frames import Ground, Row, Trial, first_day, ground, last_day, together
from fhir_adapter.endpoints.lab_toxicity import Span

LATE_DAYS = 90
"""Radiotherapy effects are acute up to this many days after the last fraction."""


class Treated(msgspec.Struct, frozen=True, kw_only=True):
    """When a subject was treated: first treatment, last component (None while treatment goes on), fractions."""

    first: int | None = None
    last: int | None = None
    first_fraction: int | None = None
    last_fraction: int | None = None
    doubted: Ground = Ground()
    not_yet_fatal: Mapping[str, Ground] = {}
    """Records whose death came after the clinical cut-off, with what is open about it."""

    def span(self, window: int) -> Span:
        """When values count as taken on treatment."""
        return Span(self.first, None if self.last is None else self.last + window)


class _About(msgspec.Struct, frozen=True):
    """What is said about the events of one record: causality, actions, criteria; and that it kills later only."""

    causality: list[Row]
    actions: list[Row]
    criteria: list[Row]
    later: Ground | None

    @property
    def serious(self) -> list[Row]:
        """The criteria that are met by the cut-off."""
        return [one for one in self.criteria if self.later is None or one.criterion != "death"]


class _Place(msgspec.Struct, frozen=True):
    """Which record of a subject this is: its number, its episode, whether it only continues an earlier one."""

    number: int
    episode: int
    continues: bool


def episodes(trial: Trial, treated: dict[str, Treated]) -> list[AeEpisode]:
    """One row per adverse event record, numbered by onset within the subject."""
    names = ("ae_causality", "ae_action", "ae_seriousness")
    tables: dict[str, dict[str, list[Row]]] = {name: defaultdict(list) for name in names}
    for name, found in tables.items():
        for row in trial.rows(name):
            found[getattr(row, "record", None) or row.resource].append(row)
    by_subject: dict[str, list[Row]] = defaultdict(list)
    for row in trial.rows("adverse_event"):
        by_subject[row.subject].append(row)
    rows, immune = [], immune_terms(trial)
    for subject, some in sorted(by_subject.items()):
        ordered = sorted(some, key=lambda row: (row.onset is None, row.onset or "", _term(row), row.fact_key))
        known = treated.get(subject, Treated())
        for row, place in zip(ordered, _places(ordered, known.first), strict=True):
            causality, actions, criteria = (tables[name][row.resource] for name in names)
            about = _About(causality, actions, criteria, known.not_yet_fatal.get(row.fact_key))
            rows.append(_episode(place, row, about, known, (trial, immune)))
    return rows


def _term(row: Row) -> str:
    return str(row.term or row.term_text or "not coded")


def _places(ordered: list[Row], first: int | None) -> list[_Place]:
    """Number, episode and continuation of a subject's records in their order; an unknown onset is an episode alone."""
    open_: dict[str, tuple[int, int | None, list[Row]]] = {}
    found, counted = [], 0
    for number, row in enumerate(ordered, start=1):
        onset, end = first_day(row.onset), last_day(row.end_date)
        episode, until, before = open_.get(_term(row), (0, None, []))
        if not before or onset is None or (until is not None and onset > until + 1):
            counted += 1
            episode, before, until = counted, [], end
        elif until is not None:
            until = None if end is None else max(until, end)
        found.append(_Place(number, episode, _continues(row, before, first)))
        if onset is not None:
            open_[_term(row)] = (episode, until, [*before, row])
    return found


def _continues(row: Row, before: list[Row], first: int | None) -> bool:
    """Whether a record only goes on with what its episode was before treatment, at no higher a grade."""
    earlier = [one for one in before if first is not None and (last_day(one.onset) or first) < first]
    grades = [one.grade for one in (row, *earlier)]
    return bool(earlier) and None not in grades and row.grade <= max(grades[1:])


def immune_terms(trial: Trial) -> frozenset[str]:
    """The terms that the study lists as immune-related; lines that begin with # are remarks."""
    return frozenset(term for term in trial.terms.terms.get("immune_related", {}) if term and not term.startswith("#"))


def _exists(row: Row, grade: int | None, version: str, trial: Trial) -> bool | None:
    """Whether CTCAE has the grade for the term; None when there is nothing to look up."""
    terms = trial.terms.terms.get(f"ctcae {version}", {})
    unlisted = version in trial.terms.terms.get(CTCAE_IN_PART, {}) and row.term not in terms
    if grade is None or row.term is None or not terms or unlisted:
        return None
    return str(grade) in terms.get(row.term, {}).get("grades", "").split()


def _episode(place: _Place, row: Row, about: _About, treated: Treated,
             asked: tuple[Trial, frozenset[str]]) -> AeEpisode:
    trial, immune = asked
    rules = trial.protocol.toxicity
    related = related_to_any([one.related for one in about.causality], rules.missing_relatedness)
    stated = None if row.grade is None else int(row.grade)
    grade = None if about.later is not None and stated == FATAL else stated
    serious = True if about.serious else row.serious
    begins, onset = treated.first, first_day(row.onset)
    version = row.ctcae or rules.ctcae
    whole = together([
        ground("adverse_event", row), *(ground("ae_causality", one) for one in about.causality),
        *(ground("ae_action", one) for one in about.actions),
        *(ground("ae_seriousness", one) for one in about.serious), treated.doubted, about.later or Ground(),
    ])
    registered = _since(row, begins)
    emergent = registered and not place.continues
    known = row.term in immune if immune else None
    return AeEpisode(
        subject=row.subject, number=place.number, episode=place.episode, term=_term(row), coded=row.term is not None,
        soc=row.soc or "not coded", ctcae=version, grade=grade, grade_exists=_exists(row, grade, version, trial),
        onset=row.onset,
        onset_day=_study_day(onset, begins) if row.onset is not None and len(row.onset) == 10 else None,
        end=row.end_date, serious=serious, related=related,
        fatal=about.later is None and (row.outcome == "fatal" or grade == FATAL),
        related_to=json.dumps(sorted({one.component for one in about.causality if one.related is True})),
        actions=json.dumps(sorted({f"{one.component}:{one.action}" for one in about.actions})),
        immune_related=known, continues=registered and place.continues, in_registered=registered,
        in_teae=emergent and _until(onset, treated.last, rules.teae_window_days),
        in_extended=emergent and (serious is True or known is True)
        and _until(onset, treated.last, rules.extended_window_days),
        radiotherapy_phase=_phase(onset, treated),
        **whole.told(_told(row, grade, place, later=about.later is not None)),
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


def _told(row: Row, grade: int | None, place: _Place, *, later: bool) -> str:
    told = "grade missing" if grade is None else f"grade {grade}"
    words = f"{_term(row)}, {told}, onset {row.onset or 'unknown'}"
    words += "; the death came after the cut-off: the event goes on" if later else ""
    return words + ("; goes on from before treatment, no worse" if place.continues else "")
