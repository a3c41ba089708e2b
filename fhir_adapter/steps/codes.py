"""Codes that people decided about: decisions become rows over the concept lists, for past and future records."""

import hashlib
import json

from fhir_adapter.core.concepts import ConceptRow, Concepts, Relationship
from fhir_adapter.core.conflicts import Decision
from fhir_adapter.core.errors import UsageError
from fhir_adapter.review.kinds import CODE_KINDS
from fhir_adapter.review.settling import standing_decisions


def with_decisions(concepts: Concepts, decisions: list[Decision]) -> tuple[Concepts, str]:
    """The concept lists with the decisions in force laid over them, and a digest of what was laid over."""
    rows: dict[str, list[ConceptRow]] = {}
    said: list[str] = []
    for decision in standing_decisions(decisions).values():
        if decision.kind in CODE_KINDS and decision.choice in ("map_code", "unmatched"):
            said.append(decision.value)
            for name, row in _rows(concepts, decision):
                rows.setdefault(name, []).append(row)
    if not rows:
        return concepts, ""
    lists = {name: one.with_rows(tuple(rows.get(name, ()))) for name, one in concepts.lists.items()}
    return Concepts(lists, concepts.terms), hashlib.sha256(json.dumps(sorted(said)).encode()).hexdigest()


def _rows(concepts: Concepts, decision: Decision) -> list[tuple[str, ConceptRow]]:
    value = json.loads(decision.value)
    unmatched = decision.choice == "unmatched"
    row = ConceptRow(
        system=value["system"], code=value["code"], display="", concept="" if unmatched else value["concept"],
        relationship=Relationship.UNMATCHED if unmatched else Relationship.EQUIVALENT, hospital=value["hospital"],
        note=f"decision {decision.number}", decided_by=decision.decided_by, decided_on=decision.decided_at[:10],
    )
    return [(name, row) for name in (concepts.lists if unmatched else (value["list"],))]


def code_value(concepts: Concepts, scope: tuple[str, ...], concept: str | None) -> str:
    """The value of a decision about a code: where it applies and what it means, complete in itself.

    `concept` is a concept of one of the lists, written `concept` or `list:concept`; None for `unmatched`. Raises
    UsageError when no list, or more than one, knows it.
    """
    hospital, system, code = scope
    value = {"hospital": hospital, "system": system, "code": code}
    if concept is not None:
        name, _, bare = concept.rpartition(":")
        lists = [one for one in sorted(concepts.lists) if name in ("", one) and _knows(concepts, one, bare)]
        if len(lists) != 1:
            known = f"in {', '.join(lists)}; write list:concept" if lists else "in no list under mappings/concepts"
            raise UsageError(f"The concept {bare} stands {known}.")
        value |= {"list": lists[0], "concept": bare}
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _knows(concepts: Concepts, name: str, concept: str) -> bool:
    return concept in concepts.terms.get(name, {}) or any(row.concept == concept for row in concepts.lists[name].rows)
