"""Full conformance: what fhir.resources' models say against a record, whoever reads it or not.

It explains and reports, and never stands in the way: the hot path reads with the lean structures of this room. R4 is
checked with the R4B models: of the types that we read the two versions have the same elements (`R4_DIFFERENCES`).
"""

from functools import cache
from importlib import import_module
from typing import Any

import msgspec
from pydantic import ValidationError

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
_WHOLE = "one of several"
# A model speaks of the whole resource where one of value[x] is missing or more than one is there.


class Fault(msgspec.Struct, frozen=True, order=True):
    """One breach: the element (no indexes, no values) and the rule.

    `rule` is `missing`, `unknown element`, `wrong shape`, `wrong format`, `one of several` (none or too many of a
    choice), `not JSON`, `no such type` or `other`.
    """

    element: str
    rule: str


def faults(resource_type: str, body: bytes, version: str) -> tuple[Fault, ...]:
    """What is wrong with a record by its FHIR version's model, each breach once, in order; nothing: it conforms.

    Required code lists are not part of these models; the lean structures check those that we rely on.
    """
    model = _model(resource_type, version)
    if model is None:
        return (Fault("", "no such type"),)
    try:
        model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)
        return tuple(sorted({_fault(one) for one in found}))
    except (ValueError, RecursionError, ArithmeticError, TypeError, KeyError, AttributeError):
        return (Fault("", "other"),)  # the models raise more than they promise
    return ()


def checked(records: list[tuple[str, bytes, str]]) -> list[tuple[Fault, ...]]:
    """The faults of several records (type, body, version), in their order: a piece of work for another process."""
    return [faults(*record) for record in records]


@cache
def _model(resource_type: str, version: str) -> Any:
    try:
        return import_module(_PACKAGES[version]).get_fhir_model_class(resource_type)
    except (KeyError, ValueError):
        return None


def _fault(error: Any) -> Fault:
    element = ".".join(part for part in error["loc"] if isinstance(part, str)).removesuffix(".root")
    kind = str(error["type"])
    if not element:
        return Fault("", "not JSON" if kind.startswith("json_") else _WHOLE)
    return Fault(element, next((rule for part, rule in _RULES if part in kind), "other"))
