"""The data types that resources share, as lean typed structures: only what we read; unknown elements stay legal."""

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import msgspec

from fhir_adapter.core.concepts import Code
from fhir_adapter.core.dates import PartialDate, read_date

Found = TypeVar("Found")


class Refusal(ValueError):
    """What a structure itself refuses while it is decoded; its text names the rule, never a value."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Element(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """The base of every structure here: FHIR names in JSON, Python names in code."""


class Coding(Element, frozen=True, kw_only=True):
    """A code in a system, with the system's version and the display as written."""

    system: str = ""
    code: str = ""
    version: str | None = None
    display: str = ""


class CodeableConcept(Element, frozen=True, kw_only=True, cache_hash=True):
    """Codings of one thing, and its text."""

    coding: tuple[Coding, ...] = ()
    text: str | None = None

    @property
    def codes(self) -> tuple[Code, ...]:
        """The codings that carry a code, for looking up concepts."""
        return tuple(Code(c.system, c.code, c.display) for c in self.coding if c.code)

    @staticmethod
    def of(code: str, system: str = "") -> "CodeableConcept":
        """A concept with one coding."""
        return CodeableConcept(coding=(Coding(system=system, code=code),))

    def has(self, system: str, *codes: str) -> bool:
        """Whether one of the codes of that system is among the codings."""
        return any(c.system == system and c.code in codes for c in self.coding)


class Identifier(Element, frozen=True, kw_only=True):
    """A business identifier. Lives in the vault only."""

    system: str = ""
    value: str = ""


class Reference(Element, frozen=True, kw_only=True):
    """A reference: relative, absolute, contained (`#id`), `urn:uuid:` or by identifier only."""

    reference: str | None = None
    identifier: Identifier | None = None
    type: str | None = None


class Quantity(Element, frozen=True, kw_only=True, eq=False):
    """A measured amount; `value` keeps its digits as written (13.20 is not 13.2, so two are never taken for equal).

    A JSON string is no number, and an exponent beyond +-20 is none that a hospital means.
    """

    if TYPE_CHECKING:
        value: Decimal | None = None
    else:
        value: Any = None
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None

    def __post_init__(self) -> None:
        """Makes whole numbers decimals too, and refuses what is no number."""
        value: Any = self.value
        if type(value) is not Decimal:
            if value is None:
                return
            if type(value) is not int:
                raise Refusal("wrong_shape", "a number is expected")
            value = Decimal(value)
            msgspec.structs.force_setattr(self, "value", value)
        if not (value.is_finite() and -20 <= value.adjusted() <= 20):
            raise Refusal("bad_number", "the number is beyond 10^20")


class Ratio(Element, frozen=True, kw_only=True):
    """A relation of two quantities, for example a strength."""

    numerator: Quantity | None = None
    denominator: Quantity | None = None


class Period(Element, frozen=True, kw_only=True):
    """A span of time; either side may be missing or partial."""

    start: str | None = None
    end: str | None = None


class Span(msgspec.Struct, frozen=True, gc=False):
    """When something was, as one of several elements says it: the element that says so, start and end as written.

    A moment has a start only; so has a period without an end.
    """

    element: str = ""
    start: str | None = None
    end: str | None = None

    @property
    def dates(self) -> "tuple[PartialDate | None, PartialDate | None]":
        """Start and end as dates. Raises ValueError for text that is no date."""
        return date_of(self.start), date_of(self.end)


class TimingRepeat(Element, frozen=True, kw_only=True):
    """The bounds of a schedule."""

    bounds_period: Period | None = None


class Timing(Element, frozen=True, kw_only=True):
    """A schedule: moments that are named, or bounds."""

    event: tuple[str, ...] = ()
    repeat: TimingRepeat | None = None


def span_of(*said: "tuple[str, str | Period | Timing | None]") -> Span:
    """The first element given, as a span; an empty one when none is."""
    for element, value in said:
        if value is None:  # of the forms of a time at most one is given
            continue
        if isinstance(value, str):
            return Span(element, value)
        if isinstance(value, Period):
            return Span(element, value.start, value.end)
        if value.event:
            first, last = min(value.event), max(value.event)
            return Span(element, first, last if last != first else None)
        if value.repeat is not None and (bounds := value.repeat.bounds_period) is not None:
            return Span(element, bounds.start, bounds.end)
    return Span()


class Range(Element, frozen=True, kw_only=True):
    """A low and a high quantity."""

    low: Quantity | None = None
    high: Quantity | None = None


class CodeableReference(Element, frozen=True, kw_only=True):
    """R5: a concept or a reference."""

    concept: CodeableConcept | None = None
    reference: Reference | None = None


class Extension(Element, frozen=True, kw_only=True):
    """An extension with the values that we read; extensions may nest."""

    url: str = ""
    extension: "tuple[Extension, ...]" = ()
    value_code: str | None = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_integer: int | None = None
    value_unsigned_int: int | None = None
    value_positive_int: int | None = None
    value_date_time: str | None = None
    value_date: str | None = None
    value_quantity: Quantity | None = None
    value_coding: Coding | None = None
    value_codeable_concept: CodeableConcept | None = None
    value_reference: Reference | None = None
    value_period: Period | None = None


class Meta(Element, frozen=True, kw_only=True):
    """The profiles that a resource claims; its version is read with its head, by the wire."""

    profile: tuple[str, ...] = ()


class Annotation(Element, frozen=True, kw_only=True):
    """A note. Its text is never carried into the trial database."""

    text: str | None = None


class Resource(Element, frozen=True, kw_only=True):
    """What every resource has. `contained` stays raw until something refers into it.

    A type says here, not in code: `CHOICES`, the fields of each value[x], of which one may be given (Python names);
    `ONLY`, the fields that exist in some FHIR versions only; `MODIFIERS`, the modifierExtensions that we understand
    (by the last part of their url); `REPEATED`, the elements that a hospital writes word for word in record after
    record, such as a test's code and limits: they are read once and shared (Python names; for speed, changes nothing).
    """

    CHOICES: ClassVar[tuple[tuple[str, ...], ...]] = ()
    ONLY: ClassVar[dict[str, tuple[str, ...]]] = {}
    MODIFIERS: ClassVar[tuple[str, ...]] = ()
    REPEATED: ClassVar[tuple[str, ...]] = ()

    resource_type: str
    id: str | None = None
    extension: tuple[Extension, ...] = ()
    modifier_extension: tuple[Extension, ...] = ()
    contained: tuple[msgspec.Raw, ...] = ()

    @property
    def entered_in_error(self) -> bool:
        """Whether the source has withdrawn the whole record as an error."""
        return getattr(self, "status", None) == "entered-in-error"


class once(Generic[Found]):
    """A property of a resource that is worked out once, when it is first asked for (its type has a `__dict__`)."""

    def __init__(self, find: Callable[[Any], Found]) -> None:
        self.find = find
        self.name = find.__name__
        self.__doc__ = find.__doc__

    def __get__(self, holder: Any, kind: type[Any] | None = None) -> Found:
        """Works it out; later the resource's own dict answers."""
        found = holder.__dict__[self.name] = self.find(holder)
        return found


class Extended(Resource, frozen=True, kw_only=True, dict=True, gc=True):
    """A resource whose profiles say much in extensions, and of which several domains ask the same."""

    @once
    def named(self) -> list[tuple[str, Extension]]:
        """Its extensions with the last part of their url."""
        return [(last_part(e.url), e) for e in self.extension]

    def said(self, *names: str) -> list[Extension]:
        """The extensions whose url is, or ends with `/` and, one of `names`."""
        return [e for name, e in self.named if name in names] if self.extension else []


def extensions(holder: Any, *urls: str) -> tuple[Extension, ...]:
    """The extensions of a resource or element whose url is, or ends with `/` and, one of `urls`."""
    if not holder.extension:  # the usual case, asked for every element
        return ()
    return tuple([e for e in holder.extension if last_part(e.url) in urls])


@lru_cache(maxsize=4096)
def last_part(url: str) -> str:
    """What stands after the last `/`: the name by which profiles are read, whichever guide they come from."""
    return url.rsplit("/", 1)[-1]


def date_of(written: str | None) -> PartialDate | None:
    """A date element; None when absent. Raises ValueError for text that is no date (the mapper makes it a Problem)."""
    return None if written is None else read_date(written)
