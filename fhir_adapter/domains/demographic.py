"""Who a subject is, without identifiers: sex, birth year."""

from collections.abc import Iterator
from typing import Annotated, Any

from fhir_adapter.core.dates import read_date
from fhir_adapter.core.facts import Domain, Fact, column
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.patient import Patient


class Demographic(Fact, frozen=True, kw_only=True):
    """Who a subject is, without identifiers: sex, birth year."""

    sex: Annotated[
        str | None,
        column("sex as administered", codes=("female", "male", "other", "unknown"), source="Patient.gender"),
    ] = None
    birth_year: Annotated[int | None, column("year of birth", source="Patient.birthDate")] = None


def read(resource: Patient, reading: Reading) -> Iterator[Any]:
    """Sex and year of birth of a Patient; of a birth date only the year is carried."""
    year = None if resource.birth_date is None else int(read_date(resource.birth_date).text[:4])
    yield Demographic(element="Patient", sex=resource.gender, birth_year=year)


DOMAIN = Domain(
    name="demographic", fact=Demographic, title="Who a subject is: sex, birth year", reads=("Patient",), read=read,
    agree=("sex", "birth_year"),
)
