"""What codes mean: the trial's concepts and the rows that lead to them."""

import re
import unicodedata
from enum import StrEnum
from typing import Protocol

import msgspec

from fhir_adapter.core.remembered import Remembered

TEXT = "text:"
"""Prefix of a code that is only a text, in rows with an empty system."""

CTCAE_IN_PART = "ctcae in part"
"""The list of the CTCAE versions of which only some terms are known (`vX-part.csv`)."""

MOST_REMEMBERED = 20_000
"""How many CodeableConcepts are remembered with their meaning; a hospital uses far fewer."""

_SYSTEM_ALIASES = {
    "http://terminology.hl7.org/CodeSystem/mdr": "https://www.meddra.org",
    "urn:oid:2.16.840.1.113883.6.163": "https://www.meddra.org",
    "http://ncithesaurus-stage.nci.nih.gov": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
    "urn:oid:2.16.840.1.113883.6.73": "http://www.whocc.no/atc",
}


class Relationship(StrEnum):
    """The source is ... than the concept: equivalent and narrower map, wider opens a conflict, unmatched is ignored."""

    EQUIVALENT = "equivalent"
    NARROWER = "narrower"
    WIDER = "wider"
    UNMATCHED = "unmatched"


class Code(msgspec.Struct, frozen=True):
    """A code in its system; a text-only code has an empty system and `text:` before the normalised text."""

    system: str
    code: str
    display: str = ""


class ConceptRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of mappings/concepts/<list>.csv: a source code, the concept it means, for which hospital.

    `rank`: 0 for a line of a file; a decision laid over the files ranks higher, the nearer it is to the record.
    """

    system: str
    code: str
    display: str
    concept: str
    relationship: Relationship
    hospital: str = ""
    note: str = ""
    decided_by: str = ""
    decided_on: str = ""
    rank: int = 0


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a look-up.

    `found`: one of `mapped`, `unmatched` (ignored, with the row's note as reason), `wider`, `ambiguous` (two codings
    lead to two concepts), `unknown`. `code` is the coding that decided, or the first one.
    """

    found: str
    code: Code
    concept: str = ""
    note: str = ""


def system_of(system: str) -> str:
    """A code system's one name here: MedDRA, NCIt and ATC go by several."""
    return _SYSTEM_ALIASES.get(system, system)


def normalised(text: str) -> str:
    """A text as a code: NFKC, lower case, single spaces."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip().casefold()


class ConceptList:
    """The rows of one concept list, asked by code: the higher rank goes first, then a row of the hospital itself."""

    def __init__(self, name: str, rows: tuple[ConceptRow, ...]) -> None:
        self.name = name
        self.rows = rows
        self._by_code = {(row.hospital, system_of(row.system), row.code): row for row in rows}

    def _row(self, hospital: str, code: Code) -> ConceptRow | None:
        system = system_of(code.system)
        own, common = (self._by_code.get((one, system, code.code)) for one in (hospital, ""))
        return common if own is None or (common is not None and common.rank > own.rank) else own

    def find(self, hospital: str, codes: tuple[Code, ...], text: str | None = None) -> Match:
        """What the codings (or, when none is known, the text) of one CodeableConcept mean.

        Codings are asked before the text; unknown codings beside a known one are other people's codes for the same
        thing. Two that lead to different concepts are `ambiguous`, unless people decided about one of them.
        """
        textual = (Code("", TEXT + normalised(text)),) if text else ()
        for asked in (codes, textual):
            rows = [(code, row) for code in asked if (row := self._row(hospital, code)) is not None]
            if not rows:
                continue
            code, row = rows[0]
            meant = [pair for pair in rows if pair[1].relationship is not Relationship.UNMATCHED]
            if not meant:
                return Match(found="unmatched", code=code, note=row.note or "unmatched")
            nearest = max(row.rank for _, row in meant)
            meant = [pair for pair in meant if pair[1].rank == nearest]
            concepts = {row.concept for _, row in meant}
            if len(concepts) > 1:
                return Match(found="ambiguous", code=code, note=" or ".join(sorted(concepts)))
            code, row = meant[0]
            if row.relationship is Relationship.WIDER:
                return Match(found="wider", code=code, concept=row.concept, note=row.note)
            return Match(found="mapped", code=code, concept=row.concept, note=row.note)
        first = (codes + textual or (Code("", TEXT),))[0]
        return Match(found="unknown", code=first)

    def with_rows(self, rows: tuple[ConceptRow, ...]) -> "ConceptList":
        """The list with decisions laid over it: of one hospital, system and code the later row is kept."""
        return ConceptList(self.name, self.rows + rows)


class Spoken(Protocol):
    """A CodeableConcept as this room sees it: codings and a text, usable as a key."""

    @property
    def codes(self) -> tuple[Code, ...]:
        """The codings that carry a code."""
        ...

    @property
    def text(self) -> str | None:
        """The text."""
        ...

    def __hash__(self) -> int: ...


class Concepts(msgspec.Struct, frozen=True, eq=False):
    """All concept lists of a study by name, and the attributes of concepts (mappings/terms/<list>.csv)."""

    lists: dict[str, ConceptList]
    terms: dict[str, dict[str, dict[str, str]]] = {}
    remembered: Remembered[tuple[str, Spoken], dict[str, Match]] = msgspec.field(
        default_factory=lambda: Remembered(MOST_REMEMBERED)
    )

    def meanings(self, hospital: str, concept: Spoken) -> dict[str, Match]:
        """What a CodeableConcept means in every list that knows it, by list name; remembered, for the hot path."""
        key = (hospital, concept)
        found = self.remembered.get(key)
        if found is None:
            codes, text = concept.codes, concept.text
            matches = {name: asked.find(hospital, codes, text) for name, asked in self.lists.items()}
            found = {name: match for name, match in matches.items() if match.found != "unknown"}
            self.remembered.keep(key, found)
        return found

    def look_up(self, name: str, hospital: str, concept: Spoken | None) -> Match:
        """What a CodeableConcept means in one list; nothing said is unknown."""
        if concept is None:
            return self.find(name, hospital, ())
        known = self.meanings(hospital, concept).get(name)
        return self.find(name, hospital, concept.codes, concept.text) if known is None else known

    def find(self, name: str, hospital: str, codes: tuple[Code, ...], text: str | None = None) -> Match:
        """Look up in one list; an absent list knows nothing."""
        concept_list = self.lists.get(name)
        if concept_list is None:
            return ConceptList(name, ()).find(hospital, codes, text)
        return concept_list.find(hospital, codes, text)

    def term(self, name: str, concept: str) -> dict[str, str]:
        """A concept's attributes, for example a drug's class or a laboratory test's CTCAE terms; {} if it has none."""
        return self.terms.get(name, {}).get(concept, {})
