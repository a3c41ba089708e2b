"""A treatment against the cancer and its role: prior, study, subsequent, supportive, unknown."""

from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class AnticancerTherapy(Fact, frozen=True, kw_only=True):
    """A treatment against the cancer and its role: prior, study, subsequent, supportive, unknown."""

    kind: Annotated[str, column("what kind of treatment", codes=("drug", "radiotherapy", "surgery"))]
    therapy: Annotated[str, column("concept of the drug, or of the radiotherapy or operation")]
    stated_role: Annotated[str | None, column("role that a source or a sheet states", codes=("prior", "study", "subsequent", "supportive", "unknown"), source="research reference, supplement therapies")] = None
    start_date: Annotated[PartialDate | None, column("first day of the treatment")] = None
    end_date: Annotated[PartialDate | None, column("last day of the treatment")] = None
    status: Annotated[str | None, column("status as the source writes it")] = None
    line: Annotated[int | None, column("line of therapy, if stated")] = None
    stop_reason: Annotated[str | None, column("why it ended, as a concept")] = None
    record: Annotated[str | None, column("opaque key of the record whose role a sheet states", source="supplement therapies")] = None
