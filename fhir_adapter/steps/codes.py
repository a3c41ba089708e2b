"""Codes that people decided about: decisions become rows over the concept lists, for past and future records."""

import hashlib
import json

import msgspec

from fhir_adapter.core.concepts import ConceptRow, Concepts, Relationship
from fhir_adapter.core.conflicts import Decision
from fhir_adapter.core.errors import UsageError
from fhir_adapter.review.kinds import CODE_KINDS
from fhir_adapter.review.settling import standing_decisions

STUDY = "study"
"""The scope of a decision about a code that holds for every hospital."""


def with_decisions(concepts: Concepts, decisions: list[Decision]) -> tuple[Concepts, str]:
    """The concept lists with the decisions in force laid over them, and a digest of what was laid over."""
    about_codes = _about_codes(decisions)
    rows = decided_rows(concepts, decisions)
    if not rows:
        return concepts, ""
    lists = {name: one.with_rows(_laid_over(one.rows, rows.get(name, []))) for name, one in concepts.lists.items()}
    said = sorted(decision.value for decision in about_codes)
    return Concepts(lists, concepts.terms), hashlib.sha256(json.dumps(said).encode()).hexdigest()


def decided_rows(concepts: Concepts, decisions: list[Decision]) -> dict[str, list[ConceptRow]]:
    """The decisions in force about codes as rows, by list; those for the whole study before those for a hospital."""
    rows: dict[str, list[ConceptRow]] = {}
    for decision in _about_codes(decisions):
        for name, row in _rows(concepts, decision):
            rows.setdefault(name, []).append(row)
    return {name: sorted(listed, key=lambda row: row.hospital != "") for name, listed in rows.items()}


def _about_codes(decisions: list[Decision]) -> list[Decision]:
    return [one for one in standing_decisions(decisions).values()
            if one.kind in CODE_KINDS and one.choice in ("map_code", "unmatched")]


def _laid_over(rows: tuple[ConceptRow, ...], decided: list[ConceptRow]) -> tuple[ConceptRow, ...]:
    """Decided rows, last one wins; one for the whole study also goes before a CSV row of any hospital (DESIGN §7)."""
    found: list[ConceptRow] = []
    for row in decided:
        found.append(row)
        if not row.hospital:
            others = {one.hospital for one in rows if one.hospital and (one.system, one.code) == (row.system, row.code)}
            found += [msgspec.structs.replace(row, hospital=one) for one in sorted(others)]
    return tuple(found)


def _rows(concepts: Concepts, decision: Decision) -> list[tuple[str, ConceptRow]]:
    value = json.loads(decision.value)
    unmatched = decision.choice == "unmatched"
    hospital = "" if value.get("scope") == STUDY else value["hospital"]
    row = ConceptRow(
        system=value["system"], code=value["code"], display="", concept="" if unmatched else value["concept"],
        relationship=Relationship.UNMATCHED if unmatched else Relationship.EQUIVALENT, hospital=hospital,
        note=f"decision {decision.number}", decided_by=decision.decided_by, decided_on=decision.decided_at[:10],
    )
    return [(name, row) for name in (concepts.lists if unmatched else (value["list"],))]


def code_value(concepts: Concepts, scope: tuple[str, ...], concept: str | None) -> str:
    """The value of a decision about a code: where it applies and what it means, complete in itself.

    `concept` is a concept of one of the lists, written `concept` or `list:concept`; None for `unmatched`. With
    `@study` behind it the decision is for every hospital, else for the one where the code was met. Raises UsageError
    when no list, or more than one, knows it.
    """
    hospital, system, code = scope
    value = {"hospital": hospital, "system": system, "code": code}
    if concept is not None and concept.endswith(f"@{STUDY}"):
        concept = concept.removesuffix(f"@{STUDY}")
        value["scope"] = STUDY
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
