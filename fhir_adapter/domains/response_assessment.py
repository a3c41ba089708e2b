"""A response or a statement about lesions that a reader made at one time point."""

from typing import Annotated

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact, column


class ResponseAssessment(Fact, frozen=True, kw_only=True):
    """A response or a statement about lesions that a reader made at one time point."""

    category: Annotated[str, column("what is judged", codes=("overall", "target", "non_target", "new_lesion", "best_overall"))]
    value: Annotated[str, column("the judgement", codes=("CR", "PR", "SD", "PD", "NE", "NON-CR/NON-PD", "NED", "iCR", "iPR", "iSD", "iUPD", "iCPD", "NON-iCR/NON-iUPD", "unequivocal", "equivocal", "none"), source="value[x]")]
    criteria: Annotated[str, column("criteria named by the source", codes=("RECIST 1.1", "iRECIST", "unstated"), source="Observation.method, code")]
    date: Annotated[PartialDate | None, column("day of the scan that is judged", source="effective[x]")] = None
    end_date: Annotated[PartialDate | None, column("last scan, when it took several days", source="effectivePeriod.end")] = None
    visit: Annotated[str | None, column("visit as stated")] = None
    lesion: Annotated[str | None, column("opaque key of the new lesion, if it is named")] = None
    evaluator: Annotated[str, column("role of the reader", codes=("investigator", "central 1", "central 2", "adjudicator"), source="hospital settings")]
    performer: Annotated[str | None, column("opaque key of the reader", source="performer")] = None
