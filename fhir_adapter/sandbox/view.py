"""What a caller can see at this moment: late commits are not there yet, hidden and merged-away records are not found,
and every body is as the persona shows it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from fhir_adapter.sandbox.disguise import DRUG_TYPES, changes, disguised, drug_record
from fhir_adapter.sandbox.house import House
from fhir_adapter.sandbox.store import Version


@dataclass
class View:
    """The records of a hospital through the eyes of its client."""

    house: House
    _drugs: tuple[int, dict[str, Version]] = field(default_factory=lambda: (-1, {}))

    def types(self) -> list[str]:
        """Every type that has records, or may have."""
        return self.house.types()

    def heads(self, type_: str) -> list[Version]:
        """The current versions that a search or an export may find."""
        house, records = self.house, self.house.persona.records
        found = self._current(type_)
        if house.hidden:
            found = [one for one in found if (type_, one.id) not in house.hidden]
        if type_ == "Patient" and records.merged_by_read_only:
            found = [one for one in found if not merged_away(one)]
        if type_ == "Observation" and records.results_by_read_only:
            named = self._named_results()
            found = [one for one in found if one.id not in named]
        return found

    def chain(self, type_: str, id_: str) -> list[Version]:
        """The versions of one record that can be seen, oldest first."""
        house = self.house
        chain = house.store.chain(type_, id_)
        if not chain and type_ == "Medication" and house.persona.records.medication == "referenced":
            made = self._made_drugs().get(id_)
            return [made] if made is not None else []
        shown = [disguised(one, house.persona, house.seed) for one in chain if self._is_visible(one)]
        return [] if shown and shown[-1].deleted and house.persona.records.forgets_deleted else shown

    def history(self, type_: str | None = None) -> list[Version]:
        """Every version that can be seen, newest first."""
        house = self.house
        every = house.store.history(type_)
        if house.persona.records.forgets_deleted:
            gone = {(one.type, one.id) for one in every if one.deleted}
            every = [one for one in every if (one.type, one.id) not in gone]
        shown = (one for one in every if self._is_visible(one) and (one.type, one.id) not in house.hidden)
        return [disguised(one, house.persona, house.seed) for one in shown]

    def _is_visible(self, version: Version) -> bool:
        return version.visible_from is None or version.visible_from <= self.house.clock()

    def _current(self, type_: str) -> list[Version]:
        house = self.house
        if house.store.late:
            chains = ([one for one in chain if self._is_visible(one)] for chain in house.store.chains(type_))
            heads = [chain[-1] for chain in chains if chain and not chain[-1].deleted]
        else:
            heads = house.store.heads(type_)
        found = heads
        if changes(house.persona):
            found = [disguised(one, house.persona, house.seed) for one in heads]
        if type_ == "Medication" and house.persona.records.medication == "referenced":
            found += self._made_drugs().values()
        return found

    def _made_drugs(self) -> dict[str, Version]:
        """The Medications that no file has: made of what the records of drugs say."""
        revision, made = self._drugs
        store = self.house.store
        if revision != store.revision:
            every = (drug_record(head) for type_ in DRUG_TYPES for head in store.heads(type_))
            made = {one.id: one for one in every if one is not None}
            self._drugs = (store.revision, made)
        return made

    def _named_results(self) -> frozenset[str]:
        """Ids of the Observations that a DiagnosticReport names."""
        return frozenset(
            text.rsplit("/", 1)[-1]
            for report in self.house.store.heads("DiagnosticReport")
            for text in _references(report.data.get("result"))
        )


def merged_away(version: Version) -> bool:
    """Whether this Patient was merged into another."""
    links = version.data.get("link")
    return any(isinstance(one, dict) and one.get("type") == "replaced-by" for one in links or ())


def _references(values: object) -> Iterator[str]:
    for value in values if isinstance(values, list) else ():
        if isinstance(value, dict) and isinstance(value.get("reference"), str):
            yield value["reference"]
