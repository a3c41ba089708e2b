"""Small valid R4 records for the real server."""

from typing import Any


def patient(id_: str = "p1") -> dict[str, Any]:
    """A Patient."""
    return {"resourceType": "Patient", "id": id_, "gender": "unknown"}


def procedure(id_: str, subject: str = "p1", status: str = "completed") -> dict[str, Any]:
    """A Procedure of a patient."""
    return {"resourceType": "Procedure", "id": id_, "status": status, "subject": {"reference": f"Patient/{subject}"}}


def adverse_event(id_: str, subject: str = "p1") -> dict[str, Any]:
    """An AdverseEvent of a patient."""
    return {
        "resourceType": "AdverseEvent",
        "id": id_,
        "actuality": "actual",
        "subject": {"reference": f"Patient/{subject}"},
    }


def observation(id_: str, value: str) -> dict[str, Any]:
    """A laboratory value, to be written as text where the digits matter."""
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"text": "test"},
        "subject": {"reference": "Patient/p1"},
        "valueQuantity": {"value": value},
    }


def puts(*resources: dict[str, Any]) -> list[dict[str, Any]]:
    """Edits that write these records."""
    return [{"method": "PUT", "type": one["resourceType"], "id": one["id"], "resource": one} for one in resources]
