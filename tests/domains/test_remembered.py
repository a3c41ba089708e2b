"""What is remembered between records changes nothing that a record says, and holds nothing of one patient."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from fhir_adapter import kit, study
from fhir_adapter.core.concepts import Concepts
from fhir_adapter.core.origins import Origin
from fhir_adapter.core.remembered import Remembered
from fhir_adapter.core.study import Study
from fhir_adapter.core.units import Units
from fhir_adapter.domains import carriers
from fhir_adapter.domains.mapping import Mapped, map_version
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.decode import _reader, decode
from tests.build import administration, body

EVERY = 7
"""Of the fixtures' records that are taken apart every so manieth is enough."""


class Products:
    """A hospital whose only other records are its products."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        self.bodies = bodies

    def key(self, type: str, id: str) -> str:
        """A key that shows what it is of."""
        return f"{type}/{id}"

    def body(self, type: str, id: str) -> bytes | None:
        """A product's bytes."""
        return self.bodies.get(id) if type == "Medication" else None

    def keys_of_identifier(self, type: str, value: str) -> tuple[str, ...]:
        """Nobody is identified."""
        return ()


def records(hospital: str) -> Iterator[tuple[str, bytes]]:
    """The fixtures' records of a hospital, by type."""
    for path in sorted((kit.fixtures_path() / "hospitals" / hospital).glob("[A-Z]*.ndjson")):
        yield from ((path.stem, line) for line in path.read_bytes().splitlines())


def parts(record: bytes) -> Iterator[bytes]:
    """The record, and the record without each of its elements."""
    yield record
    whole = msgspec.json.decode(record)
    for name in whole:
        yield msgspec.json.encode({key: value for key, value in whole.items() if key != name})


@pytest.mark.parametrize("name", ["west", "east", "south"])
def test_a_record_says_the_same_whatever_was_read_before(name: str) -> None:
    """With concepts and units that have met nothing yet, and with those that have met every other record."""
    asked = study.load(kit.kit_path())
    everything = list(records(name))
    products = Products({msgspec.json.decode(line)["id"]: line for type, line in everything if type == "Medication"})

    def says(type: str, line: bytes, concepts: Concepts, units: Units) -> Mapped:
        return map_version(type, line, context(asked, name, products, type, line, concepts, units))

    for type, line in everything:
        says(type, line, asked.concepts, asked.units)
    for type, record in everything[::EVERY]:
        for line in parts(record):
            fresh = says(type, line, Concepts(asked.concepts.lists, asked.concepts.terms), Units(asked.units.rows))

            assert says(type, line, asked.concepts, asked.units) == fresh


def context(asked: Study, name: str, products: Products, *said: Any) -> Reading:
    """The Reading of one record."""
    type, line, concepts, units = said
    hospital = asked.hospitals[name]
    return Reading(hospital=hospital, version=hospital.fhir_version, protocol=asked.protocol, concepts=concepts,
                   units=units, origin=Origin(name, type, "key", 1), subject="ATC-001", records=products,
                   carried=carriers.compiled(hospital)(type, line))


def test_what_refers_to_one_patients_records_is_not_remembered() -> None:
    """A product may be, a lesion may not."""
    known = _reader("Observation", "R4").first.__self__.known  # type: ignore[attr-defined]  # a bound method
    for reference, times in (("BodyStructure/zz-1", 0), ("Medication/zz-2", 1)):
        component = {"code": {"text": "zz"}, "valueReference": {"reference": reference}}
        found = decode("Observation", body({"resourceType": "Observation", "status": "final", "code": {"text": "zz"},
                                            "component": [component]}), "R4")

        assert found.component[0].value_reference.reference == reference
        assert sum(reference.encode() in spelling for spelling in known) == times


def test_equal_words_are_one() -> None:
    """Record after record shares what a hospital writes word for word."""
    one, other = (decode("MedicationAdministration", body(administration(id=name)), "R4") for name in ("a", "b"))

    assert one.dosage is other.dosage
    assert one.medication_codeable_concept is other.medication_codeable_concept


def test_memory_is_bounded() -> None:
    """It starts anew when it is full."""
    known: Remembered[int, str] = Remembered(2)
    for number in range(5):
        known.keep(number, str(number))

    assert known == {4: "4"}
