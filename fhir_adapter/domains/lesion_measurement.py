"""One size, or the reason for none, of one lesion on one day."""

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

from msgspec.structs import replace

from fhir_adapter.core.concepts import Concepts, Match
from fhir_adapter.core.conflicts import Doubt
from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Domain, Fact, Ignored, column
from fhir_adapter.core.remembered import MOST_STATEMENTS, Remembered
from fhir_adapter.core.units import Units
from fhir_adapter.domains.evaluators import evaluator
from fhir_adapter.domains.moments import moment
from fhir_adapter.domains.observed import unusable
from fhir_adapter.domains.quantities import unit_doubt, written
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.elements import CodeableConcept, Quantity
from fhir_adapter.fhir.observation import Component, Observation, Valued


class LesionMeasurement(Fact, frozen=True, kw_only=True):
    """One size, or the reason for none, of one lesion on one day."""

    lesion: Annotated[str, column("opaque key of the lesion", source="Observation.focus, bodyStructure")]
    fragment: Annotated[str, column("fragment of a split lesion; empty for a whole one")] = ""
    date: Annotated[PartialDate | None, column("day of the scan", source="effective[x]")] = None
    visit: Annotated[str | None, column("visit as stated")] = None
    axis: Annotated[str | None, column("which diameter", codes=("longest", "short"), source="component.code")] = None
    state: Annotated[
        str,
        column(
            "what was found",
            codes=("measured", "too_small", "absent", "not_evaluated", "present", "progressed"),
            source="value, dataAbsentReason, CDISC TUMSTATE",
        ),
    ]
    size_um: Annotated[
        int | None, column("diameter in whole micrometres", unit="um", source="component.valueQuantity")
    ] = None
    size_text: Annotated[str | None, column("diameter exactly as written")] = None
    size_unit: Annotated[str | None, column("unit as written")] = None
    method: Annotated[
        str | None,
        column(
            "modality",
            codes=("CT", "MRI", "PET", "X-ray", "ultrasound", "clinical", "pathology", "other"),
            source="method",
        ),
    ] = None
    evaluator: Annotated[
        str,
        column(
            "role of the reader",
            codes=("investigator", "central 1", "central 2", "adjudicator"),
            source="hospital settings",
        ),
    ]
    performer: Annotated[str | None, column("opaque key of the reader", source="performer")] = None


LIST = "lesion_measurement"
AXES = ("longest", "short")
MICROMETRE = "um"
SMALLEST_UM = 2_000
LARGEST_UM = 200_000
TEST = "tumor_size"
_ABSENT_REASONS = {"too-small": "too_small", "absent": "absent"}


def read(observation: Observation, reading: Reading) -> Iterator[Any]:
    """A lesion's diameter in whole micrometres, or what was found in its place.

    mCODE tumor size (LOINC 21889-1 with components 33728-7 and the like), CDISC LDIAM/LPERP and DICOM axes as records
    of their own, CDISC TUMSTATE for a state. A size of pathology is no RECIST size. Not evaluated (dataAbsentReason) is
    not zero. A single size above 200 mm or below 2 mm raises `unit_implausible` (cm/mm), an unknown unit
    `unit_unknown`; the fact of such a size is held, the number stays.
    Source: profiles.md §5.1, §8.2; RECIST 1.1 §3.1.
    """
    match = reading.meanings(observation.code).get(LIST)
    if match is None or match.concept == "tumor_identification":
        return iter(())
    return _measured(observation, reading, match)


def _measured(observation: Observation, reading: Reading, match: Match) -> Iterator[Any]:
    method = method_of(observation, reading)
    aside = unusable(reading, observation, match)
    if method == "pathology" or (observation.specimen is not None and observation.body is None):
        aside = aside or Ignored("pathology_size_is_not_recist")
    if aside is not None:
        yield aside
        return
    lesion = reading.key_of(observation.body, "BodyStructure")
    if lesion is None:
        yield reading.problem("missing_element", "a tumour measurement that names no lesion", "focus", refuses=True)
        return
    date, problem = moment(reading, observation.when)
    if problem is not None:
        yield problem
    role, performer = evaluator(reading, observation.performer)
    carried = reading.carried("visit")
    about = {
        "lesion": lesion, "date": date, "visit": carried[0] if carried else None,
        "method": method, "evaluator": role, "performer": performer,
    }
    for found in _sizes(observation, reading, match):
        yield replace(found, **about) if type(found) is LesionMeasurement else found


_NO_LESION = LesionMeasurement(element="", lesion="", state="not_evaluated", evaluator="")
# Sizes and states are read into it; whose they are, when and by whom is set in afterwards.


def _sizes(observation: Observation, reading: Reading, match: Match) -> tuple[Any, ...]:
    """The sizes of a record, or what was found in their place, and what is doubtful about them.

    Most sizes were met before, at another lesion: those that nothing is doubtful about are remembered.
    """
    known = _statements(reading.units, reading.concepts, reading.hospital.id)
    said = (observation.code, observation.value_quantity, observation.component, observation.data_absent_reason,
            observation.value_codeable_concept)
    sizes = known.get(said)
    if sizes is None:
        axes = list(_axes(observation, reading, match))
        sizes = tuple(
            [found for element, axis, part in axes for found in _sized(reading, element, axis, part)]
            if axes else _found(observation, reading)
        )
        if axes and all(type(found) is LesionMeasurement for found in sizes):
            known.keep(said, sizes)
    return sizes


@lru_cache(maxsize=64)
def _statements(units: Units, concepts: Concepts, hospital: str) -> Remembered[Any, tuple[LesionMeasurement, ...]]:
    """What a hospital's records of a size say of any lesion, by code, value and components."""
    return Remembered(MOST_STATEMENTS)


def _axes(observation: Observation, reading: Reading, match: Match) -> Iterator[tuple[str, str, Valued]]:
    """The diameters of a record: its components of a known axis, or its own value when its code names the axis."""
    for index, component in enumerate(observation.component):
        found = reading.meanings(component.code).get(LIST)
        if found is not None and found.concept in AXES:
            yield f"component[{index}]", found.concept, component
    if observation.value_quantity is not None:
        yield "value", match.concept if match.concept in AXES else "longest", observation


def _sized(reading: Reading, element: str, axis: str, part: Valued) -> Iterator[Any]:
    quantity = part.value_quantity
    if quantity is None or quantity.value is None:
        state = absent_state(part) or state_of(part.value_codeable_concept, reading) or "not_evaluated"
        yield replace(_NO_LESION, element=element, axis=axis, state=state)
        return
    element = element if element == "value" else f"{element}.value"
    size = micrometres(reading, quantity)
    if quantity.comparator is not None:
        yield reading.problem("wrong_shape", "a size with a comparator is no size", element)
        size = None
    elif size is not None and size < 0:
        yield reading.problem("bad_number", "a size below zero", element, refuses=True)
        return
    state = "measured" if size != 0 else "absent"
    yield replace(
        _NO_LESION,
        element=element,
        axis=axis,
        state=state,
        size_um=size,
        size_text=written(quantity.value),
        size_unit=quantity.code or quantity.unit,
    )
    if quantity.comparator is None:
        yield from _size_doubts(reading, quantity, size, element)


def _size_doubts(reading: Reading, quantity: Quantity, size: int | None, element: str) -> Iterator[Doubt]:
    if size is None:
        yield unit_doubt(reading, quantity, TEST, element)
    elif size != 0 and not SMALLEST_UM <= size <= LARGEST_UM:
        yield reading.doubt(
            "unit_implausible",
            "a diameter above 200 mm or below 2 mm: cm and mm swapped?",
            element,
            (written(quantity.value or Decimal(0)), quantity.code or quantity.unit or ""),
        )


def micrometres(reading: Reading, quantity: Quantity) -> int | None:
    """A length in whole micrometres, half to even below; None when its unit is no length that we know."""
    unit = reading.units.find(quantity.code, quantity.unit)
    if unit is None or quantity.value is None:
        return None
    size = reading.units.convert(quantity.value, unit, MICROMETRE)
    return None if size is None else int(size.to_integral_value())


def _found(observation: Observation, reading: Reading) -> Iterator[Any]:
    """A state in the place of a size: a coded value (CDISC TUMSTATE, the hospital's own list), or why there is none."""
    state = absent_state(observation)
    stated = observation.value_codeable_concept
    if stated is None and observation.value_string is not None:
        stated = CodeableConcept(text=observation.value_string)
    if stated is not None:
        match = reading.look_up("lesion_state", stated)
        if match.found == "unmatched":
            yield Ignored(match.note)
            return
        if match.found != "mapped":
            yield reading.code_doubt(match, "value")
            return
        state = match.concept
    if state is None:
        yield Ignored("no_value")
        return
    yield replace(_NO_LESION, element="value" if stated is not None else "dataAbsentReason", state=state)


def absent_state(part: Observation | Component) -> str | None:
    """What a dataAbsentReason says: not evaluated, unless its code says too small or absent; None without one."""
    if part.data_absent_reason is None:
        return None
    codes = [coding.code for coding in part.data_absent_reason.coding]
    return next((_ABSENT_REASONS[code] for code in codes if code in _ABSENT_REASONS), "not_evaluated")


def state_of(stated: CodeableConcept | None, reading: Reading) -> str | None:
    """The state that a coded value means, if one."""
    match = reading.look_up("lesion_state", stated) if stated is not None else None
    return match.concept if match is not None and match.found == "mapped" else None


def method_of(observation: Observation, reading: Reading) -> str | None:
    """The modality, if a known one is named."""
    if observation.method is None:
        return None
    match = reading.meanings(observation.method).get("method")
    return match.concept if match is not None and match.found == "mapped" else None


DOMAIN = Domain(
    name="lesion_measurement",
    fact=LesionMeasurement,
    title="sizes of lesions",
    reads=("Observation",),
    read=read,
    same=("lesion", "date", "fragment", "evaluator", "axis"),
    agree=("size_um", "state"),
    lists=(LIST,),
)
