"""FHIR R4 ConceptMap: the concept lists of a study as other programs exchange them.

One list and one hospital are one ConceptMap. Our relationship says what the source is to the concept; R4's equivalence
says what the target is to the source: a narrower source has a wider target (https://hl7.org/fhir/R4/conceptmap.html).
"""

from collections.abc import Iterable, Iterator
from typing import Any

from fhir_adapter.core.concepts import ConceptRow, Relationship

CONCEPTS = "urn:fhir-adapter:concepts:"
"""The code system of a list's concepts, followed by the list's name."""

_BY, _ON = "urn:fhir-adapter:decided-by", "urn:fhir-adapter:decided-on"
_VENUE = {"system": "http://terminology.hl7.org/CodeSystem/usage-context-type", "code": "venue"}
_EQUIVALENCE = {
    Relationship.EQUIVALENT: "equivalent", Relationship.NARROWER: "wider", Relationship.WIDER: "narrower",
    Relationship.UNMATCHED: "unmatched",
}
_RELATIONSHIP = {
    "equivalent": Relationship.EQUIVALENT, "equal": Relationship.EQUIVALENT,
    "wider": Relationship.NARROWER, "subsumes": Relationship.NARROWER,
    "narrower": Relationship.WIDER, "specializes": Relationship.WIDER,
    "unmatched": Relationship.UNMATCHED, "disjoint": Relationship.UNMATCHED,
}
_VAGUE = "none of " + ", ".join(_RELATIONSHIP)


def bundle_of(lists: dict[str, Iterable[ConceptRow]]) -> dict[str, Any]:
    """A collection Bundle with one ConceptMap for each list and hospital; rows keep their order within a system."""
    maps = [one for name, rows in sorted(lists.items()) for one in _maps(name, list(rows))]
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in maps]}


def rows_of(resource: dict[str, Any]) -> tuple[dict[str, list[ConceptRow]], list[str]]:
    """The rows of a ConceptMap, or of a Bundle with several, by list; and what could not be read, by its place.

    The list is named by the target system of each group (`CONCEPTS` and the name); an equivalence that is vague
    (`relatedto`, `inexact`) is no mapping and is refused.
    """
    lists: dict[str, list[ConceptRow]] = {}
    errors: list[str] = []
    for index, one in enumerate(_concept_maps(resource)):
        hospital = _hospital(one)
        for group_index, group in enumerate(one.get("group", [])):
            place = f"ConceptMap {index + 1}, group {group_index + 1}"
            name = str(group.get("target", "")).removeprefix(CONCEPTS)
            if not str(group.get("target", "")).startswith(CONCEPTS) or not name:
                errors.append(f"{place}: target is no list of concepts; it must begin with {CONCEPTS}")
                continue
            for number, element in enumerate(group.get("element", []), start=1):
                found = _row(element, str(group.get("source", "")), hospital)
                if isinstance(found, str):
                    errors.append(f"{place}, element {number}: {found}")
                else:
                    lists.setdefault(name, []).append(found)
    return lists, errors


def _maps(name: str, rows: list[ConceptRow]) -> Iterator[dict[str, Any]]:
    for hospital in sorted({row.hospital for row in rows}):
        mine = [row for row in rows if row.hospital == hospital]
        systems = list(dict.fromkeys(row.system for row in mine))
        yield {
            "resourceType": "ConceptMap", "id": f"{name}{'-' if hospital else ''}{hospital}".replace("_", "-"),
            "status": "active", "name": name, "title": f"{name}{f' at {hospital}' if hospital else ''}",
            **({"useContext": [{"code": _VENUE, "valueCodeableConcept": {"text": hospital}}]} if hospital else {}),
            "group": [
                {**({"source": system} if system else {}), "target": f"{CONCEPTS}{name}",
                 "element": [_element(row) for row in mine if row.system == system]}
                for system in systems
            ],
        }


def _element(row: ConceptRow) -> dict[str, Any]:
    signed = [{"url": _BY, "valueString": row.decided_by}] if row.decided_by else []
    signed += [{"url": _ON, "valueDate": row.decided_on}] if row.decided_on else []
    return {
        **({"extension": signed} if signed else {}), "code": row.code,
        **({"display": row.display} if row.display else {}),
        "target": [{
            **({"code": row.concept} if row.concept else {}), "equivalence": _EQUIVALENCE[row.relationship],
            **({"comment": row.note} if row.note else {}),
        }],
    }


def _concept_maps(resource: dict[str, Any]) -> list[dict[str, Any]]:
    if resource.get("resourceType") == "ConceptMap":
        return [resource]
    entries = [one.get("resource", {}) for one in resource.get("entry", []) if isinstance(one, dict)]
    return [one for one in entries if one.get("resourceType") == "ConceptMap"]


def _hospital(concept_map: dict[str, Any]) -> str:
    contexts = concept_map.get("useContext", [])
    venues = [one.get("valueCodeableConcept", {}).get("text", "") for one in contexts
              if one.get("code", {}).get("code") == "venue"]
    return str(venues[0]) if venues else ""


def _row(element: dict[str, Any], system: str, hospital: str) -> ConceptRow | str:
    targets = element.get("target", [])
    if len(targets) != 1:
        return f"{len(targets)} targets; a code means one concept"
    target = targets[0]
    relationship = _RELATIONSHIP.get(target.get("equivalence", ""))
    if relationship is None:
        return f"equivalence is {_VAGUE}"
    if not target.get("code") and relationship is not Relationship.UNMATCHED:
        return "target.code is missing"
    signed = {one.get("url"): one for one in element.get("extension", [])}
    return ConceptRow(
        system=system, code=str(element.get("code", "")), display=str(element.get("display", "")),
        concept=str(target.get("code", "")), relationship=relationship, hospital=hospital,
        note=str(target.get("comment", "")), decided_by=str(signed.get(_BY, {}).get("valueString", "")),
        decided_on=str(signed.get(_ON, {}).get("valueDate", "")),
    )
