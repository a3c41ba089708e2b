"""Full conformance: what fhir.resources' models say against a record, whoever reads it or not.

It explains and reports, and never stands in the way: the hot path reads with the lean structures of this room. R4 is
checked with the R4B models: of the types that we read the two versions have the same elements (`R4_DIFFERENCES`).
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

import msgspec
from pydantic import ValidationError

from fhir_adapter.fhir.decode import OUTSIDE, Unreadable, decode

_PACKAGES = {
    "STU3": "fhir.resources.STU3", "R4": "fhir.resources.R4B", "R4B": "fhir.resources.R4B", "R5": "fhir.resources",
}

R4_DIFFERENCES: dict[str, str] = {}
"""Elements (`Type.element`) of the types that we read in which R4B differs from R4, each with how.

Empty: tests/fhir/test_conformance.py compares the published paths of R4 with the R4B models, element by element.
"""

_RULES = (
    ("extra_forbidden", "unknown element"),
    ("json_", "wrong shape"),
    ("model_validation", "wrong shape"),
    ("_type", "wrong shape"),
    ("_parsing", "wrong shape"),
    ("missing", "missing"),
    ("value_error", "wrong format"),
    ("string_", "wrong format"),
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# Whoever sends an unknown element chooses its name: only what looks like a name is repeated.
_INDEX = re.compile(r"\[[^]]*\]")
_WHOLE = "one of several"
# A model speaks of the whole resource where one of value[x] is missing or more than one is there.


class Fault(msgspec.Struct, frozen=True, order=True):
    """One breach: the element (no indexes, no values) and the rule.

    `rule` is `missing`, `unknown element`, `wrong shape`, `wrong format`, `one of several` (none or too many of a
    choice), `repeated element`, `code outside its list`, `not JSON`, `no such type` or `other`.
    """

    element: str
    rule: str


def faults(resource_type: str, body: bytes, version: str) -> tuple[Fault, ...]:
    """What is wrong with a record by its FHIR version's model, each breach once, in order; nothing: it conforms.

    The models know no required code lists: those that we rely on are the lean structures' (`code outside its list`).
    They know no element that comes twice in one object either: JSON leaves open which one holds, every reader here
    takes the last, and to look for it in the hot path would cost more than to read the record.
    """
    model = _model(resource_type, version)
    if model is None:
        return (Fault("", "no such type"),)
    return tuple(sorted({*_against(model, resource_type, body, version), *_repeated(body)}))


def _against(model: Any, resource_type: str, body: bytes, version: str) -> tuple[Fault, ...]:
    try:
        model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)
        return tuple(sorted({_fault(one) for one in found}))
    except (ValueError, RecursionError, ArithmeticError, TypeError, KeyError, AttributeError):
        return (Fault("", "other"),)  # the models raise more than they promise
    return _outside(resource_type, body, version)


class _Repeating(dict[str, Any]):
    """A JSON object in which elements come more than once."""

    names: frozenset[str] = frozenset()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    found, names = _Repeating(made), [name for name, _ in pairs]
    found.names = frozenset(name for name in made if names.count(name) > 1)
    return found


def _repeated(body: bytes) -> tuple[Fault, ...]:
    """Elements that come more than once in one object, however deep."""
    try:
        record = json.loads(body, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        return ()  # the model has said so
    return tuple(Fault(path, "repeated element") for path in _repeating(record, ""))


def _repeating(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _repeating(one, path)
    elif isinstance(value, dict):
        for name, one in value.items():
            shown = ".".join(filter(None, (path, name if _NAME.fullmatch(name) else "?")))
            if isinstance(value, _Repeating) and name in value.names:
                yield shown
            yield from _repeating(one, shown)


def checked(records: list[tuple[str, bytes, str]]) -> list[tuple[Fault, ...]]:
    """The faults of several records (type, body, version), in their order: a piece of work for another process."""
    return [faults(*record) for record in records]


def _outside(resource_type: str, body: bytes, version: str) -> tuple[Fault, ...]:
    try:
        decode(resource_type, body, version)
    except Unreadable as refusal:
        if refusal.message == OUTSIDE:
            return (Fault(_INDEX.sub("", refusal.element), "code outside its list"),)
    except KeyError:
        pass  # a type that nobody reads
    return ()


@cache
def _model(resource_type: str, version: str) -> Any:
    try:
        return import_module(_PACKAGES[version]).get_fhir_model_class(resource_type)
    except (KeyError, ValueError):
        return None


def _fault(error: Any) -> Fault:
    names = [part for part in error["loc"] if isinstance(part, str)]
    element = ".".join(name if _NAME.fullmatch(name) else "?" for name in names).removesuffix(".root")
    kind = str(error["type"])
    if not element:
        return Fault("", "not JSON" if kind.startswith("json_") else _WHOLE)
    return Fault(element, next((rule for part, rule in _RULES if part in kind), "other"))
