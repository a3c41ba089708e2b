"""A procedure that is no radiotherapy."""

from collections.abc import Iterator
from typing import Annotated, Any

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, Ignored, column
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.procedure import Procedure as Resource


class Procedure(Fact, frozen=True, kw_only=True):
    """A procedure that is no radiotherapy."""

    concept: Annotated[str, column("procedure concept", source="Procedure.code")]
    status: Annotated[str, column("status in R4 words", source="Procedure.status")]
    start_date: Annotated[PartialDate | None, column("start", source="performed[x], R5 occurrence[x]")] = None
    end_date: Annotated[PartialDate | None, column("end")] = None


NOT_PERFORMED = {"not-done": "not_done", "preparation": "planned_only"}
"""Statuses (in R4 words) of what never happened, and the reason for ignoring them."""


def read(resource: Resource, reading: Reading) -> Iterator[Any]:
    """Operations, scans, tracheostomies and stents, as the list `procedure` knows them; not radiotherapy."""
    match = reading.meanings(resource.code).get("procedure") if resource.code is not None else None
    if match is None or match.found != "mapped":
        return
    status = resource.r4_status
    if status in NOT_PERFORMED:
        yield Ignored(NOT_PERFORMED[status])
        return
    when = resource.when
    start, end = when.dates
    yield Procedure(
        element=when.element or "code", concept=match.concept, status=status, start_date=start, end_date=end
    )


DOMAIN = Domain(
    name="procedure", fact=Procedure, title="Procedures that are no radiotherapy", reads=("Procedure",), read=read,
    same=("concept", "start_date"),
    lists=("procedure",),
)
