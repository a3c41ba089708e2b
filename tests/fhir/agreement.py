"""Compares what a lean structure read with what the fhir.resources model read from the same bytes."""

import random
from collections.abc import Iterator
from copy import deepcopy
from datetime import date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import msgspec

from fhir_adapter import kit
from fhir_adapter.fhir.registry import TYPES
from tests.house.house import ROOT

CORPUS = ROOT.parent / "shared" / "data" / "fhir"
"""Resources by other hands, read where they are; a checkout without them tests with the fixtures alone."""

HOSPITALS = {"west": "R4", "east": "R5", "south": "STU3"}
PACKAGES = {
    "STU3": "fhir.resources.STU3", "R4": "fhir.resources.R4B", "R4B": "fhir.resources.R4B", "R5": "fhir.resources",
}

_EXACT = msgspec.json.Decoder(float_hook=Decimal)

Record = tuple[str, str, dict[str, Any]]
"""Version, type, resource."""


def fixtures() -> list[Record]:
    """Every resource of the rehearsal hospitals."""
    folder = kit.fixtures_path() / "hospitals"
    return [(version, type, resource) for hospital, version in HOSPITALS.items()
            for type, resource in _records(folder / hospital)]


def corpus(source: str = "*") -> list[Record]:
    """Every resource of the shared corpus (or of one source in it); none where it is not there."""
    return [(folder.name, type, resource) for folder in sorted(CORPUS.glob(f"{source}/*")) if folder.name in PACKAGES
            for type, resource in _records(folder)]


def _records(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(folder.glob("[A-Z]*.ndjson")):
        for line in path.read_bytes().splitlines():
            if line.strip():
                yield path.stem, _EXACT.decode(line)


def model(type: str, version: str) -> Any:
    """The fhir.resources model of a type."""
    return import_module(PACKAGES[version]).get_fhir_model_class(type)


class Mutations:
    """A resource with some of its leaves changed, so that it says something else of the same kind; seeded."""

    WORDS = ("x", "Grade 3", "a b", "é", "替雷利珠单抗", "urn:oid:1.2", "2024", "10^9/L")
    DATES = ("2024", "2024-02", "2024-02-29", "2024-03-31T23:30:00+08:00", "2024-03-31T23:30:00.120Z")
    NUMBERS = (Decimal("13.20"), Decimal("0.5"), Decimal("120"), Decimal("-1.25"), Decimal("1000000"))

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def of(self, resource: dict[str, Any]) -> dict[str, Any]:
        """One to four leaves changed, removed, or a list doubled."""
        changed: dict[str, Any] = deepcopy(resource)
        for _ in range(self.random.randint(1, 4)):
            place = self.random.choice([one for one in places(changed) if one[0] not in ("id", "meta", "text")])
            holder: Any = changed
            for key in place[:-1]:
                holder = holder[key]
            value = holder[place[-1]]
            if place[-1] in ("resourceType", "url"):
                continue
            holder[place[-1]] = self._other(value)
            if self.random.random() < 0.1 and isinstance(holder, dict) and len(place) > 1:
                del holder[place[-1]]
        return changed

    def _other(self, value: Any) -> Any:
        if isinstance(value, bool):
            return not value
        if isinstance(value, str):
            return self.random.choice(self.DATES if value[:4].isdigit() else self.WORDS)
        if isinstance(value, int | Decimal):
            return self.random.choice(self.NUMBERS)
        if isinstance(value, list):
            return [*value, *deepcopy(value)] if self.random.random() < 0.5 else value[:1]
        return value


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place inside a resource."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


def differences(lean: Any, said: Any, path: str = "") -> Iterator[str]:
    """Elements that the lean structure reads and the model's dump says otherwise; `said` is the dump of that place."""
    if isinstance(lean, msgspec.Raw):
        return  # contained resources stay bytes until somebody asks for one
    if isinstance(lean, msgspec.Struct):
        if not isinstance(said, dict):
            yield f"{path}: {type(said).__name__} for a structure"
            return
        for field in msgspec.structs.fields(lean):
            inner = getattr(lean, field.name)
            yield from differences(inner, said.get(field.encode_name), f"{path}.{field.encode_name}".lstrip("."))
    elif isinstance(lean, tuple):
        listed = [] if said is None else said
        if not isinstance(listed, list) or len(lean) != len(listed):
            yield f"{path}: another length"
            return
        for one, other in zip(lean, listed, strict=True):
            yield from differences(one, other, path)
    elif not _same(lean, said):
        yield f"{path}: {lean!r} against {said!r}"


def _same(lean: Any, said: Any) -> bool:
    if lean in (None, "") and said is None:
        return True  # an absent text is an empty one in some structures
    if isinstance(said, datetime):
        return isinstance(lean, str) and bool(_instant(lean) == said.isoformat())
    if isinstance(said, date):
        return bool(lean == said.isoformat())
    if isinstance(lean, Decimal) and isinstance(said, float):
        return bool(float(lean) == said)  # the models give decimals as floats: digits beyond those are ours alone
    return bool(lean == said)


def _instant(written: str) -> str:
    return datetime.fromisoformat(written.replace("Z", "+00:00")).isoformat()


def _structs(hint: Any) -> Iterator[Any]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for part in get_args(hint):
        yield from _structs(part)


def foreign_elements(type: str) -> set[str]:
    """Element paths that the lean structure of a type reads and the model of no version has."""
    found = []
    for version in ("STU3", "R4", "R5"):
        named = "BodySite" if (type, version) == ("BodyStructure", "STU3") else type
        found.append(set(_foreign(TYPES[type], model(named, version), type, (TYPES[type],))))
    missing = set.intersection(*found)
    return {path for path in missing if path.rpartition(".")[0] not in missing}


def _foreign(lean: Any, whole: Any, path: str, seen: tuple[Any, ...]) -> Iterator[str]:
    known = {field.alias or name: field for name, field in whole.model_fields.items()}
    for field in msgspec.structs.fields(lean):
        place = f"{path}.{field.encode_name}"
        if field.encode_name in ("resourceType", "contained"):
            continue
        if field.encode_name not in known:
            yield place
            yield from (f"{place}.{inner}" for kind in _structs(field.type) if kind not in seen
                        for inner in elements(kind, (*seen, kind)))
            continue
        said = _model_of(known[field.encode_name].annotation)
        for kind in _structs(field.type):
            if kind not in seen and said is not None:
                yield from _foreign(kind, said, place, (*seen, kind))


def elements(lean: Any, seen: tuple[Any, ...] = ()) -> Iterator[str]:
    """Every element path below a lean structure; one that holds itself is not followed into itself."""
    for field in msgspec.structs.fields(lean):
        yield field.encode_name
        for kind in _structs(field.type):
            if kind not in seen:
                yield from (f"{field.encode_name}.{inner}" for inner in elements(kind, (*seen, kind)))


def _model_of(annotation: Any) -> Any:
    if hasattr(annotation, "get_model_klass"):
        return annotation.get_model_klass()
    return next((found for part in get_args(annotation) if (found := _model_of(part)) is not None), None)
