"""The CTCAE grade of an adverse event, wherever its source puts it; never from a severity word."""

import re
from functools import lru_cache

import msgspec

from fhir_adapter.core.concepts import system_of
from fhir_adapter.fhir.adverse_event import AdverseEvent
from fhir_adapter.fhir.elements import CodeableConcept, Coding

NCIT = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"
ABSENT = 0
"""Grade 0: the event did not happen."""

# Within a grade element C48275 is grade 5; as outcome it is `fatal`, as seriousness `results in death`.
_NCIT_GRADES = {"C41338": 1, "C41339": 2, "C41340": 3, "C41337": 4, "C48275": 5, "C75533": ABSENT}
_TEXT = re.compile(r"\b(?:ctcae\s*)?grade\s*:?\s*([0-5])\b", re.IGNORECASE)
_VERSION = re.compile(r"\b([3-6])(\.0)?(3)?\b")


class Grade(msgspec.Struct, frozen=True):
    """One statement of the grade: the number, the element it stands in, and the CTCAE version if stated."""

    number: int
    element: str
    version: str | None


def stated_grades(event: AdverseEvent) -> tuple[Grade, ...]:
    """Every statement of the grade in the order of trust (profiles.md §7).

    ae-grade of either research guide, ICAREdata's ctcae-grade, `severity` and `seriousness` when their coding is of a
    CTCAE grade system (MII, oBDS), and last a text `Grade 3` in those elements or in the term. R4 severity words are
    not read.
    """
    coded: list[Grade] = []
    written: list[Grade] = []
    for element, concept in event.grades:
        by_code, by_text = _graded(element, concept)
        if by_code is not None:
            coded.append(by_code)
        if by_text is not None:
            written.append(by_text)
    if event.what is not None and event.what.text and (found := _in_text(event.what_element, event.what.text)):
        written.append(found)
    return (*coded, *written)


@lru_cache(maxsize=4096)
def _graded(element: str, concept: CodeableConcept) -> tuple[Grade | None, Grade | None]:
    """The grade that a concept's codings mean, and the one that its text says; remembered, there are few."""
    numbers = [(_number(element, coding), coding) for coding in concept.coding]
    coded = [Grade(number, element, _version(coding)) for number, coding in numbers if number is not None]
    return coded[0] if coded else None, _in_text(element, concept.text) if concept.text else None


@lru_cache(maxsize=4096)
def _in_text(element: str, text: str) -> Grade | None:
    found = _TEXT.search(text)
    return None if found is None else Grade(int(found[1]), f"{element}.text", None)


def _number(element: str, coding: Coding) -> int | None:
    """The grade that a coding means; outside a grade element only a coding of a CTCAE system counts."""
    is_grade_element = element.startswith("extension")
    if system_of(coding.system) == NCIT:
        return _NCIT_GRADES.get(coding.code) if is_grade_element or coding.code != "C48275" else None
    if is_grade_element or "ctcae" in coding.system.casefold():
        digit = coding.code.strip()
        return int(digit) if digit in ("0", "1", "2", "3", "4", "5") else None
    return None


def _version(coding: Coding) -> str | None:
    """CTCAE version of a grade, as `4.03` or `5.0`, when the coding says one."""
    if coding.version is None or "ctcae" not in coding.system.casefold():
        return None
    found = _VERSION.search(coding.version)
    return None if found is None else found[1] + (".03" if found[3] else ".0")
