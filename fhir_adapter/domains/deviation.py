"""A protocol deviation, from a supplement."""

from collections.abc import Iterator
from typing import Annotated, Any

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, column
from fhir_adapter.domains.reading import Reading
from fhir_adapter.domains.signed_row import SignedRow
from fhir_adapter.fhir.sheet import Sheet


class Deviation(Fact, frozen=True, kw_only=True):
    """A protocol deviation, from a supplement."""

    category: Annotated[str, column("kind of deviation", source="supplement deviations")]
    date: Annotated[PartialDate | None, column("day")] = None
    important: Annotated[bool | None, column("whether it is important")] = None


def read(resource: Sheet, reading: Reading) -> Iterator[Any]:
    """A row of the sheet deviations: category, day, and whether it is important."""
    if resource.sheet != "deviations":
        return
    row = SignedRow(resource, reading)
    category = row.filled("category") or ""
    when, important = row.day("date"), row.yes_no("important")
    row.signed()
    if row.problems:
        yield from row.problems
    else:
        yield Deviation(element="row", category=category, date=when, important=important)


DOMAIN = Domain(
    name="deviation", fact=Deviation, title="Protocol deviations", reads=("Sheet",), read=read,
    same=("category", "date"), agree=("important",),
)
