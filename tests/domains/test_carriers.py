"""Carriers: a hospital's own places for a fact, by FHIRPath."""

import pytest

from fhir_adapter.core.errors import UsageError
from fhir_adapter.domains.carriers import compiled, nothing
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
        assert read("BodyStructure", b"{")("lesion_role") == ()
        assert read("Observation", body(lesion)) is nothing


def test_a_hospital_without_carriers_pays_nothing() -> None:
    """The same empty answer for every record."""
    assert compiled(hospital())("BodyStructure", b"")("lesion_role") == ()


def test_a_path_that_cannot_be_read_stops_the_run() -> None:
    """It names the file, the type and the carrier."""
    with pytest.raises(UsageError, match=r"west\.toml, \[carriers\.BodyStructure\] lesion_role"):
        compiled(hospital(carriers={"BodyStructure": {"lesion_role": "extension(("}}))
