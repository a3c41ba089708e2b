"""Codes that people decided about: decisions become rows over the concept lists, for past and future records.

A decision holds for the study, for a hospital, for one patient of it, or for one record; the nearer one goes first,
and any of them before a row of mappings/concepts (DESIGN §7).
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from fhir_adapter.core.concepts import ConceptRow, Concepts, Relationship
from fhir_adapter.core.conflicts import Decision
from fhir_adapter.core.errors import UsageError
from fhir_adapter.review.disputes import digest
from fhir_adapter.review.kinds import CODE_KINDS
from fhir_adapter.review.settling import standing_decisions

STUDY, HOSPITAL, PATIENT, RECORD = "study", "hospital", "patient", "record"
"""For whom a decision about a code holds: every hospital, the one where it was met, one patient, one record."""

_RANKS = {STUDY: 1, HOSPITAL: 2, PATIENT: 3, RECORD: 4}
_NEAR = (PATIENT, RECORD)

Named = Callable[[str, str], str]
"""Gives the opaque key of a `patient` or `record` that somebody named. Raises UsageError when there is none."""


class Meanings:
    """What codes mean here: the study's lists and what people decided, nearer for some patients and records.

    `concepts` holds for everybody; `of` for one record. `digest` changes with the decisions in force.
    """

    def __init__(self, concepts: Concepts, decisions: Iterable[Decision],
                 subjects: Callable[[], dict[str, str]] = dict) -> None:
        """`subjects` gives the subject by the opaque key of a patient; asked only where a decision is about one."""
        decided = _about_codes(decisions)
        wide = [one for one in decided if _scope(one) not in _NEAR]
        self.concepts = _laid(concepts, (row for one in wide for row in _rows(concepts, one)))
        self._near: dict[tuple[str, str], list[tuple[str, ConceptRow]]] = {}
        self._made: dict[tuple[tuple[str, str], ...], Concepts] = {}
        said = sorted(one.value for one in decided)
        known = subjects() if any(_scope(one) == PATIENT for one in decided) else {}
        for one in decided:
            if _scope(one) in _NEAR:
                key = json.loads(one.value)["key"]
                key = known.get(key, "") if _scope(one) == PATIENT else key
                self._near.setdefault((_scope(one), key), []).extend(_rows(concepts, one))
                said.append(key)
        self.digest = hashlib.sha256(json.dumps(said).encode()).hexdigest() if said else ""

    def of(self, record: str, subject: str) -> Concepts:
        """What codes mean in one record (by opaque key) of a subject."""
        if not self._near:
            return self.concepts
        near = tuple(one for one in ((PATIENT, subject), (RECORD, record)) if one in self._near)
        if not near:
            return self.concepts
        if near not in self._made:
            self._made[near] = _laid(self.concepts, (row for one in near for row in self._near[one]))
        return self._made[near]


def with_decisions(concepts: Concepts, decisions: Iterable[Decision]) -> Concepts:
    """The concept lists with the decisions in force laid over them that hold for a hospital or the study."""
    return Meanings(concepts, decisions).concepts


def decided_rows(concepts: Concepts, decisions: Iterable[Decision]) -> dict[str, list[ConceptRow]]:
    """The decisions in force that hold for a hospital or the study as rows, by list; those for the study first.

    What was decided for one patient or record is no row: a file of codes knows neither.
    """
    rows: dict[str, list[ConceptRow]] = {}
    for decision in _about_codes(decisions):
        if _scope(decision) not in _NEAR:
            for name, row in _rows(concepts, decision):
                rows.setdefault(name, []).append(msgspec.structs.replace(row, rank=0))
    return {name: sorted(listed, key=lambda row: row.hospital != "") for name, listed in rows.items()}


def _about_codes(decisions: Iterable[Decision]) -> list[Decision]:
    found = [one for one in standing_decisions(decisions).values()
             if one.kind in CODE_KINDS and one.choice in ("map_code", "unmatched")]
    return sorted(found, key=lambda one: one.number)


def _scope(decision: Decision) -> str:
    return str(json.loads(decision.value).get("scope", HOSPITAL))


def _laid(concepts: Concepts, rows: Iterable[tuple[str, ConceptRow]]) -> Concepts:
    """The lists with rows laid over them, lower ranks first: of one hospital and code the last one counts."""
    found: dict[str, list[ConceptRow]] = {}
    for name, row in rows:
        found.setdefault(name, []).append(row)
    if not found:
        return concepts
    lists = {name: one.with_rows(tuple(sorted(found[name], key=lambda row: row.rank))) if name in found else one
             for name, one in concepts.lists.items()}
    return Concepts(lists, concepts.terms)


def _rows(concepts: Concepts, decision: Decision) -> list[tuple[str, ConceptRow]]:
    value, scope = json.loads(decision.value), _scope(decision)
    unmatched = decision.choice == "unmatched"
    row = ConceptRow(
        system=value["system"], code=value["code"], display="", concept="" if unmatched else value["concept"],
        relationship=Relationship.UNMATCHED if unmatched else Relationship.EQUIVALENT,
        hospital="" if scope == STUDY else value["hospital"], note=f"decision {decision.number}",
        decided_by=decision.decided_by, decided_on=decision.decided_at[:10], rank=_RANKS[scope],
    )
    return [(name, row) for name in (concepts.lists if unmatched else (value["list"],))]


def code_value(concepts: Concepts, scope: tuple[str, ...], written: str, named: Named, *, unmatched: bool) -> str:
    """The value of a decision about a code: for whom it holds and what it means, complete in itself.

    `written` is a concept of one of the lists (`concept` or `list:concept`; nothing if `unmatched`), then perhaps for
    whom: `@hospital` (the one where the code was met: as if nothing stood there), `@study`, `@patient=NAME`,
    `@record=NAME`. Raises UsageError for any other text, or when no list, or more than one, knows the concept.
    """
    concept, at, whom = written.partition("@")
    place, _, name = whom.partition("=")
    if (at and place not in _RANKS) or (place in _NEAR) != bool(name) or (unmatched and concept):
        said = "nothing" if unmatched else "a concept"
        raise UsageError(f"A code is mapped by {said}, then perhaps @study, @hospital, @patient=NAME or @record=NAME.")
    hospital, system, code = scope[:3]
    value = {"hospital": hospital, "system": system, "code": code}
    if place and place != HOSPITAL:
        value["scope"] = place
    if name:
        value["key"] = named(place, name)
    if not unmatched:
        listed, _, bare = concept.rpartition(":")
        lists = [one for one in sorted(concepts.lists) if listed in ("", one) and _knows(concepts, one, bare)]
        if len(lists) != 1:
            known = f"in {', '.join(lists)}; write list:concept" if lists else "in no list under mappings/concepts"
            raise UsageError(f"The concept {bare} stands {known}.")
        value |= {"list": lists[0], "concept": bare}
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def scope_of_decision(value: dict[str, Any]) -> tuple[str, ...]:
    """What a decision about a code is about: hospital, system and code, then the patient or record that it is for."""
    near = (value["scope"], value["key"]) if value.get("scope") in _NEAR else ()
    return (value["hospital"], value["system"], value["code"], *near)


def decided_key(kind: str, value: str) -> str:
    """The key under which a decision about a code stands: the conflict's, and for a patient or record one of its own.

    So a decision for one record takes nothing back that was decided for the hospital.
    """
    return digest(kind, *scope_of_decision(json.loads(value)))


def written_value(decision: Decision) -> str:
    """A decision about a code as `code_value` reads it."""
    value = json.loads(decision.value)
    scope = value.get("scope", HOSPITAL)
    whom = "" if scope == HOSPITAL else f"@{scope}" + (f"={value['key']}" if scope in _NEAR else "")
    return (f"{value['list']}:{value['concept']}" if "concept" in value else "") + whom


def _knows(concepts: Concepts, name: str, concept: str) -> bool:
    return concept in concepts.terms.get(name, {}) or any(row.concept == concept for row in concepts.lists[name].rows)
