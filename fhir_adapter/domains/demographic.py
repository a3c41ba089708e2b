"""Who a subject is, without identifiers: sex, birth year."""

from typing import Annotated

from fhir_adapter.core.facts import Fact, column


class Demographic(Fact, frozen=True, kw_only=True):
    """Who a subject is, without identifiers: sex, birth year."""

    sex: Annotated[str | None, column("sex as administered", codes=("female", "male", "other", "unknown"), source="Patient.gender")] = None
    birth_year: Annotated[int | None, column("year of birth", source="Patient.birthDate")] = None
