"""Compares what the vault says with what the hospital held: nothing silently missing, nothing invented, leaked, doubled.

The hospital's chronicle (`Events`) is the truth; what the adapter claims is its exit code and its coverage.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from fhir_adapter import flow
from fhir_adapter.core.errors import WHOLE
from fhir_adapter.sandbox.disguise import disguised
from fhir_adapter.sandbox.store import Version
from fhir_adapter.steps.workspace import Workspace
from tests.schedules import records
from tests.schedules.events import Named
from tests.schedules.place import World

ASKED = {"on-study", "follow-up"}


class Books:
    """One look at the vault beside the hospital's own truth."""

    def __init__(self, world: World, work: Workspace) -> None:
        self.world, self.work, self.events = world, work, world.events
        self.types = [name for name in records.TYPES if name not in world.persona.missing]
        with work.vault.database.reading() as transaction:
            rows = transaction.rows(
                "SELECT r.type, r.fhir_id, r.patient, r.kind, v.body FROM resource r JOIN version v "
                "ON v.resource = r.key AND v.ordinal = r.ordinal WHERE r.hospital = 'west'")
            self.kept: dict[Named, tuple[str | None, str, Any]] = {
                (row[0], row[1]): (row[2], row[3], _read(bytes(row[4]))) for row in rows}
            self.doubled = [f"{row[0]} has one version twice" for row in transaction.rows(
                "SELECT resource FROM version WHERE kind = 'content' "
                "GROUP BY resource, version_id, sha256 HAVING version_id <> '' AND count(*) > 1")]
        self.coverage = work.vault.coverage("west")
        self.open = {row.type for row in flow.status(work).completeness if row.open_since is not None}

    # --- what must hold whatever happened --------------------------------------------------------------------------

    def faults(self, asked_since: datetime | None = None) -> list[str]:
        """What is wrong; `asked_since` is when a run began that ended whole: then everything was had since then."""
        found = [*self.doubled, *self._leaked(), *self._invented()]
        for (type, patient), row in self.coverage.items():
            if row.open_since is None and row.whole_as_of is not None and (type in self.types or patient == "*"):
                found += [f"{one} although whole as of {row.whole_as_of:%m-%d %H:%M:%S}"
                          for one in self._missing(type, patient, row.whole_as_of)]
        if asked_since is not None:
            found += self._unclaimed(asked_since)
        return found

    def _leaked(self) -> Iterator[str]:
        people = {_person(version.data, "individual") for version in self.events.ever()
                  if version.type == "ResearchSubject"}
        people |= {_person(one, "entity") for version in self.events.ever() if version.type == "Group"
                   for one in version.data.get("member", ())}
        people |= {_person(link, "other") for version in self.events.ever() if version.type == "Patient"
                   for link in version.data.get("link", ()) if link["type"] == "replaced-by"}
        for named, (patient, _, _) in self.kept.items():
            if patient is not None and patient not in people:
                yield f"{named} is {patient}'s, who was never in the trial"

    def _invented(self) -> Iterator[str]:
        for named, (_, kind, _) in self.kept.items():
            chain = self.events.chain(named)
            hidden = self.events.hidden.get(named, [])
            if kind == "deleted" and not any(version.deleted for version in chain) and 404 not in hidden:
                yield f"{named} is said to be deleted"
            if kind == "not_visible" and 403 not in hidden:
                yield f"{named} is said not to be visible"
            if kind == "content" and self._position(named) is None and named[0] != "Medication":
                yield f"{named} says what nobody ever said"

    def _unclaimed(self, since: datetime) -> Iterator[str]:
        """A run that ended whole has asked for everyone since it began, and left nothing open."""
        for patient in self.asked(since):
            for type in self.types:
                row = self.coverage.get((type, patient))
                if row is None or row.open_since is not None or row.whole_as_of is None or row.whole_as_of < since:
                    yield f"exit {WHOLE}, but {type} of {patient} was not had"
        for type in sorted(self.open):
            yield f"exit {WHOLE}, but status says that something of {type} is missing"

    # --- what is missing -------------------------------------------------------------------------------------------

    def _missing(self, type: str, patient: str, moment: datetime) -> Iterator[str]:
        """Records of a patient (`*`: of the cohort) that could be seen then, and are not here as of then or later."""
        wanted = self.asked(moment) if type == "Patient" and patient == "*" else {patient}
        for named, version in self.events.at(moment).items():
            if named[0] != type or version.deleted or named in self.events.hidden:
                continue
            if type == "ResearchSubject":
                is_ours = True
            elif type == "Patient":
                is_ours = named[1] in wanted
            else:
                is_ours = _person(version.data, "subject") == patient
            if is_ours and not self._has(named, version):
                yield f"{named} version {version.version_id} is not here"

    def _has(self, named: Named, version: Version) -> bool:
        """Whether the vault's record is this version or a later one."""
        chain = self.events.chain(named)
        position = self._position(named)
        return position is not None and position >= chain.index(version)

    def _position(self, named: Named) -> int | None:
        """Which version of the hospital's the vault's record is: the last that says the same."""
        if named not in self.kept:
            return None
        _, kind, body = self.kept[named]
        chain = self.events.chain(named)
        for number in reversed(range(len(chain))):
            if kind == "deleted" and chain[number].deleted:
                return number
            if kind == "content" and not chain[number].deleted and self._shown(chain[number]) == body:
                return number
        return None

    def _shown(self, version: Version) -> Any:
        return _read(disguised(version, self.world.persona, self.world.plan.seed).body or b"")

    # --- the end ---------------------------------------------------------------------------------------------------

    def differences(self, moment: datetime, *, deletions: bool) -> list[tuple[str, str]]:
        """Where the vault is not what the hospital shows now, as (type, words); records of the cohort alone.

        With `deletions` also what is still here and no longer there.
        """
        found: list[tuple[str, str]] = []
        asked, truth = self.asked(moment), self.events.at(moment)
        for type in ("Patient", *self.types):
            people = {"*"} if type == "Patient" else asked
            found += [(type, words) for person in sorted(people) for words in self._missing(type, person, moment)]
        for named, (patient, kind, body) in self.kept.items():
            if named[0] not in self.types or patient not in asked or kind != "content":
                continue
            version = truth.get(named)
            if version is None or version.deleted:
                if deletions:
                    found.append((named[0], f"{named} is still here"))
            elif named not in self.events.hidden and self._shown(version) != body:
                found.append((named[0], f"{named} says something else"))
        drugs = {str(body.get("medicationReference", {}).get("reference", "#")) for _, kind, body in self.kept.values()
                 if kind == "content"}
        found += [("Medication", f"{one} is not here") for one in sorted(drugs)
                  if not one.startswith("#") and ("Medication", one.removeprefix("Medication/")) not in self.kept]
        return found

    def asked(self, moment: datetime) -> set[str]:
        """Whom the trial asks for: its members as of then, and who replaces them."""
        truth = self.events.at(moment)
        if self.world.plan.cohort == "group":
            named = {_person(one, "entity") for version in truth.values() if version.type == "Group"
                     for one in version.data.get("member", ())}
        else:
            named = {_person(version.data, "individual") for version in truth.values()
                     if version.type == "ResearchSubject" and version.data.get("status") in ASKED}
        replaced = {named[1]: _person(link, "other") for named, version in truth.items() if named[0] == "Patient"
                    for link in version.data.get("link", ()) if link["type"] == "replaced-by"}
        while more := {replaced[one] for one in named if one in replaced} - named:
            named |= more
        return named


def _person(record: Any, element: str) -> str:
    return str(record.get(element, {}).get("reference", "")).rsplit("/", 1)[-1]


def _read(body: bytes) -> Any:
    return json.loads(body, parse_float=Decimal) if body else {}


def lines(found: Iterable[tuple[str, str]]) -> list[str]:
    """Differences in words."""
    return [f"{type}: {words}" for type, words in found]
