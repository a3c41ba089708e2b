"""A response or a statement about lesions that a reader made at one time point."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from fhir_adapter.core.concepts import Match
from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, Ignored, column
from fhir_adapter.domains.evaluators import INVESTIGATOR, ROLES, evaluator
from fhir_adapter.domains.moments import Moments
from fhir_adapter.domains.observed import unusable
from fhir_adapter.domains.reading import Reading
from fhir_adapter.domains.signed_row import SignedRow
from fhir_adapter.fhir.elements import CodeableConcept
from fhir_adapter.fhir.observation import Observation, Valued
from fhir_adapter.fhir.sheet import Sheet


class ResponseAssessment(Fact, frozen=True, kw_only=True):
    """A response or a statement about lesions that a reader made at one time point."""

    category: Annotated[
        str, column("what is judged", codes=("overall", "target", "non_target", "new_lesion", "best_overall"))
    ]
    value: Annotated[
        str,
        column(
            "the judgement",
            codes=(
                "CR",
                "PR",
                "SD",
                "PD",
                "NE",
                "NON-CR/NON-PD",
                "NED",
                "iCR",
                "iPR",
                "iSD",
                "iUPD",
                "iCPD",
                "NON-iCR/NON-iUPD",
                "unequivocal",
                "equivocal",
                "none",
            ),
            source="value[x]",
        ),
    ]
    criteria: Annotated[
        str,
        column(
            "criteria named by the source",
            codes=("RECIST 1.1", "iRECIST", "unstated"),
            source="Observation.method, code",
        ),
    ]
    date: Annotated[PartialDate | None, column("day of the scan that is judged", source="effective[x]")] = None
    end_date: Annotated[
        PartialDate | None, column("last scan, when it took several days", source="effectivePeriod.end")
    ] = None
    visit: Annotated[str | None, column("visit as stated")] = None
    lesion: Annotated[str | None, column("opaque key of the new lesion, if it is named")] = None
    evaluator: Annotated[
        str,
        column(
            "role of the reader",
            codes=("investigator", "central 1", "central 2", "adjudicator"),
            source="hospital settings",
        ),
    ]
    performer: Annotated[str | None, column("opaque key of the reader", source="performer")] = None


LIST = "response_assessment"
UNSTATED = "unstated"
CRITERIA = ("RECIST 1.1", "iRECIST")
CATEGORIES = ("overall", "target", "non_target", "new_lesion", "best_overall")
IMMUNE = ("iCR", "iPR", "iSD", "iUPD", "iCPD", "NON-iCR/NON-iUPD")
NEW_LESION = ("unequivocal", "equivocal", "none")
RESPONSES = ("CR", "PR", "SD", "PD", "NE", "NON-CR/NON-PD", "NED", *IMMUNE)


def read(resource: Observation | Sheet, reading: Reading) -> Iterator[Any]:
    """A reader's RECIST judgement: overall, target, non-target, new lesion, best overall.

    Accepted are CDISC and DICOM codes with RECIST values, records of their own or components of one. Look-alikes are
    refused with their reason unless the hospital's mapping says otherwise: LOINC 97509-4 (clinical disease status),
    88040-1 (response to treatment, any method), 21976-6 (a registry's outcome). Criteria that nobody names stay
    `unstated`; values of iRECIST name theirs. Source: profiles.md §5.2.
    """
    if isinstance(resource, Sheet):
        return _signed(resource, reading) if resource.sheet.removesuffix(".csv") == "assessments" else iter(())
    match = reading.meanings(resource.code).get(LIST)
    if match is None and not resource.component:
        return iter(())
    return _judged(resource, reading, match)


def _judged(observation: Observation, reading: Reading, match: Match | None) -> Iterator[Any]:
    parts: list[tuple[str, Valued, Match]] = [
        (f"component[{index}].", component, found)
        for index, component in enumerate(observation.component)
        if (found := reading.meanings(component.code).get(LIST)) is not None
    ]
    if match is not None and match.concept != "tumor_assessment":
        parts.insert(0, ("", observation, match))
    if not parts:
        return
    moments, when = Moments(reading), observation.when
    role, performer = evaluator(reading, observation.performer)
    frame = ResponseAssessment(
        element="",
        category="overall",
        value="NE",
        criteria=_criteria(observation, reading),
        date=moments.read(when.start, when.element),
        end_date=moments.read(when.end, when.element),
        visit=next(iter(reading.carried("visit")), None),
        lesion=reading.key_of(observation.body, "BodyStructure"),
        evaluator=role,
        performer=performer,
    )
    yield from moments.problems
    for prefix, part, found in parts:
        aside = unusable(reading, observation, found, f"{prefix}code")
        yield aside if aside is not None else _judgement(frame, reading, prefix, part, found.concept)


def _judgement(frame: ResponseAssessment, reading: Reading, prefix: str, part: Valued, category: str) -> Any:
    stated = part.value_codeable_concept
    if stated is None and part.value_string is not None:
        stated = CodeableConcept(text=part.value_string)
    element = f"{prefix}value"
    if stated is None and part.value_boolean is not None and category == "new_lesion":
        value = "unequivocal" if part.value_boolean else "none"
        return msgspec.structs.replace(frame, element=element, category=category, value=value)
    if stated is None:
        return Ignored("not_evaluated" if part.data_absent_reason is not None else "no_value")
    match = reading.look_up("response_value", stated)
    if match.found == "unmatched":
        return Ignored(match.note)
    if match.found != "mapped":
        return reading.code_doubt(match, element)
    if (match.concept in NEW_LESION) != (category == "new_lesion"):
        return reading.problem("wrong_shape", "a value that this category of response cannot have", element)
    criteria = frame.criteria
    if criteria == UNSTATED and match.concept in IMMUNE:
        criteria = "iRECIST"
    return msgspec.structs.replace(frame, element=element, category=category, value=match.concept, criteria=criteria)


def _criteria(observation: Observation, reading: Reading) -> str:
    for concept in (observation.method, observation.code):
        match = reading.meanings(concept).get("criteria") if concept is not None else None
        if match is not None and match.found == "mapped":
            return match.concept
    return UNSTATED


def _signed(sheet: Sheet, reading: Reading) -> Iterator[Any]:
    cells = SignedRow(sheet, reading)
    cells.signed()
    category = cells.one_of("category", CATEGORIES)
    value = cells.one_of("value", NEW_LESION if category == "new_lesion" else RESPONSES)
    criteria = cells.one_of("criteria", (*CRITERIA, UNSTATED), required=False) or UNSTATED
    role = cells.one_of("evaluator", ROLES, required=False) or INVESTIGATOR
    date, end_date = cells.date("date"), cells.date("end_date")
    lesion = cells.lesion("lesion_hospital", "lesion", required=False)
    yield from cells.problems
    if category is not None and value is not None and not cells.refused:
        yield ResponseAssessment(
            element="value",
            category=category,
            value=value,
            criteria=criteria,
            date=date,
            end_date=end_date,
            visit=cells.text("visit"),
            lesion=lesion,
            evaluator=role,
        )


DOMAIN = Domain(
    name="response_assessment",
    fact=ResponseAssessment,
    title="responses as readers stated them",
    reads=("Observation", "Sheet"),
    read=read,
    same=("category", "date", "evaluator", "lesion", "criteria"),
    agree=("value",),
    lists=(LIST,),
)
