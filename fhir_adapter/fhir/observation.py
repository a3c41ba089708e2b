"""Observation: a result, a size, a score or a judgement; STU3, R4, R4B and R5 answer the same questions."""

from decimal import Decimal
from typing import ClassVar, Literal

import msgspec

from fhir_adapter.fhir.elements import (
    CodeableConcept,
    Element,
    Extension,
    Period,
    Quantity,
    Range,
    Ratio,
    Reference,
    Resource,
    Span,
    Timing,
    extensions,
    span_of,
)

Status = Literal[
    "registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown"
]

_STU3_MEMBER = "has-member"
_STU3_SOURCE = "derived-from"
_BODY_LINKS = (
    "bodySite",
    "body-site-instance",
    "bodyStructure",
    "body-structure",
    "observation-bodyStructure",
    "observation-focus",
    "focus",
    "alternate-reference",
)


_VALUES = (
    "value_quantity",
    "value_codeable_concept",
    "value_string",
    "value_boolean",
    "value_integer",
    "value_range",
    "value_ratio",
    "value_sampled_data",
    "value_attachment",
    "value_time",
    "value_date_time",
    "value_period",
    "value_reference",
)


class Unread(Element, frozen=True, kw_only=True):
    """A form of value that we only notice."""


class Site(CodeableConcept, frozen=True, kw_only=True, cache_hash=True):
    """A body site; STU3 and R4 link the body structure itself in an extension of it."""

    extension: tuple[Extension, ...] = ()


class ReferenceRange(Element, frozen=True, kw_only=True, cache_hash=True):
    """The limits that the laboratory gave with this result."""

    low: Quantity | None = None
    high: Quantity | None = None
    type: CodeableConcept | None = None

    @property
    def is_normal(self) -> bool:
        """Whether it is the normal range; a range without type is (the element's own definition)."""
        if self.type is None or not self.type.coding:
            return True
        return any(coding.code in ("normal", "") for coding in self.type.coding)


class Component(Element, frozen=True, kw_only=True, cache_hash=True):
    """One part of an observation, such as one of two diameters or the systolic pressure."""

    code: CodeableConcept
    value_quantity: Quantity | None = None
    value_codeable_concept: CodeableConcept | None = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_integer: int | None = None
    value_range: Range | None = None
    value_ratio: Ratio | None = None
    value_sampled_data: Unread | None = None
    value_attachment: Unread | None = None
    value_time: str | None = None
    value_date_time: str | None = None
    value_period: Period | None = None
    value_reference: Reference | None = None
    data_absent_reason: CodeableConcept | None = None
    extension: tuple[Extension, ...] = ()
    reference_range: tuple[ReferenceRange, ...] = ()


class Related(Element, frozen=True, kw_only=True):
    """STU3: a link to another observation, with its kind."""

    target: Reference
    type: str | None = None


class Observation(Resource, frozen=True, kw_only=True):
    """An observation of any version."""

    CHOICES: ClassVar[tuple[tuple[str, ...], ...]] = (
        _VALUES,
        ("effective_date_time", "effective_period", "effective_instant", "effective_timing"),
    )
    ONLY: ClassVar[dict[str, tuple[str, ...]]] = {
        "related": ("STU3",),
        "value_integer": ("R4", "R5"),
        "has_member": ("R4", "R5"),
        "derived_from_": ("R4", "R5"),
        "body_structure": ("R5",),
    }
    REPEATED: ClassVar[tuple[str, ...]] = (
        "code", "value_quantity", "reference_range", "value_codeable_concept", "method", "component",
    )

    status: Status
    code: CodeableConcept
    value_quantity: Quantity | None = None
    value_codeable_concept: CodeableConcept | None = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_integer: int | None = None
    value_range: Range | None = None
    value_ratio: Ratio | None = None
    value_sampled_data: Unread | None = None
    value_attachment: Unread | None = None
    value_time: str | None = None
    value_date_time: str | None = None
    value_period: Period | None = None
    value_reference: Reference | None = None
    effective_period: Period | None = None
    effective_instant: str | None = None
    effective_timing: Timing | None = None
    related: tuple[Related, ...] = ()
    has_member: tuple[Reference, ...] = ()
    derived_from_: tuple[Reference, ...] = msgspec.field(name="derivedFrom", default=())
    body_structure: Reference | None = None
    effective_date_time: str | None = None
    data_absent_reason: CodeableConcept | None = None
    performer: tuple[Reference, ...] = ()
    method: CodeableConcept | None = None
    body_site: Site | None = None
    focus: tuple[Reference, ...] = ()
    specimen: Reference | None = None
    component: tuple[Component, ...] = ()
    reference_range: tuple[ReferenceRange, ...] = ()

    @property
    def when(self) -> Span:
        """When it was true of the person; a moment, a period, or the first and last of several moments."""
        if self.effective_date_time is not None:
            return Span("effectiveDateTime", self.effective_date_time)
        found = span_of(
            ("effectiveInstant", self.effective_instant),
            ("effectivePeriod", self.effective_period),
            ("effectiveTiming", self.effective_timing),
        )
        return found if found.end != found.start else Span(found.element, found.start)

    @property
    def number(self) -> Decimal | None:
        """The value as a number when its form is one: an integer (R4), or a quantity without comparator."""
        if self.value_integer is not None:
            return Decimal(self.value_integer)
        quantity = self.value_quantity
        return quantity.value if quantity is not None and quantity.comparator is None else None

    @property
    def members(self) -> tuple[Reference, ...]:
        """The observations that belong to this one (STU3 related, later hasMember)."""
        return self.has_member + tuple(r.target for r in self.related if r.type == _STU3_MEMBER)

    @property
    def sources(self) -> tuple[Reference, ...]:
        """What it is derived from (STU3 related, later derivedFrom)."""
        return self.derived_from_ + tuple(r.target for r in self.related if r.type == _STU3_SOURCE)

    @property
    def body(self) -> Reference | None:
        """The BodyStructure (STU3 BodySite) it tells of: R5 bodyStructure, focus, or an extension that links one."""
        if self.body_structure is not None:
            return self.body_structure
        for reference in self.focus:
            if names_body(reference):
                return reference
        for holder in (self, self.body_site):
            for link in extensions(holder, *_BODY_LINKS) if holder is not None else ():
                if link.value_reference is not None:
                    return link.value_reference
        return None


def names_body(reference: Reference) -> bool:
    """Whether a reference leads to a body structure, by its type or its own text."""
    text = reference.reference or ""
    return reference.type in ("BodyStructure", "BodySite") or "BodyStructure/" in text or "BodySite/" in text


Valued = Observation | Component
"""What carries a value[x]: an observation or one of its components."""


def forms_of_value(holder: Valued) -> tuple[str, ...]:
    """Which forms of value[x] are given; more than one is not allowed."""
    return tuple(name for name in _VALUES if getattr(holder, name) is not None)
