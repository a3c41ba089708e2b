"""Where a hospital puts a fact somewhere of its own: the FHIRPath of its [carriers], compiled once."""

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.study import Hospital

Carried = Callable[[str], tuple[str, ...]]
"""The values of a carrier by its name, for one record: `Reading.carried`."""

_MODELS = {"STU3": "stu3", "R4": "r4", "R4B": "r4", "R5": "r5"}


def nothing(name: str) -> tuple[str, ...]:
    """What a hospital without carriers says."""
    return ()


def compiled(hospital: Hospital) -> Callable[[str, bytes], Carried]:
    """From resource type and bytes to that record's carriers; a hospital or a type without any costs nothing.

    The paths are those of the hospital's own file, evaluated with the model of its FHIR version. Raises UsageError for
    a path that cannot be compiled.
    """
    if not hospital.carriers:
        return lambda resource_type, body: nothing
    paths: dict[str, dict[str, Callable[[Any], Any]]] = {
        kind: {str(name): _compile(hospital, kind, name, path) for name, path in named.items()}
        for kind, named in hospital.carriers.items()
    }

    def of(resource_type: str, body: bytes) -> Carried:
        return _carried(paths[resource_type], body) if resource_type in paths else nothing

    return of


def _compile(hospital: Hospital, kind: str, name: str, path: str) -> Callable[[Any], Any]:
    try:
        found = _compiled(str(path), _MODELS[hospital.fhir_version])
        found({"resourceType": kind}, None)
    except Exception as error:
        where = f"sync/hospitals/{hospital.id}.toml, [carriers.{kind}] {name}"
        raise UsageError(f"{where}: not a FHIRPath that can be read ({type(error).__name__})") from None
    return lambda record: found(record, None)


@cache
def _compiled(path: str, model: str) -> Callable[[Any, Any], Any]:
    """Compiling takes milliseconds: once for all hospitals that write a path."""
    from fhirpathpy import compile as fhirpath
    from fhirpathpy.models import models

    found: Callable[[Any, Any], Any] = fhirpath(path, model=models[model])
    return found


def _carried(paths: dict[str, Callable[[Any], Any]], body: bytes) -> Carried:
    """Evaluates when asked; the body is read as a dict once. Bytes that are no JSON carry nothing."""
    read: list[Any] = []

    def values(name: str) -> tuple[str, ...]:
        path = paths.get(name)
        if path is None:
            return ()
        try:
            if not read:
                read.append(msgspec.json.decode(body))
            return tuple(str(value) for value in path(read[0]) if isinstance(value, str | int | float | bool))
        except Exception:
            return ()

    return values
