"""Who read a scan: a role (endpoints.md §0.2), and the person as an opaque key."""

from fhir_adapter.domains.reading import Reading, target
from fhir_adapter.fhir.elements import Reference

INVESTIGATOR = "investigator"
ROLES = (INVESTIGATOR, "central 1", "central 2", "adjudicator")


def evaluator(reading: Reading, performers: tuple[Reference, ...]) -> tuple[str, str | None]:
    """Role and opaque key of the reader: a performer whom the hospital's settings list, else the investigator."""
    listed = reading.hospital.evaluators
    for performer in performers if listed else ():
        role = listed.get(performer.reference or "") or listed.get("/".join(target(performer, "Practitioner") or ()))
        if role is not None:
            return role, reading.key_of(performer, "Practitioner")
    return INVESTIGATOR, reading.key_of(performers[0], "Practitioner") if performers else None
