"""A concomitant medication."""

from collections.abc import Iterable
from typing import Annotated, Any

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, Ignored, column
from fhir_adapter.domains.drug import EVIDENCE, RECORDS, drug_of
from fhir_adapter.domains.reading import Reading

GROUPS = ("anticoagulation", "antihypertensive", "corticosteroid", "thyroid_hormone", "growth_factor", "transfusion")
"""What changes the reading of a laboratory value, a blood pressure or an immune-related event."""


class Medication(Fact, frozen=True, kw_only=True):
    """A concomitant medication."""

    concept: Annotated[str, column("drug concept")]
    drug_class: Annotated[str, column("class of the drug", codes=("study", "anticancer", "supportive", "other"))]
    drug_group: Annotated[str | None, column("what it is given for, by its ATC group", codes=GROUPS,
                                        source="mappings/terms/drug.csv, drug_group.csv")] = None
    start_date: Annotated[PartialDate | None, column("start")] = None
    end_date: Annotated[PartialDate | None, column("end")] = None
    evidence: Annotated[str, column("rank of the evidence", codes=("administered", "stated", "dispensed", "ordered"))]


def read(resource: Any, reading: Reading) -> Iterable[Any]:
    """Drugs that are neither under study nor against the cancer; what was not given is ignored."""
    drug = drug_of(resource, reading)
    if not drug.concept or drug.drug_class in ("study", "anticancer"):
        return ()
    if resource.r4_status in ("not-done", "intended"):
        return (Ignored("not_done"),)
    when = resource.when
    start, end = when.dates
    return (Medication(
        element=when.element or drug.element, concept=drug.concept, drug_class=drug.drug_class,
        drug_group=group_of(reading, drug.concept), start_date=start,
        end_date=end, evidence=EVIDENCE[resource.resource_type],
    ),)


def group_of(reading: Reading, concept: str) -> str | None:
    """The group of a drug by its ATC code (WHO): the longest prefix that the study lists; None for any other."""
    atc = reading.concepts.term("drug", concept).get("atc", "")
    for length in range(len(atc), 0, -1):
        found = reading.concepts.term("drug_group", atc[:length]).get("group")
        if found:
            return found
    return None


DOMAIN = Domain(
    name="medication", fact=Medication, title="Concomitant medication", reads=RECORDS, read=read,
    same=("concept", "start_date"),
)
