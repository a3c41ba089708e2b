"""Carriers: a hospital's own places for a fact, by FHIRPath."""

from typing import Any

import pytest
from fhirpathpy import compile as fhirpath
from fhirpathpy.models import models
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.study import FhirVersion
from fhir_adapter.domains.carriers import compiled, nothing
from fhir_adapter.fhir.decode import Unreadable
from tests.build import body, hospital

PATH = "extension('https://west.example/lesion-role').value.coding.code"


def test_a_carrier_is_read_with_the_model_of_the_version() -> None:
    """`value` finds valueCodeableConcept, as the R4 and R5 models say."""
    lesion = {"resourceType": "BodyStructure", "extension": [
        {"url": "https://west.example/lesion-role", "valueCodeableConcept": {"coding": [{"code": "target"}]}}]}
    for version in ("STU3", "R4", "R5"):
        read = compiled(hospital(fhir_version=version, carriers={"BodyStructure": {"lesion_role": PATH}}))

        assert read("BodyStructure", body(lesion))("lesion_role") == ("target",)
        assert read("BodyStructure", body(lesion))("visit") == ()
        with pytest.raises(Unreadable, match="the carrier lesion_role cannot be walked"):
            read("BodyStructure", b"{")("lesion_role")
        assert read("Observation", body(lesion)) is nothing


def test_a_hospital_without_carriers_pays_nothing() -> None:
    """The same empty answer for every record."""
    assert compiled(hospital())("BodyStructure", b"")("lesion_role") == ()


def test_a_path_that_cannot_be_read_stops_the_run() -> None:
    """It names the file, the type and the carrier."""
    with pytest.raises(UsageError, match=r"west\.toml, \[carriers\.BodyStructure\] lesion_role"):
        compiled(hospital(carriers={"BodyStructure": {"lesion_role": "extension(("}}))


_VERSIONS: dict[str, FhirVersion] = {"stu3": "STU3", "r4": "R4", "r5": "R5"}
_STEP = st.sampled_from(("value", "coding", "code", "display", "text", "extension('https://west.example/inner')", "id"))
_TEXT = st.sampled_from(("target", "non-target", "7", ""))
_CODING = st.dictionaries(st.sampled_from(("code", "display", "system")), st.one_of(_TEXT, st.integers()), max_size=3)
_VALUE = st.one_of(
    st.builds(lambda one: {"valueCode": one}, _TEXT),
    st.builds(lambda one: {"valueString": one}, _TEXT),
    st.builds(lambda one: {"valueBoolean": one}, st.booleans()),
    st.builds(lambda one: {"valueInteger": one}, st.integers(-9, 9)),
    st.builds(lambda one: {"valueCoding": one}, _CODING),
    st.builds(lambda many, one: {"valueCodeableConcept": {"coding": many, "text": one}},
              st.lists(_CODING, max_size=3), _TEXT),
)
_URL = st.sampled_from(("https://west.example/lesion-role", "https://west.example/inner", "https://other.example/x"))
_EXTENSION = st.recursive(
    st.builds(lambda url, value: {"url": url, **value}, _URL, st.one_of(_VALUE, st.just({}))),
    lambda inner: st.builds(lambda url, many: {"url": url, "extension": many}, _URL, st.lists(inner, max_size=3)),
    max_leaves=5,
)


@given(st.lists(st.one_of(_EXTENSION, st.just({"id": "no url"}), st.just("no object")), max_size=4),
       st.lists(_STEP, max_size=4), st.sampled_from(("stu3", "r4", "r5")))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_extension_by_extension_carries_what_the_whole_record_carries(
    found: list[Any], steps: list[str], model: str
) -> None:
    """What is remembered of single extensions is what the FHIRPath library says of the record (its own evaluator)."""
    path = ".".join(["extension('https://west.example/lesion-role')", *steps])
    record = {"resourceType": "BodyStructure", "extension": found}
    read = compiled(hospital(fhir_version=_VERSIONS[model], carriers={"BodyStructure": {"lesion_role": path}}))
    try:
        whole = fhirpath(path, model=models[model])(record, None)
    except Exception:  # the library's own, whatever it is: ours must refuse as well
        with pytest.raises(Unreadable, match="the carrier lesion_role"):
            read("BodyStructure", body(record))("lesion_role")
        return

    expected = tuple(str(value) for value in whole if isinstance(value, str | int | float | bool))
    for _ in range(2):  # the second answer is the remembered one
        assert read("BodyStructure", body(record))("lesion_role") == expected
