"""Compares what the vault says with what the hospital held: nothing is silently missing, invented, leaked or doubled.

The hospital's chronicle (`Events`) is the truth; what the adapter claims is its exit code and its coverage.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from fhir_adapter import flow
from fhir_adapter.core.errors import WHOLE
from fhir_adapter.core.windows import WindowState
from fhir_adapter.sandbox.disguise import disguised
from fhir_adapter.sandbox.store import Version
from fhir_adapter.steps.workspace import Workspace
from tests.schedules.events import Named
from tests.schedules.place import World

ASKED = {"on-study", "follow-up"}
LISTS = {"research_study": {"ResearchSubject", "*"}, "group": {"Group", "*"}, "all": {"Patient", "*"}}
"""What leaves everything in doubt while it is open: the list of members, and a hospital that gives nothing."""


class Books:
    """One look at the vault beside the hospital's own truth."""

    def __init__(self, world: World, work: Workspace) -> None:
        self.world, self.events = world, world.events
        self.lists = LISTS[world.plan.cohort]
        self.types = [name for name in world.plan.types if name not in world.persona.missing]
        with work.vault.database.reading() as transaction:
            rows = transaction.rows(
                "SELECT r.type, r.fhir_id, r.patient, r.kind, v.body FROM resource r JOIN version v "
                "ON v.resource = r.key AND v.ordinal = r.ordinal WHERE r.hospital = 'west'")
            self.kept: dict[Named, tuple[str | None, str, Any]] = {
                (row[0], row[1]): (row[2], row[3], _read(bytes(row[4]))) for row in rows}
            self.doubled = _doubled(transaction.rows(
                "SELECT resource, kind, version_id, sha256 FROM version ORDER BY resource, ordinal"))
        self.unanswered = [window.question.type for window in work.vault.windows("west", WindowState.OPEN)]
        self.coverage = work.vault.coverage("west")
        self.open = {row.type for row in flow.status(work).completeness if row.open_since is not None}

    # --- what must hold whatever happened --------------------------------------------------------------------------

    def faults(self, asked_since: datetime | None = None) -> list[str]:
        """What is wrong; `asked_since` is when a run began that ended whole: then everything was had since then."""
        found = [*self.doubled, *self._leaked(), *self._invented()]
        for (type, patient), row in self.coverage.items():
            if type == "Patient" and self.lists & self.open:
                continue  # who is missing in the list of members is missing everywhere; the list says so
            if row.open_since is None and row.whole_as_of is not None and (type in self.types or patient == "*"):
                found += [f"{one} although whole as of {row.whole_as_of:%m-%d %H:%M:%S}"
                          for one in self._missing(type, patient, row.whole_as_of)]
        if asked_since is not None:
            found += self._unclaimed(asked_since)
        return found

    def _leaked(self) -> Iterator[str]:
        if self.world.plan.cohort == "all":
            return
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
            moved = len({_person(version.data, "subject") for version in chain}) > 1
            if kind == "deleted" and not (moved or 404 in hidden or any(version.deleted for version in chain)):
                yield f"{named} is said to be deleted"
            if kind == "not_visible" and not {403, 404} & set(hidden):
                yield f"{named} is said not to be visible"
            is_asked = named[0] in (*self.types, "Patient", "ResearchSubject", "ResearchStudy", "Group")
            if kind == "content" and is_asked and self._version_of(named) is None:
                yield f"{named} says what nobody ever said"

    def _unclaimed(self, since: datetime) -> Iterator[str]:
        """A run that ended whole has an answer for everyone, and left nothing open. A question that was taken up again
        is answered as of when it was first asked; whether that is so, `faults` asks."""
        for patient in self.asked(since):
            for type in self.types:
                row = self.coverage.get((type, patient))
                if row is None or row.open_since is not None or row.whole_as_of is None:
                    yield f"exit {WHOLE}, but {type} of {patient} was not had"
        for type in sorted(self.open):
            yield f"exit {WHOLE}, but status says that something of {type} is missing"
        for type in self.unanswered:
            yield f"exit {WHOLE}, but a question for {type} is still open"

    # --- what is missing -------------------------------------------------------------------------------------------

    def _missing(self, type: str, patient: str, moment: datetime) -> Iterator[str]:
        """Records of a patient (`*`: of the cohort) that could be seen then, and are not here as of then or later.

        Left out: what a merge gave to somebody else while we asked. The next sync sees the merge and asks for them.
        """
        now = self.world.clock() + self.events.ahead
        wanted = self.asked(moment) & self.asked(now) if type == "Patient" else {patient}
        for named, version in self.events.at(moment).items():
            if named[0] != type or version.deleted or named in self.events.hidden:
                continue
            if type == "ResearchSubject":
                is_ours = True
            elif type == "Patient":
                is_ours = named[1] in wanted
            else:
                is_ours = self._owners(named, since=version) == {patient}
            if is_ours and not self._has(named, version):
                yield f"{named} version {version.version_id} is not here"

    def _owners(self, named: Named, since: Version) -> set[str]:
        """Whose a record was in that version, and in later ones."""
        later = self.events.chain(named)
        return {_person(one.data, "subject") for one in later[later.index(since):] if not one.deleted}

    def _has(self, named: Named, version: Version) -> bool:
        """Whether the vault's record is this version or a later one."""
        later = self.events.chain(named)
        later = later[later.index(version):]
        if named not in self.kept:
            return any(one.deleted for one in later)  # gone before we came
        if self.kept[named][1] == "deleted":
            return True  # whether that is so, `_invented` asks
        return self._version_of(named) in later

    def _version_of(self, named: Named) -> Version | None:
        """Which version of the hospital's the vault's record is: the last that says the same."""
        _, kind, body = self.kept[named]
        for version in reversed(self.events.chain(named)):
            if kind == ("deleted" if version.deleted else "content") and (version.deleted or
                                                                          self._shown(version) == body):
                return version
        return None

    def _shown(self, version: Version) -> Any:
        return _read(disguised(version, self.world.persona, self.world.plan.seed).body or b"")

    # --- the end ---------------------------------------------------------------------------------------------------

    def names(self, type: str) -> bool:
        """Whether `status` says that something of this type is missing, or may be."""
        return bool({type, *self.lists} & self.open)

    def differences(self, moment: datetime, *, deletions: bool, weekly: bool) -> list[tuple[str, str]]:
        """Where the vault is not what the hospital shows now, as (type, words); records of the cohort alone.

        With `deletions` also what is still here and no longer there; `weekly`, when all known records were just read by
        id, also what is now somebody else's, outside of the cohort.
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
            elif _person(version.data, "subject") not in asked:
                if weekly:
                    found.append((named[0], f"{named} is somebody else's, and still here"))
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
        elif self.world.plan.cohort == "all":
            named = {version.id for version in truth.values() if version.type == "Patient" and not version.deleted}
        else:
            named = {_person(version.data, "individual") for version in truth.values()
                     if version.type == "ResearchSubject" and version.data.get("status") in ASKED}
        replaced = {named[1]: _person(link, "other") for named, version in truth.items() if named[0] == "Patient"
                    for link in version.data.get("link", ()) if link["type"] == "replaced-by"}
        final = set(named)
        for one in named:
            while one in replaced:
                one = replaced[one]
            final.add(one)
        return final


def _doubled(rows: Iterable[Any]) -> list[str]:
    """Contents that were kept twice. What was gone in between and came back as it was is a version of its own."""
    found, seen, gone = [], set[tuple[str, str]](), ""
    for resource, kind, version, content in rows:
        if resource != gone or kind != "content":
            gone, seen = resource, set()
        if kind == "content" and version:
            if (version, content) in seen:
                found.append(f"{resource} has one version twice")
            seen.add((version, content))
    return found


def _person(record: Any, element: str) -> str:
    return str(record.get(element, {}).get("reference", "")).rsplit("/", 1)[-1]


def _read(body: bytes) -> Any:
    return json.loads(body, parse_float=Decimal) if body else {}
