"""Whether and when a subject died, as one source states it."""

from collections.abc import Iterator
from typing import Annotated, Any

from fhir_adapter.core.dates import PartialDate, read_date
from fhir_adapter.core.facts import Domain, Fact, column
from fhir_adapter.domains.reading import Reading
from fhir_adapter.domains.signed_row import SignedRow
from fhir_adapter.fhir.patient import Patient
from fhir_adapter.fhir.sheet import Sheet


class VitalStatus(Fact, frozen=True, kw_only=True):
    """Whether and when a subject died, as one source states it."""

    status: Annotated[str, column("what the source states", codes=("alive", "dead"), source="Patient.deceased[x]")]
    death: Annotated[
        PartialDate | None,
        column("date of death, as precisely as stated", source="Patient.deceasedDateTime"),
    ] = None
    statement: Annotated[
        str,
        column(
            "kind of statement",
            codes=("deceased_date", "deceased_flag", "sheet", "adverse_event", "performance_status"),
        ),
    ]
    cause: Annotated[
        str | None,
        column(
            "cause of death, if stated",
            codes=("disease", "toxicity", "other", "unknown"),
            source="supplement disposition",
        ),
    ] = None


CAUSES = ("disease", "toxicity", "other", "unknown")


def read(resource: Patient | Sheet, reading: Reading) -> Iterator[Any]:
    """Death (or life, when said) of a Patient, and the `death` rows of the disposition sheet.

    A date known to the year or month is a Doubt (endpoints.md §0.15); `deceasedBoolean = true` is a death without a
    date, another (§0.16). `deceasedBoolean = false` says alive; nothing said says nothing.
    """
    if isinstance(resource, Sheet):
        yield from _read_sheet(resource, reading)
    elif resource.deceased_date_time is not None:
        yield from _death(reading, "deceasedDateTime", read_date(resource.deceased_date_time), "deceased_date")
    elif resource.deceased_boolean is True:
        yield from _death(reading, "deceasedBoolean", None, "deceased_flag")
    elif resource.deceased_boolean is False:
        yield VitalStatus(element="deceasedBoolean", status="alive", statement="deceased_flag")


def _read_sheet(resource: Sheet, reading: Reading) -> Iterator[Any]:
    if resource.sheet != "disposition" or resource.cell("event") != "death":
        return
    row = SignedRow(resource, reading)
    when = row.day("date")
    cause = row.word("cause", CAUSES)
    row.signed()
    if row.problems:
        yield from row.problems
    else:
        yield from _death(reading, "row", when, "sheet", cause)


def _death(
    reading: Reading, element: str, when: PartialDate | None, statement: str, cause: str | None = None
) -> Iterator[Any]:
    yield VitalStatus(element=element, status="dead", death=when, statement=statement, cause=cause)
    if when is None:
        yield reading.doubt("death_date_missing", "dead, but the date of death is not stated", element)
    elif when.day is None:
        message = f"the date of death is known to the {when.precision} only"
        yield reading.doubt("partial_date", message, element, (when.text,))


DOMAIN = Domain(
    name="vital_status", fact=VitalStatus, title="Whether and when a subject died", reads=("Patient", "Sheet"),
    read=read, agree=("status", "death"),
)
