"""Life at the hospital while others ask: records are edited, deleted, retracted, merged, hidden; some changes are
seen late, and clocks differ."""

import copy
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from fhir_adapter.sandbox.house import House
from fhir_adapter.sandbox.store import Stamp, Version, record
from fhir_adapter.sandbox.view import View

_ERROR = "entered-in-error"
_CODED_STATUS = {"Condition": "verificationStatus", "AllergyIntolerance": "verificationStatus"}
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_NO_STATUS = {"Patient", "ResearchSubject", "ResearchStudy", "Group", "BodyStructure", "BodySite", "Location"}
_PEOPLE = ("subject", "patient", "individual")


@dataclass
class Life:
    """What happens at one hospital; safe to call while it is asked."""

    house: House
    lock: threading.Lock
    moved: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def record(self, type_: str, id_: str) -> dict[str, Any]:
        """The current version of a record, as a copy that may be changed and handed to `edit`.

        Raises:
            KeyError: there is none.
        """
        with self.lock:
            return self._record(type_, id_)

    def edit(self, resource: Mapping[str, Any], late: float | None = None) -> Version:
        """A new version of a record, or a new record, with the server's versionId and lastUpdated.

        `late`: seconds until it can be seen; without it the persona's `time.late_seconds` decides.
        """
        with self.lock:
            return self._edit(resource, late)

    def plant(self, body: bytes) -> Version:
        """A record exactly as these bytes, however broken, as long as its type and id can be found."""
        with self.lock:
            return self.house.store.append(record(body))

    def delete(self, type_: str, id_: str, late: float | None = None) -> Version:
        """The record is deleted; reads say 410, its history keeps it.

        Raises:
            KeyError: there is no such record.
        """
        with self.lock:
            return self.house.store.delete(type_, id_, self._stamp(type_, id_, late))

    def retract(self, type_: str, id_: str) -> Version:
        """The record becomes entered-in-error.

        Raises:
            ValueError: records of this type have no such status.
        """
        with self.lock:
            if type_ in _NO_STATUS or (type_ == "AdverseEvent" and self.house.place.version != "R5"):
                raise ValueError(f"{type_} has no status entered-in-error in this FHIR version")
            found = self._record(type_, id_)
            if type_ in _CODED_STATUS:
                coded = {"coding": [{"system": _VERIFICATION, "code": _ERROR}]}
                found[_CODED_STATUS[type_]] = _ERROR if self.house.place.version == "STU3" else coded
            else:
                found["status"] = _ERROR
            return self._edit(found)

    def merge(self, old: str, survivor: str) -> None:
        """Patient `old` is merged into `survivor`: both say so, and every record of the old one moves."""
        with self.lock:
            gone, kept = self._record("Patient", old), self._record("Patient", survivor)
            gone["active"] = False
            gone["link"] = [*gone.get("link", ()), _link(survivor, "replaced-by")]
            kept["link"] = [*kept.get("link", ()), _link(old, "replaces")]
            self._edit(gone)
            self._edit(kept)
            self.moved[old] = self._move(old, survivor, None)

    def unmerge(self, old: str) -> None:
        """A merge is undone: the links go, and what had moved moves back.

        Raises:
            KeyError: the patient was never merged here.
        """
        with self.lock:
            gone = self._record("Patient", old)
            survivor = str(next(one["other"]["reference"] for one in gone["link"] if one["type"] == "replaced-by"))
            kept = self._record("Patient", survivor.rsplit("/", 1)[-1])
            gone["active"] = True
            for patient in (gone, kept):
                _unlink(patient, (survivor, f"Patient/{old}"))
                self._edit(patient)
            self._move(survivor.rsplit("/", 1)[-1], old, self.moved.pop(old))

    def hide(self, type_: str, id_: str, read: int = 403) -> None:
        """The record is still there, but this client no longer finds it; a direct read answers `read`
        (200: it can be read, 403, or 404)."""
        with self.lock:
            self.house.hidden[type_, id_] = read

    def show(self, type_: str, id_: str) -> None:
        """What was hidden can be found again."""
        with self.lock:
            self.house.hidden.pop((type_, id_), None)

    def poison(self, type_: str, id_: str) -> None:
        """From now on every answer with this record is 500."""
        with self.lock:
            self.house.poison.add(f"{type_}/{id_}")

    def heal(self) -> None:
        """No record is poison any more (but for the persona's)."""
        with self.lock:
            self.house.poison.clear()

    def happen(self, random: Random) -> str:
        """One thing happens, by chance: an edit, a new record, a deletion or a retraction of a clinical record; its
        name in words without ids."""
        with self.lock:
            heads = [
                head
                for type_ in sorted(self.house.store.types())
                if type_ not in _NO_STATUS and type_ not in ("AdverseEvent", "Medication")
                for head in self.house.store.heads(type_)
            ]
        if not heads:
            return "nothing"
        head, what = random.choice(heads), random.choice(("edit", "edit", "copy", "delete", "retract"))
        if what == "delete":
            self.delete(head.type, head.id)
        elif what == "retract":
            self.retract(head.type, head.id)
        else:
            changed = self.record(head.type, head.id)
            if what == "copy":
                changed["id"] = f"{head.id}-{random.randrange(10**6)}"[-64:]
            changed["note" if head.type != "Encounter" else "language"] = (
                [{"text": f"edit {random.randrange(10**6)}"}] if head.type != "Encounter" else "en"
            )
            self.edit(changed)
        return f"{what} {head.type}"

    def truth(self) -> dict[tuple[str, str], Version]:
        """What a client who missed nothing now knows: every current record as it is shown, by type and id."""
        with self.lock:
            view = View(self.house)
            return {(type_, head.id): head for type_ in view.types() for head in view.heads(type_)}

    def _record(self, type_: str, id_: str) -> dict[str, Any]:
        chain = self.house.store.chain(type_, id_)
        if not chain or chain[-1].deleted:
            raise KeyError(f"no {type_} of that id at this hospital")
        return copy.deepcopy(chain[-1].data)

    def _edit(self, resource: Mapping[str, Any], late: float | None = None) -> Version:
        stamp = self._stamp(str(resource["resourceType"]), str(resource["id"]), late)
        return self.house.store.put(resource, stamp)

    def _stamp(self, type_: str, id_: str, late: float | None = None) -> Stamp:
        """When this node thinks it is, and when the others will see what it writes."""
        house, time, now = self.house, self.house.persona.time, self.house.clock()
        what = (type_, id_, house.store.revision)
        if time.skew_seconds:
            share = house.chance("skew", *what) % 2001 / 1000 - 1
            return Stamp(now + timedelta(seconds=time.skew_seconds * share), exact=True)
        if late is None and time.late_seconds:
            late = time.late_seconds * (house.chance("late", *what) % 1000) / 1000
        if late:
            return Stamp(now, now + timedelta(seconds=late))
        return Stamp(now)

    def _move(self, old: str, new: str, only: list[tuple[str, str]] | None) -> list[tuple[str, str]]:
        """Points records from one Patient to another; which they were."""
        found = []
        for type_ in self.house.store.types():
            for head in self.house.store.heads(type_):
                if only is not None and (type_, head.id) not in only:
                    continue
                changed = copy.deepcopy(head.data)
                hits = [name for name in _PEOPLE if _points_to(changed.get(name), old)]
                for name in hits:
                    changed[name]["reference"] = f"Patient/{new}"
                if hits:
                    self._edit(changed)
                    found.append((type_, head.id))
        return found


def _points_to(value: Any, patient: str) -> bool:
    return isinstance(value, dict) and str(value.get("reference", "")).endswith(f"Patient/{patient}")


def _link(patient: str, kind: str) -> dict[str, Any]:
    return {"other": {"reference": f"Patient/{patient}"}, "type": kind}


def _unlink(patient: dict[str, Any], others: tuple[str, ...]) -> None:
    left = [one for one in patient.get("link", ()) if one["other"]["reference"] not in others]
    patient.pop("link", None)
    if left:
        patient["link"] = left
