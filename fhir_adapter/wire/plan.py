"""Decides what to ask a hospital, and says why; the same hospital, capability, patients and coverage give the same.

The order of a pull (DESIGN §4): the cohort (`study`, `enrolment`), its patients by id (`read`), the clinical types for
lists of patients (`clinical`), then what those refer to (`read`). Nothing is left out because a server does not list
it; only a signed gap (`unavailable`) is not asked.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.study import FhirVersion, Hospital, TypeSettings
from fhir_adapter.core.windows import Coverage, Question, SinceMode
from fhir_adapter.wire import instants
from fhir_adapter.wire.metadata import Capability

_ALWAYS = ("MedicationAdministration", "MedicationStatement", "Procedure", "Observation", "AdverseEvent", "Condition")
_SITES: dict[FhirVersion, str] = {"STU3": "BodySite", "R4": "BodyStructure", "R4B": "BodyStructure",
                                  "R5": "BodyStructure"}
_ON_REQUEST = ("MedicationRequest", "MedicationDispense", "DiagnosticReport")
"""Asked only where the hospital's file names them."""

_PATIENT_PARAMETER = {"AdverseEvent": "subject"}
"""AdverseEvent has no `patient` before R5, and Epic knows `subject` alone (Q34). All others know `patient`."""


_EVENT: dict[str, str | dict[str, str]] = {
    "Observation": "date", "Procedure": "date", "AdverseEvent": "date", "Encounter": "date",
    "Condition": {"STU3": "asserted-date", "": "recorded-date"},
    "MedicationAdministration": {"R5": "date", "": "effective-time"}, "MedicationStatement": "effective",
    "MedicationRequest": "authoredon", "MedicationDispense": "whenhandedover", "DiagnosticReport": "date",
}


def event_parameter(version: str, kind: str) -> str | None:
    """The search parameter for when a type's event happened, as that FHIR version names it; None if it has none."""
    found = _EVENT.get(kind)
    return found.get(version, found[""]) if isinstance(found, dict) else found


def clinical_types(hospital: Hospital) -> tuple[str, ...]:
    """The clinical types to ask for, in order, under the names of the hospital's FHIR version, declared gaps left out.

    BodyStructure is BodySite in STU3.
    """
    requested = tuple(name for name in _ON_REQUEST if name in hospital.types)
    named = (*_ALWAYS, _SITES[hospital.fhir_version], "Encounter", *requested)
    return tuple(name for name in named if _settings(hospital, name).unavailable is None)


def exported_types(hospital: Hospital) -> tuple[str, ...]:
    """The clinical types that a hospital of mode `bulk` is asked to export; the others are asked by search."""
    chosen = hospital.pull.bulk.types
    return tuple(name for name in clinical_types(hospital) if not chosen or name in chosen)


def study(hospital: Hospital) -> Question | None:
    """The question for the ResearchStudy that the cohort names as `system|value`; None where its id is known."""
    written = hospital.cohort.research_study
    if not written or "|" not in written:
        return None
    return Question(type="ResearchStudy", parameters=(("identifier", written),),
                    reason="the cohort names its study by identifier; its id is this hospital's own")


def study_id(hospital: Hospital) -> str | None:
    """The id of the ResearchStudy that the cohort names as `ResearchStudy/<id>`."""
    written = hospital.cohort.research_study
    return written.removeprefix("ResearchStudy/") if written and "|" not in written else None


def group_id(hospital: Hospital) -> str | None:
    """The id of the Group that the cohort names as `Group/<id>`."""
    return hospital.cohort.group.removeprefix("Group/") if hospital.cohort.group else None


def enrolment(study_ids: Iterable[str]) -> tuple[Question, ...]:
    """The questions for the ResearchSubjects of a study; whole each time, since a change of state is an edit.

    A server may ignore `study` (sekmet-fhir does) and return everyone: check `study` of each one.
    """
    return tuple(
        Question(type="ResearchSubject", parameters=(("study", found),),
                 reason="who is enrolled, read whole each time; each one's study is checked here again")
        for found in study_ids
    )


def everyone() -> Question:
    """The question for all patients of a hospital whose cohort is `all`."""
    return Question(type="Patient", reason="the cohort is everyone at this hospital")


def by_identifier(identifiers: Sequence[str], size: int = 20) -> tuple[Question, ...]:
    """The questions for patients by business identifier (`system|value`), in lists."""
    return tuple(
        Question(type="Patient", parameters=(("identifier", ",".join(chunk)),),
                 reason=f"the cohort's list of identifiers, {len(chunk)} at a time")
        for chunk in _chunks(identifiers, size)
    )


def clinical(hospital: Hospital, capability: Capability, patients: Iterable[str],
             coverage: Iterable[Coverage] = (), types: Iterable[str] | None = None) -> tuple[Question, ...]:
    """The questions for the clinical types (or only `types`) of a hospital's patients (its own Patient ids).

    A patient without coverage of a type is asked for in full, whatever the others' state; patients with coverage are
    asked for since the earliest `since` of their list, less the hospital's overlap (or the type's look-back).
    """
    known = {(found.type, found.patient): found for found in coverage}
    ids = sorted(set(patients))
    wanted = None if types is None else set(types)
    questions: list[Question] = []
    for name in clinical_types(hospital):
        if wanted is not None and name not in wanted:
            continue
        mode, _ = since_mode(hospital, capability, name)
        since = {patient: _since(hospital, known.get((name, patient)) or known.get((name, "*")), mode)
                 for patient in ids}
        questions.extend(_of_type(hospital, capability, name, since))
    return tuple(questions)


def _of_type(hospital: Hospital, capability: Capability, name: str,
             since: Mapping[str, datetime | None]) -> Iterable[Question]:
    mode, why = since_mode(hospital, capability, name)
    size = hospital.pull.patients_per_question
    fresh = sorted(patient for patient, reached in since.items() if reached is None or mode == "full_reread")
    known = sorted((reached, patient) for patient, reached in since.items()
                   if reached is not None and mode != "full_reread")
    for chunk in _chunks(fresh, size):
        yield _question(hospital, name, tuple(chunk), (mode, None), f"full history ({why})")
    back = hospital.pull.overlap if mode == "last_updated" else _settings(hospital, name).look_back
    for rows in _chunks(known, size):
        start = rows[0][0] - back
        yield _question(hospital, name, tuple(sorted(patient for _, patient in rows)), (mode, start),
                        f"changes since the last whole answer, with overlap ({why})")


def _question(hospital: Hospital, name: str, patients: tuple[str, ...], span: tuple[SinceMode, datetime | None],
              reason: str) -> Question:
    mode, since = span
    parameters = [(patient_parameter(name), ",".join(patients))]
    if since is not None:
        # The event's time goes with prefix and time part, and never beside _lastUpdated: Oracle's rules (Q18).
        by = "_lastUpdated" if mode == "last_updated" else event_parameter(hospital.fhir_version, name) or ""
        parameters.append((by, f"ge{instants.written(since)}"))
    parameters.extend(_settings(hospital, name).parameters.items())
    return Question(type=name, patients=patients, since=since, mode=mode, parameters=tuple(parameters), reason=reason)


def patient_parameter(name: str) -> str:
    """The search parameter that names the patient of a type."""
    return _PATIENT_PARAMETER.get(name, "patient")


def since_mode(hospital: Hospital, capability: Capability, name: str) -> tuple[SinceMode, str]:
    """How changes of a type are found, and why.

    `last_updated` only where the server lists `_lastUpdated` or the hospital's file says so: a server that does not
    know the parameter may ignore it (harmless) or find nothing (a silent gap). Else everything is read again.
    """
    chosen = _settings(hospital, name).since_mode
    if chosen == "last_updated":
        return chosen, "since_mode is set in the hospital's file"
    if chosen == "event_window" and event_parameter(hospital.fhir_version, name) is not None:
        return chosen, "since_mode is set in the hospital's file: edits of older records are seen by rereading alone"
    if chosen is not None:
        return "full_reread", "since_mode is set in the hospital's file"
    if "_lastUpdated" in capability.of(name).parameters:
        return "last_updated", "the server lists _lastUpdated"
    return "full_reread", "the server does not list _lastUpdated, so everything is read again"


def _since(hospital: Hospital, found: Coverage | None, mode: SinceMode) -> datetime | None:
    """From when on a patient's type is asked; None: in full.

    `last_updated`: the server's time that was reached. `event_window`: our last whole answer, but in full when the
    last full reading (its `since`) lies too far back. Times of the one mode mean nothing in the other.
    """
    if found is None or found.since is None or (found.mode == "event_window") != (mode == "event_window"):
        return None
    if mode != "event_window":
        return found.since
    is_due = found.whole_as_of is None or found.whole_as_of - found.since >= _settings(hospital, found.type).full_every
    return None if is_due else found.whole_as_of


def _settings(hospital: Hospital, name: str) -> TypeSettings:
    return hospital.types.get(name, TypeSettings())


def _chunks(rows: Sequence, size: int) -> Iterable[Sequence]:  # type: ignore[type-arg]
    return (rows[start : start + size] for start in range(0, len(rows), size))


def only_cohort(hospital: Hospital) -> str:
    """Which of the four ways the cohort is named: research_study, group, identifiers or all.

    Raises:
        UsageError: none of them is.
    """
    for way in ("research_study", "group", "identifiers", "all"):
        if getattr(hospital.cohort, way):
            return way
    raise UsageError(f"{hospital.name}: [cohort] names nobody")
