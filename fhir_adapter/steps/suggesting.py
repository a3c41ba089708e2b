"""Suggesting what a code may mean: concepts whose label or known synonyms read like it, with the reason.

A suggestion decides nothing; it is a candidate that a person picks or does not.
"""

from collections.abc import Iterable
from functools import lru_cache

import msgspec

from fhir_adapter.core.concepts import TEXT, Concepts, Relationship, normalised

LEAST = 55.0
"""Below this likeness (0 to 100) nothing is suggested."""


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """A concept that a code may mean: its list, a likeness of 0 to 100, and why."""

    concept: str
    list: str
    label: str
    score: int
    why: str

    @property
    def value(self) -> str:
        """As a decision takes it."""
        return f"{self.list}:{self.concept}"


def suggestions(concepts: Concepts, words: Iterable[str], most: int = 5) -> list[Suggestion]:
    """Concepts that read like these words (a code, its display, its text), the likest first.

    Every list's labels, concept names and mapped displays and texts are looked through; each concept shows once, with
    the name that matched best. Ties: by list and concept.
    """
    from rapidfuzz import fuzz, process

    names = _names(concepts)
    best: dict[tuple[str, str], Suggestion] = {}
    for word in {normalised(one) for one in words if one.strip()}:
        for matched, score, _ in process.extract(word, list(names), scorer=fuzz.WRatio, limit=40,
                                                 score_cutoff=LEAST):
            for name, concept, label, kind in names[matched]:
                found = Suggestion(concept=concept, list=name, label=label, score=round(score),
                                   why=f"reads like the {kind} “{matched}”")
                known = best.get((name, concept))
                if known is None or known.score < found.score:
                    best[name, concept] = found
    return sorted(best.values(), key=lambda one: (-one.score, one.list, one.concept))[:most]


@lru_cache(maxsize=2)  # of a study that does not change while it is open
def _names(concepts: Concepts) -> dict[str, list[tuple[str, str, str, str]]]:
    """Everything by which a concept is known: name -> (list, concept, label, what the name is)."""
    names: dict[str, list[tuple[str, str, str, str]]] = {}

    def known(text: str, name: str, concept: str, kind: str) -> None:
        read = normalised(text.removeprefix(TEXT))
        if len(read) > 1 and concept:
            label = concepts.term(name, concept).get("label", concept)
            names.setdefault(read, []).append((name, concept, label, kind))

    for name, terms in concepts.terms.items():
        if name in concepts.lists:
            for concept, attributes in terms.items():
                known(attributes.get("label", ""), name, concept, "label")
                known(concept, name, concept, "concept")
    for name, one in concepts.lists.items():
        for row in one.rows:
            if row.relationship in (Relationship.EQUIVALENT, Relationship.NARROWER):
                known(row.display, name, row.concept, "display of a mapped code")
                if row.code.startswith(TEXT):
                    known(row.code, name, row.concept, "text of a mapped code")
    return names
