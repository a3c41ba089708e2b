"""What every anticancer treatment was for: prior, study, subsequent, supportive or unknown.

1. A role that a source, a sheet or a decision states holds.
2. A drug: by its class (mappings/terms/drug.csv): study; anticancer is prior before the first study treatment and
   subsequent from it on; supportive and other are no treatment of the cancer.
3. An operation: by its role (mappings/terms/procedure.csv): anticancer is prior or subsequent by its day.
4. Radiotherapy: study if it starts within `[radiotherapy] protocol` of the first dose (without one, of enrolment).
5. Everything else is unknown: a doubt for the investigator; meanwhile it is not new therapy.

A statement from a sheet is about the record that it names; one that names none is about every record of the same
kind and concept with the same first day (for drugs and operations also if it gives no day).
Source: endpoints.md §0.11, §6, §12.
"""

from collections import defaultdict
from collections.abc import Iterator

import msgspec

from fhir_adapter.endpoints.conclusions import Treatment
from fhir_adapter.endpoints.courses import NOT_GIVEN, Course
from fhir_adapter.endpoints.doubts import Doubt
from fhir_adapter.endpoints.frames import (
    Ground,
    Row,
    Trial,
    day,
    first_day,
    ground,
    last_day,
    together,
    written_or_none,
)
from fhir_adapter.endpoints.treatment import Dose, FirstDose, is_study_drug

_NOT_TAKEN = NOT_GIVEN | {"intended", "cancelled", "draft", "not-taken", "planned"}


class Therapy(msgspec.Struct, frozen=True, kw_only=True):
    """One treatment and its role; `start` is the first day its date can be, `start_latest` the last."""

    subject: str
    kind: str
    therapy: str
    role: str
    stated: bool
    start: int | None
    start_latest: int | None
    end: int | None
    site: str | None = None
    course: str = ""
    ground: Ground

    @property
    def told(self) -> str:
        """The treatment in words."""
        return f"{self.kind} {self.therapy}".strip()


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """A treatment as recorded, before its role is known."""

    subject: str
    kind: str
    therapy: str
    start: int | None
    start_latest: int | None
    end: int | None
    resources: frozenset[str]
    site: str | None = None
    course: str = ""
    ground: Ground


class Clock(msgspec.Struct, frozen=True):
    """What roles are counted from: the first dose, enrolment, and the days of study treatment of a subject."""

    first_dose: FirstDose
    enrolled: int | None
    given: tuple[Dose, ...] = ()


class Roles(msgspec.Struct, frozen=True):
    """Every subject's treatments with their roles, the first study treatment, and what nobody could say."""

    by_subject: dict[str, list[Therapy]]
    first_treatment: dict[str, int]
    doubts: list[Doubt]

    def study_courses(self, subject: str) -> set[str]:
        """Keys of the radiotherapy courses that belong to the study."""
        return {one.course for one in self.of(subject) if one.role == "study" and one.course}

    def of(self, subject: str) -> list[Therapy]:
        """A subject's treatments in time order."""
        return self.by_subject.get(subject, [])

    def new_therapy(self, subject: str) -> Therapy | None:
        """The first treatment of the cancer outside the protocol after study treatment began; None without one."""
        some = [one for one in self.of(subject) if one.role == "subsequent" and one.start is not None]
        return min(some, key=lambda one: (one.start or 0, one.kind, one.therapy), default=None)


def roles(trial: Trial, clocks: dict[str, Clock], radiotherapy: list[Course]) -> Roles:
    """The role of every treatment of every subject."""
    records, statements = _records(trial, radiotherapy), _statements(trial)
    by_subject: dict[str, list[Therapy]] = {}
    first_treatment: dict[str, int] = {}
    doubts: list[Doubt] = []
    for subject in sorted({*records, *statements, *clocks}):
        stated = _match(records.get(subject, []), statements.get(subject, []))
        clock = clocks.get(subject, Clock(FirstDose(), None))
        study = [_therapy(record, *_before_dates(trial, record, said, clock)) for record, said in stated]
        begins = [one.start for one in study if one.role == "study" and one.start is not None]
        begins += [clock.first_dose.day] if clock.first_dose.day is not None else []
        if begins:
            first_treatment[subject] = min(begins)
        found = [_dated(one, first_treatment.get(subject)) for one in study if one.role != "none"]
        by_subject[subject] = sorted(found, key=lambda one: (one.start or 0, one.kind, one.therapy, one.course))
        doubts.extend(_doubts(subject, found))
    return Roles(by_subject, first_treatment, doubts)


def _records(trial: Trial, radiotherapy: list[Course]) -> dict[str, list[_Record]]:
    found: dict[str, list[_Record]] = defaultdict(list)
    for row in trial.rows("drug_administration"):
        if row.given and row.evidence != "ordered" and row.drug and not is_study_drug(trial, row.drug):
            found[row.subject].append(_record("drug", row.drug, "drug_administration", row))
    for row in trial.rows("medication"):
        if row.drug_class == "anticancer" and row.evidence != "ordered":
            found[row.subject].append(_record("drug", row.concept, "medication", row))
    for row in trial.rows("procedure"):
        if trial.terms.term("procedure", row.concept).get("role") == "anticancer" and row.status not in _NOT_TAKEN:
            found[row.subject].append(_record("surgery", row.concept, "procedure", row))
    for course in radiotherapy:
        found[course.subject].append(_Record(
            subject=course.subject, kind="radiotherapy", therapy=course.site or "", start=course.start,
            start_latest=course.start, end=course.end, resources=course.resources, site=course.site,
            course=course.key, ground=course.ground,
        ))
    return found


def _record(kind: str, therapy: str, table: str, row: Row) -> _Record:
    return _Record(
        subject=row.subject, kind=kind, therapy=therapy, start=first_day(row.start_date),
        start_latest=last_day(row.start_date), end=last_day(row.end_date), resources=frozenset([row.resource]),
        ground=ground(table, row),
    )


def _statements(trial: Trial) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in trial.rows("anticancer_therapy"):
        if row.status not in _NOT_TAKEN:
            found[row.subject].append(row)
    return found


def _match(records: list[_Record], statements: list[Row]) -> list[tuple[_Record, Row | None]]:
    """Each record with the statement about it; a statement about no record is a treatment of its own."""
    pairs: list[tuple[_Record, Row | None]] = []
    used: set[str] = set()
    for record in records:
        about = [row for row in statements if _is_about(row, record)]
        used.update(row.fact_key for row in about)
        said = [row for row in about if row.stated_role]
        pairs.append((record, min(said, key=_strength, default=None)))
    for row in statements:
        if row.fact_key not in used:
            pairs.append((_record(row.kind, row.therapy or "", "anticancer_therapy", row), row))
    return pairs


def _strength(row: Row) -> tuple[bool, bool, str]:
    """A decision goes before a sheet that names the record, that before the hospital's own word."""
    return row.hospital != "decision", row.record is None, row.fact_key


def _is_about(row: Row, record: _Record) -> bool:
    if row.record is not None:
        return row.record in record.resources
    if row.resource in record.resources:
        return True
    if row.kind != record.kind:
        return False
    if row.kind == "radiotherapy":
        return row.start_date is not None and day(row.start_date) == record.start
    return row.therapy == record.therapy and (row.start_date is None or day(row.start_date) == record.start)


def _before_dates(trial: Trial, record: _Record, said: Row | None, clock: Clock) -> tuple[str, Ground, bool]:
    """The role as far as it does not depend on the first study treatment: `anticancer` waits for that day."""
    if said is not None and said.stated_role:
        return said.stated_role, ground("anticancer_therapy", said), True
    if record.kind == "drug":
        if is_study_drug(trial, record.therapy):
            return "study", record.ground, False
        known = trial.terms.term("drug", record.therapy).get("class")
        return {"anticancer": "anticancer", "supportive": "none", "other": "none"}.get(known or "", "unknown"), \
            record.ground, False
    if record.kind == "surgery":
        known = trial.terms.term("procedure", record.therapy).get("role")
        return {"anticancer": "anticancer", "supportive": "supportive", "other": "none"}.get(known or "", "unknown"), \
            record.ground, False
    return ("study" if _in_protocol(trial, record, clock) else "unknown"), record.ground, False


def _in_protocol(trial: Trial, record: _Record, clock: Clock) -> bool:
    window = trial.protocol.radiotherapy.protocol
    origin = clock.first_dose.day if clock.first_dose.day is not None else clock.enrolled
    if window is None or origin is None or record.start is None:
        return False
    return window.from_day <= record.start - origin <= window.to_day


def _therapy(record: _Record, role: str, said: Ground, stated: bool) -> Therapy:
    return Therapy(
        subject=record.subject, kind=record.kind, therapy=record.therapy, role=role, stated=stated,
        start=record.start, start_latest=record.start_latest, end=record.end, site=record.site, course=record.course,
        ground=record.ground | said,
    )


def _dated(one: Therapy, first_treatment: int | None) -> Therapy:
    """`anticancer` becomes prior or subsequent; without a start or a first study treatment it is unknown."""
    if one.role != "anticancer":
        return one
    if one.start is None or first_treatment is None:
        role = "unknown" if first_treatment is not None else "prior"
    else:
        role = "prior" if one.start < first_treatment else "subsequent"
    return msgspec.structs.replace(one, role=role)


def _doubts(subject: str, found: list[Therapy]) -> list[Doubt]:
    unknown: dict[tuple[str, str, str], list[Therapy]] = defaultdict(list)
    for one in found:
        if one.role == "unknown":
            unknown[one.kind, one.therapy, one.course].append(one)
    return [
        Doubt(
            kind="therapy_role_unknown", subject=subject, ground=together(one.ground for one in some),
            message=f"nobody said what this {kind} was for; meanwhile it is not new therapy",
            values=(kind, therapy),
        )
        for (kind, therapy, _), some in sorted(unknown.items())
    ]


def conclude(subject: str, found: list[Therapy]) -> Iterator[Treatment]:
    """The rows of the table, in time order."""
    for number, one in enumerate(found, start=1):
        told = f"{one.told or one.kind}: {one.role}" + (" as stated" if one.stated else " by its class and day")
        whole = one.ground.doubted("therapy_role_unknown") if one.role == "unknown" else one.ground
        yield Treatment(
            subject=subject, number=number, kind=one.kind, therapy=one.therapy, role=one.role, stated=one.stated,
            start=written_or_none(one.start), end=written_or_none(one.end), **whole.told(told))
