"""Where a hospital puts a fact somewhere of its own: the FHIRPath of its [carriers], compiled once."""

import re
from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import Any

import msgspec

from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.study import Hospital
from fhir_adapter.fhir.decode import Unreadable

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
    paths = {
        kind: {str(name): _compile(hospital, kind, name, path) for name, path in named.items()}
        for kind, named in hospital.carriers.items()
    }

    def of(resource_type: str, body: bytes) -> Carried:
        return partial(_carried, paths[resource_type], body) if resource_type in paths else nothing

    return of


def _compile(hospital: Hospital, kind: str, name: str, path: str) -> Callable[[bytes], tuple[str, ...]]:
    """From a record's bytes to the values at a path."""
    try:
        found = _compiled(str(path), _MODELS[hospital.fhir_version])
        found({"resourceType": kind}, None)
    except Exception as error:
        where = f"sync/hospitals/{hospital.id}.toml, [carriers.{kind}] {name}"
        raise UsageError(f"{where}: not a FHIRPath that can be read ({type(error).__name__})") from None
    if not _BY_EXTENSION.fullmatch(path):
        return lambda body: _texts(found(msgspec.json.decode(body), None))

    @lru_cache(maxsize=_MOST_REMEMBERED)
    def of_extension(written: bytes) -> tuple[str, ...]:
        return _texts(found({"resourceType": kind, "extension": [msgspec.json.decode(written)]}, None))

    return lambda body: tuple([text for raw in _DECODER.decode(body).extension for text in of_extension(bytes(raw))])


_BY_EXTENSION = re.compile(r"extension\('[^'\\]*'\)(\.(extension\('[^'\\]*'\)|[a-z][A-Za-z]*))*")
"""Paths that begin at one of the record's extensions and only walk on: what they find is what they find in each
extension alone, and hospitals write the same extension in record after record. Evaluating costs 40 us, so what one
carries is remembered."""

_MOST_REMEMBERED = 2_000


class _Extensions(msgspec.Struct):
    extension: tuple[msgspec.Raw, ...] = ()


_DECODER = msgspec.json.Decoder(_Extensions)


@cache
def _compiled(path: str, model: str) -> Callable[[Any, Any], Any]:
    """Compiling takes milliseconds: once for all hospitals that write a path."""
    from fhirpathpy import compile as fhirpath
    from fhirpathpy.models import models

    found: Callable[[Any, Any], Any] = fhirpath(path, model=models[model])
    return found


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(str(value) for value in values if isinstance(value, str | int | float | bool))


def _carried(paths: dict[str, Callable[[bytes], tuple[str, ...]]], body: bytes, name: str) -> tuple[str, ...]:
    """Evaluates when asked.

    Raises:
        Unreadable: the path cannot be walked in this record; a fact that may stand there is not called absent.
    """
    path = paths.get(name)
    if path is None:
        return ()
    try:
        return path(body)
    except Exception as error:  # FHIRPath evaluators raise whatever they stumble over
        words = f"the path of the carrier {name} cannot be walked here ({type(error).__name__})"
        raise Unreadable("wrong_shape", "extension", words) from None
