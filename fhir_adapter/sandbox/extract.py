"""What an export holds: the records of everybody, of all patients or of a group, changed since a time, and the
deletions since then."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from fhir_adapter.sandbox.house import House
from fhir_adapter.sandbox.pages import changed_since
from fhir_adapter.sandbox.store import Version
from fhir_adapter.sandbox.view import View

Held = dict[str, list[Version]]


@dataclass(frozen=True)
class Wanted:
    """A kick-off that was understood; `group` is the id for a group export, `types` () means all."""

    level: str
    group: str = ""
    since: str | None = None
    types: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    authorization: str = ""
    request: str = ""


def records(wanted: Wanted, house: House, view: View) -> Held:
    """The records of an export by type, as they stand now."""
    if wanted.level == "system":
        every = {type_: view.heads(type_) for type_ in view.types()}
    else:
        every = _of_patients(wanted, house, view)
    types = wanted.types or tuple(every)
    return {
        type_: found
        for type_ in types
        if (house.persona.bulk.unscoped or house.guard.covers(wanted.authorization, type_))
        and (found := [one for one in every.get(type_, ()) if changed_since(one, wanted.since, house)])
    }


def members(group: str, view: View) -> set[str] | None:
    """`Patient/7` of a group's members; None: there is no such group."""
    chain = view.chain("Group", group)
    if not chain or chain[-1].deleted:
        return None
    found = chain[-1].data.get("member", [])
    entities = (one.get("entity") for one in found if isinstance(one, dict) and not one.get("inactive"))
    return {_short(one["reference"]) for one in entities if isinstance(one, dict) and "reference" in one}


def _of_patients(wanted: Wanted, house: House, view: View) -> Held:
    """The compartments of the patients and what their records refer to."""
    bulk, patients = house.persona.bulk, view.heads("Patient")
    if wanted.level == "group":
        chosen = members(wanted.group, view) or set()
        patients = [one for one in patients if f"Patient/{one.id}" in chosen]
    if bulk.since_drops_children and wanted.since is not None and wanted.level == "group":
        # hapi-fhir#4387: what belongs to patients who have not changed themselves is left out.
        patients = [one for one in patients if changed_since(one, wanted.since, house)]
    people = {f"Patient/{one.id}" for one in patients}
    types = [type_ for type_ in view.types() if type_ not in ("Patient", "Group") and type_ not in bulk.omitted]
    every = {type_: view.heads(type_) for type_ in types}
    theirs = {type_: [one for one in heads if _references(one) & people] for type_, heads in every.items()}
    held = {"Patient": patients, **theirs}
    if not bulk.references:
        return held
    asked_for = {text for heads in theirs.values() for one in heads for text in _references(one)}
    for type_, heads in every.items():
        known = {one.id for one in theirs[type_]}
        held[type_] += [one for one in heads if one.id not in known and f"{type_}/{one.id}" in asked_for]
    return held


def deletions(wanted: Wanted, house: House, view: View) -> list[str]:
    """`Type/id` of what was deleted since, as the lines of `deleted` files name it."""
    if wanted.since is None:
        return []
    types = wanted.types or tuple(view.types())
    gone = (
        chain[-1] for type_ in types for chain in (view.chain(type_, id_) for id_ in _ids(type_, house)) if chain
    )
    return [f"{one.type}/{one.id}" for one in gone if one.deleted and changed_since(one, wanted.since, house)]


def deletion_line(url: str) -> bytes:
    """One line of a `deleted` file (HL7/bulk-data export.md)."""
    entry = {"request": {"method": "DELETE", "url": url}}
    return msgspec.json.encode({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})


def _ids(type_: str, house: House) -> Iterable[str]:
    return [chain[-1].id for chain in house.store.chains(type_) if chain[-1].deleted]


def _references(version: Version) -> frozenset[str]:
    """Every `Type/id` that a record refers to; remembered with the record."""
    if "references" not in version.cache:
        version.cache["references"] = frozenset(_short(text) for text in _found(version.data))
    references: frozenset[str] = version.cache["references"]
    return references


def _found(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _found(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            if name == "reference" and isinstance(one, str):
                yield one
            elif isinstance(one, dict | list):
                yield from _found(one)


def _short(reference: str) -> str:
    return "/".join(reference.rstrip("/").split("/")[-2:])
