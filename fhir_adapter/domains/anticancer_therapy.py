"""A treatment against the cancer and its role: prior, study, subsequent, supportive, unknown."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, Ignored, column
from fhir_adapter.domains.drug import EVIDENCE, RECORDS, drug_of
from fhir_adapter.domains.procedure import NOT_PERFORMED
from fhir_adapter.domains.radiotherapy import level_of
from fhir_adapter.domains.reading import Reading
from fhir_adapter.domains.signed_row import SignedRow
from fhir_adapter.fhir.decode import Unreadable, decode
from fhir_adapter.fhir.elements import CodeableConcept, Reference, extensions
from fhir_adapter.fhir.procedure import Procedure
from fhir_adapter.fhir.sheet import Sheet


class AnticancerTherapy(Fact, frozen=True, kw_only=True):
    """A treatment against the cancer and its role: prior, study, subsequent, supportive, unknown."""

    kind: Annotated[str, column("what kind of treatment", codes=("drug", "radiotherapy", "surgery"))]
    therapy: Annotated[str, column("concept of the drug, or of the radiotherapy or operation")]
    stated_role: Annotated[
        str | None,
        column(
            "role that a source or a sheet states",
            codes=("prior", "study", "subsequent", "supportive", "unknown"),
            source="research reference, supplement therapies",
        ),
    ] = None
    start_date: Annotated[PartialDate | None, column("first day of the treatment")] = None
    end_date: Annotated[PartialDate | None, column("last day of the treatment")] = None
    status: Annotated[str | None, column("status as the source writes it")] = None
    line: Annotated[int | None, column("line of therapy, if stated")] = None
    stop_reason: Annotated[str | None, column("why it ended, as a concept")] = None
    record: Annotated[
        str | None,
        column("opaque key of the record whose role a sheet states", source="supplement therapies"),
    ] = None


KINDS = ("drug", "radiotherapy", "surgery")
ROLES = ("prior", "study", "subsequent", "supportive", "unknown")
RADIOTHERAPY = "radiotherapy"
"""The concept of radiotherapy as a treatment, whatever its technique."""


def read(resource: Any, reading: Reading) -> Iterable[Any]:
    """Drugs of class anticancer, operations against the cancer, radiotherapy, and the therapies sheet.

    Roles are derived by the endpoints; here only what a source states: a reference to this study, or the sheet.
    """
    if isinstance(resource, Sheet):
        return _read_sheet(resource, reading) if resource.sheet == "therapies" else ()
    return _read_procedure(resource, reading) if isinstance(resource, Procedure) else _read_drug(resource, reading)


def _read_drug(resource: Any, reading: Reading) -> Iterable[Any]:
    """An order alone is no treatment (endpoints.md §0.12), nor is what was not given."""
    drug = drug_of(resource, reading)
    if drug.drug_class != "anticancer":
        return ()
    if not resource.given:
        ordered = EVIDENCE[resource.resource_type] == "ordered"
        return (Ignored("ordered_only" if ordered else "not_done"),)
    when = resource.when
    start, end = when.dates
    return (AnticancerTherapy(
        element=when.element or drug.element, kind="drug", therapy=drug.concept,
        stated_role=_studied(resource, reading), start_date=start, end_date=end,
        status=resource.r4_status, stop_reason=_why(resource.reasons, reading),
    ),)


def _read_procedure(resource: Procedure, reading: Reading) -> Iterator[Any]:
    """A course of radiotherapy (a phase or fraction only when it is part of no record), or an operation."""
    if resource.r4_status in NOT_PERFORMED or resource.code is None:
        return
    level = level_of(resource, reading)
    if level is not None:
        if level == "planned" or (level != "course" and resource.part_of):
            return
        kind, therapy = RADIOTHERAPY, RADIOTHERAPY
    else:
        match = reading.meanings(resource.code).get("procedure")
        if match is None or match.found != "mapped":
            return
        if reading.concepts.term("procedure", match.concept).get("role") != "anticancer":
            return
        kind, therapy = "surgery", match.concept
    when = resource.when
    start, end = when.dates
    yield AnticancerTherapy(
        element=when.element or "code", kind=kind, therapy=therapy, stated_role=_studied(resource, reading),
        start_date=start, end_date=end, status=resource.r4_status, stop_reason=_why(resource.reasons, reading),
    )


def _why(reasons: tuple[CodeableConcept, ...], reading: Reading) -> str | None:
    matches = [reading.look_up("reason", reason) for reason in reasons]
    return next((match.concept for match in matches if match.found == "mapped"), None)


def _studied(resource: Any, reading: Reading) -> str | None:
    """`study` when the record refers to this trial's ResearchStudy (extension workflow-researchStudy)."""
    for extension in extensions(resource, "workflow-researchStudy") if resource.extension else ():
        if extension.value_reference is not None and _is_ours(extension.value_reference, reading):
            return "study"
    return None


def _is_ours(study: Reference, reading: Reading) -> bool:
    cohort = reading.hospital.cohort.research_study or ""
    system, bar, value = cohort.partition("|")
    identity = reading.target(study, "ResearchStudy")
    if not bar:
        return identity is not None and f"{identity[0]}/{identity[1]}" == cohort
    if study.identifier is not None and (study.identifier.system, study.identifier.value) == (system, value):
        return True
    body = reading.records.body(*identity) if identity is not None and identity[0] == "ResearchStudy" else None
    try:
        return body is not None and decode("ResearchStudy", body, reading.version).carries(system, value)
    except Unreadable:
        return False


def _read_sheet(resource: Sheet, reading: Reading) -> Iterator[Any]:
    """A treatment known to the desk, or what a hospital's record was for (`record`)."""
    row = SignedRow(resource, reading)
    kind = row.one_of("kind", KINDS) or ""
    role = row.one_of("role", ROLES)
    therapy = RADIOTHERAPY if kind == RADIOTHERAPY else _therapy(row, kind)
    start, end = row.day("start_date"), row.day("end_date")
    record = _record(row, reading)
    row.signed()
    if row.problems:
        yield from row.problems
        return
    yield AnticancerTherapy(
        element="row", kind=kind, therapy=therapy, stated_role=role, start_date=start, end_date=end, record=record
    )


def _therapy(row: SignedRow, kind: str) -> str:
    """A concept of the study, or a name that its lists lead to one."""
    written = row.filled("therapy")
    if written is None or not kind:
        return ""
    name = {"drug": "drug"}.get(kind, "procedure")
    if written in row.reading.concepts.terms.get(name, {}):
        return written
    match = row.reading.look_up(name, CodeableConcept(text=written))
    if match.found != "mapped":
        row.wrong("therapy", f"no concept of the list {name}")
    return match.concept


def _record(row: SignedRow, reading: Reading) -> str | None:
    """The key of the record that the row speaks of."""
    written = row.text("record")
    if written is None:
        return None
    kind, slash, name = written.rpartition("/")
    try:
        records = reading.records_of(row.text("hospital") or "")
    except KeyError:
        row.wrong("hospital", "no hospital of the study")
        return None
    if not slash or kind not in (*RECORDS, "Procedure"):
        row.wrong("record", "is not written Type/id")
        return None
    return records.key(kind, name)


DOMAIN = Domain(
    name="anticancer_therapy", fact=AnticancerTherapy, title="Treatments of the cancer and their roles",
    reads=(*RECORDS, "Procedure", "Sheet"), read=read, same=("kind", "therapy", "start_date"), agree=("stated_role",),
)
