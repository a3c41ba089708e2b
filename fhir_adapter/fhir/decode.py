"""From bytes to the lean structure of one resource: strict on what we read, silent about the rest."""

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import cache, lru_cache
from operator import attrgetter, itemgetter
from typing import Any

import msgspec

from fhir_adapter.core.remembered import Remembered
from fhir_adapter.fhir.elements import Refusal, Resource
from fhir_adapter.fhir.registry import TYPES

MAX_TEXT = 1_000_000
"""The longest text that we read, in bytes."""


MAX_DEPTH = 200
"""How deep objects and lists may stand in each other."""

SMALL = 4096
"""Bytes up to which a record may be nested as it likes: it cannot cost anything."""

OUTSIDE = "a code outside the list that FHIR requires"
"""What a refusal says of a code that its element does not allow."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


class Unreadable(ValueError):
    """A resource that cannot be used: a problem code of core.problems, the element, and words without values."""

    def __init__(self, code: str, element: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.element = element
        self.message = message


class _Reader:
    """How one type is read at hospitals of one version: its decoder and the checks that types alone do not express."""

    def __init__(self, resource_type: str, version: str) -> None:
        struct = TYPES[resource_type]
        self.type = resource_type
        self.version = version
        self.whole: msgspec.json.Decoder[Any] = msgspec.json.Decoder(struct, float_hook=Decimal)
        fields = msgspec.structs.fields(struct)
        names = {field.name: field for field in fields}
        repeated = [names[name] for name in struct.REPEATED]
        self.first: Callable[[bytes], Any] = _Repeated(struct, repeated).read if repeated else self.whole.decode
        foreign = tuple(name for name, versions in struct.ONLY.items() if version not in versions)
        place_of = {field.name: place for place, field in enumerate(fields)}
        self.foreign = foreign
        self.foreign_values = _getter([place_of[name] for name in foreign], itemgetter)
        self.absent = tuple(_default(names[name]) for name in foreign)
        self.choices = tuple((_getter([place_of[name] for name in group], itemgetter), len(group) - 1, group)
                             for group in struct.CHOICES)
        # One look at all that is rare: foreign elements, and every form of a value[x] but its usual (first) one. It is
        # a slice, with whatever stands between them: far quicker than one by one.
        usual = {next((name for name in group if name not in foreign), "") for group in struct.CHOICES}
        rare = {*foreign, *(name for group in struct.CHOICES for name in group if name not in usual)}
        places = sorted(place_of[name] for name in rare)
        self.rare = slice(places[0], places[-1] + 1) if places else slice(0)
        self.no_rare = tuple(_default(field) for field in fields[self.rare])
        self.encoded = {name: field.encode_name for name, field in names.items()}

    def read(self, body: bytes) -> Any:
        """The structure; raises what msgspec raises, or Unreadable."""
        try:
            resource = self.first(body)
        except Exception:  # whatever the quick way stumbles over, the whole one tells better
            resource = self.whole.decode(body)  # says what is wrong, and where in the whole resource
        if resource.resource_type != self.type:
            raise Unreadable("wrong_shape", "resourceType", "another resource type than its head said")
        if resource.modifier_extension:
            _check_modifiers(resource)
        values = _values(resource)
        if values[self.rare] != self.no_rare:
            self._check_rare(resource, values)
        return resource

    def _check_rare(self, resource: Any, values: tuple[Any, ...]) -> None:
        if self.foreign_values(values) != self.absent:
            raise self._contradiction(resource)
        for forms, most_absent, group in self.choices:
            if forms(values).count(None) < most_absent:
                raise self._several(resource, group)

    def _contradiction(self, resource: Any) -> Unreadable:
        found = next(
            name for name, absent in zip(self.foreign, self.absent, strict=True) if getattr(resource, name) != absent
        )
        return Unreadable(
            "version_contradiction", self.encoded[found],
            f"the element does not exist in {self.version}, the version this hospital declares",
        )

    def _several(self, resource: Any, group: tuple[str, ...]) -> Unreadable:
        given = [self.encoded[name] for name in group if getattr(resource, name) is not None]
        return Unreadable("several_values", given[0], f"more than one of {', '.join(given)}")


class _Repeated:
    """Reads a type whose `REPEATED` elements hospitals write word for word in record after record.

    Those stay bytes in the first pass; bytes that were met before are not read again: their (frozen) structures are
    shared by all records that repeat them, which also lets others recognise them by identity.
    """

    def __init__(self, struct: type[Resource], fields: list[Any]) -> None:
        self.names = tuple(field.name for field in fields)
        self.absent = tuple(None if field.required else field.default for field in fields)
        raw = [(field.name, msgspec.Raw, _raw_field(field)) for field in fields]
        first_pass: Any = msgspec.defstruct(struct.__name__, raw, bases=(struct,), frozen=True, kw_only=True,
                                            rename="camel", gc=struct.__struct_config__.gc)
        self.decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(first_pass, float_hook=Decimal)
        self.decoders = [msgspec.json.Decoder(field.type, float_hook=Decimal) for field in fields]
        self.raw_values = _getter(self.names, attrgetter)
        self.known: Remembered[bytes, tuple[tuple[str, Any], ...]] = Remembered(MOST_REMEMBERED)
        self.elements: list[Remembered[bytes, Any]] = [Remembered(MOST_REMEMBERED) for _ in fields]

    def read(self, body: bytes) -> Any:
        """The structure; raises whatever the bytes provoke."""
        resource = self.decoder.decode(body)
        raw = self.raw_values(resource)
        spelling = _join(raw)
        found = self.known.get(spelling)
        if found is None:
            found = tuple(zip(self.names, map(self._element, range(len(raw)), raw), strict=True))
            if not _OF_ONE_PATIENT.search(spelling):
                self.known.keep(spelling, found)
        for name, value in found:
            _set(resource, name, value)
        return resource

    def _element(self, place: int, raw: msgspec.Raw) -> Any:
        spelling = bytes(raw)
        if spelling == _ABSENT:
            return self.absent[place]
        known = self.elements[place]
        found = known.get(spelling)
        if found is None:
            found = self.decoders[place].decode(spelling)
            if not _OF_ONE_PATIENT.search(spelling):
                known.keep(spelling, found)
        return found


MOST_REMEMBERED = 20_000
"""How many spellings of one type's repeated elements are remembered."""

_OF_ONE_PATIENT = re.compile(rb'"reference"\s*:\s*"(?!#|(?:[^"]*/)?Medication/)')
# A reference to anything but a product: no other patient's record repeats it, and no id is to be remembered.
_BACKSLASH = ord("\\")
# As a number, and the whole escape from the end: so bytes look for the backslash, which is rare; twice as quick.
_ABSENT = b"~"
# No JSON value, and none begins with it: joined values cannot be taken for others.
_join = b"".join
_set = msgspec.structs.force_setattr


def _raw_field(field: Any) -> Any:
    if field.required:
        return msgspec.field(name=field.encode_name)
    return msgspec.field(name=field.encode_name, default=msgspec.Raw(_ABSENT))


def decode(resource_type: str, body: bytes, version: str) -> Any:
    """The lean structure of a resource's bytes, as a hospital of that FHIR version sends it (R4B reads as R4).

    Raises Unreadable for anything that we cannot use: JSON that is none, a required element missing, a wrong shape,
    a code outside its required list, two of one value[x], elements of another version, an unknown modifierExtension,
    texts with NUL or beyond 1 MB. Unknown elements are legal. KeyError for a type that nobody reads (`TYPES`).
    """
    if len(body) > SMALL and body.count(b"{") + body.count(b"[") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise Unreadable("malformed_json", "", f"nested deeper than {MAX_DEPTH}")
    reader = _reader(resource_type, version)
    try:
        resource = reader.read(body)
    except msgspec.ValidationError as error:
        raise _refused(error) from None
    except (msgspec.DecodeError, RecursionError):
        raise Unreadable("malformed_json", "", "the bytes are not JSON, or nested too deeply") from None
    except UnicodeError:
        raise Unreadable("bad_text", "", "a text is not UTF-8") from None
    except ArithmeticError:
        raise Unreadable("bad_number", "", "a number is beyond 10^20") from None
    if len(body) > MAX_TEXT or (_BACKSLASH in body and body.rfind(b"\\u0000") >= 0):
        _check_texts(resource)
    return resource


def contained(resource: Resource, reference: str, resource_type: str, version: str) -> Any:
    """The contained resource that `#id` points to, decoded as that type; None if there is none such.

    Raises Unreadable as `decode` does.
    """
    for raw in resource.contained:
        try:
            head = _HEAD.decode(raw)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            continue
        if head.id == reference.lstrip("#") and head.resource_type == resource_type:
            return shared(resource_type, bytes(raw), version)
    return None


@lru_cache(maxsize=2048)
def shared(resource_type: str, body: bytes, version: str) -> Any:
    """As `decode`, for records that many others lean on word for word: products, contained or not."""
    return decode(resource_type, body, version)


class _Head(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: str = ""
    id: str = ""


_HEAD = msgspec.json.Decoder(_Head)


@cache
def _reader(resource_type: str, version: str) -> _Reader:
    return _Reader(resource_type, "R4" if version == "R4B" else version)


def _depth(body: bytes) -> int:
    """How deep the brackets outside of texts stand in each other."""
    deepest = depth = 0
    for sign in _STRING.sub(b"", body):
        if sign in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in b"}]":
            depth -= 1
    return deepest


_values = msgspec.structs.astuple


def _default(field: Any) -> Any:
    return None if field.default is msgspec.NODEFAULT else field.default


def _getter(asked: Sequence[Any], getter: Callable[..., Callable[[Any], Any]]) -> Callable[[Any], tuple[Any, ...]]:
    """What `getter` (of attributes, of items) gives, as a tuple also when it is one or nothing."""
    if not asked:
        return lambda holder: ()
    if len(asked) == 1:
        one = getter(asked[0])
        return lambda holder: (one(holder),)
    return getter(*asked)


def _check_modifiers(resource: Resource) -> None:
    for extension in resource.modifier_extension:
        if extension.url.rsplit("/", 1)[-1] not in resource.MODIFIERS:
            raise Unreadable("unknown_modifier", "modifierExtension", "an unknown modifierExtension forbids its use")


def _refused(error: msgspec.ValidationError) -> Unreadable:
    """msgspec's refusal in words of ours: its own text may repeat the value."""
    text = str(error)
    said, _, path = text.partition(" - at `")
    element = path.rstrip("`").removeprefix("$").removeprefix(".")
    cause = error.__cause__
    if isinstance(cause, Refusal):
        return Unreadable(cause.code, element, str(cause))
    if said.startswith("Object missing required field"):
        name = said.split("`")[1]
        return Unreadable("missing_element", f"{element}.{name}".lstrip("."), "a required element is missing")
    if said.startswith("Invalid enum value"):
        return Unreadable("wrong_shape", element, OUTSIDE)
    if said.startswith(("Number out of range", "Invalid decimal")):
        return Unreadable("bad_number", element, "the number is beyond 10^20")
    if said.startswith("Expected"):
        return Unreadable("wrong_shape", element, said)
    return Unreadable("wrong_shape", element, "the element has a shape that FHIR does not allow")


def _check_texts(resource: Resource) -> None:
    for path, text in texts(resource):
        if "\x00" in text:
            raise Unreadable("bad_text", path, "a text holds NUL")
        if len(text) > MAX_TEXT or len(text.encode()) > MAX_TEXT:
            raise Unreadable("bad_text", path, "a text is longer than 1 MB")


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text that was read, with its element path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, msgspec.Struct):
        for field in msgspec.structs.fields(value):
            yield from texts(getattr(value, field.name), f"{path}.{field.encode_name}".lstrip("."))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from texts(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts(key, path)
            yield from texts(item, f"{path}.{key}".lstrip("."))
