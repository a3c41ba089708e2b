"""What happens at a hospital by and by, and what of it was to be seen at which moment."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from fhir_adapter.sandbox import Rehearsal
from fhir_adapter.sandbox.store import Version
from tests.sandbox.build import Clock
from tests.schedules.plans import Happening
from tests.schedules.records import GROUP_ID, NEWCOMER, PEOPLE, TYPES, enrolment

Named = tuple[str, str]
"""Type and id of a record."""
READS = (403, 404, 200)
LATE = (30.0, 90.0, 500.0)
"""Seconds until a late commit can be seen; the overlap, ten minutes, is longer."""


class Events:
    """A hospital's life, and a chronicle of it: each version of each record, and since when it can be seen."""

    def __init__(self, server: Rehearsal, clock: Clock, ahead: float) -> None:
        self.server, self.life, self.clock = server, server.life, clock
        self.ahead = timedelta(seconds=ahead)
        self._seen: dict[Named, list[datetime]] = {}
        self.hidden: dict[Named, list[int]] = {}
        """What was hidden at any time, with the answers to direct reads that it had; 0: shown again."""
        self._count = 0
        self._note(datetime.min.replace(tzinfo=clock().tzinfo))

    # --- what happens ----------------------------------------------------------------------------------------------

    def happen(self, what: Happening) -> str:
        """One thing happens, if it can; what it was."""
        self._count += 1
        done = {
            "edit": self._edit, "edit late": self._edit, "add": self._add, "add late": self._add,
            "delete": self._delete, "retract": self._retract, "hide": self._hide, "show": self._show,
            "merge": self._merge, "unmerge": self._unmerge, "enrol": self._enrol, "withdraw": self._state,
            "return": self._state, "poison": self._poison, "edit person": self._edit_person,
            "expire searches": self._expire, "lose exports": self._lose,
        }[what.verb](what)
        self._note(self.clock())
        return f"{what.verb} {done}"

    def heal(self) -> None:
        """Nothing is poison any more."""
        self.life.heal()

    def _edit(self, what: Happening) -> str:
        found = self._chosen(what)
        if found is None:
            return "nothing"
        changed = self.life.record(*found)
        changed["note"] = [{"text": f"edit {self._count}"}]
        self.life.edit(changed, late=self._late(what))
        return "/".join(found)

    def _add(self, what: Happening) -> str:
        found = self._chosen(what)
        if found is None:
            return "nothing"
        made = {**self.life.record(*found), "id": f"{found[1]}-{self._count}"}
        self.life.edit(made, late=self._late(what))
        return f"{found[0]}/{made['id']}"

    def _delete(self, what: Happening) -> str:
        found = self._chosen(what)
        if found is None:
            return "nothing"
        self.life.delete(*found)
        return "/".join(found)

    def _retract(self, what: Happening) -> str:
        found = self._chosen(what)
        if found is None or found[0] == "AdverseEvent":
            return "nothing"
        self.life.retract(*found)
        return "/".join(found)

    def _hide(self, what: Happening) -> str:
        found = self._chosen(what)
        if found is None or found in self.server.house.hidden:
            return "nothing"
        read = READS[what.pick % len(READS)]
        self.life.hide(*found, read=read)
        self.hidden.setdefault(found, []).append(read)
        return f"{'/'.join(found)} ({read} by id)"

    def _show(self, what: Happening) -> str:
        hidden = sorted(self.server.house.hidden)
        if not hidden:
            return "nothing"
        found = hidden[what.pick % len(hidden)]
        self.life.show(*found)
        self.hidden[found].append(0)
        return "/".join(found)

    def _merge(self, what: Happening) -> str:
        free = [one for one in PEOPLE if one not in self.life.moved]
        if len(free) < 3:
            return "nothing"
        old, survivor = free[what.pick % len(free)], free[(what.pick // 7) % len(free)]
        if old == survivor:
            return "nothing"
        self.life.merge(old, survivor)
        return f"{old} into {survivor}"

    def _unmerge(self, what: Happening) -> str:
        # Only the last merge: one that others were built on is not taken back.
        if not self.life.moved:
            return "nothing"
        old = list(self.life.moved)[-1]
        self.life.unmerge(old)
        return old

    def _enrol(self, what: Happening) -> str:
        if self.server.house.store.chain("ResearchSubject", f"{NEWCOMER}-rs"):
            return "nothing"
        self.life.edit(enrolment(NEWCOMER))
        group = self.life.record("Group", GROUP_ID)
        group["member"].append({"entity": {"reference": f"Patient/{NEWCOMER}"}})
        self.life.edit(group)
        return NEWCOMER

    def _state(self, what: Happening) -> str:
        heads = sorted(head.id for head in self.server.house.store.heads("ResearchSubject"))
        changed = self.life.record("ResearchSubject", heads[what.pick % len(heads)])
        changed["status"] = "withdrawn" if what.verb == "withdraw" else "follow-up"
        self.life.edit(changed)
        return str(changed["id"])

    def _poison(self, what: Happening) -> str:
        found = self._chosen(what)
        if found is None:
            return "nothing"
        self.life.poison(*found)
        return "/".join(found)

    def _edit_person(self, what: Happening) -> str:
        person = PEOPLE[what.pick % len(PEOPLE)]
        self.life.edit({**self.life.record("Patient", person), "maritalStatus": {"text": f"edit {self._count}"}})
        return person

    def _expire(self, what: Happening) -> str:
        self.server.expire_searches()
        return ""

    def _lose(self, what: Happening) -> str:
        self.server.forget_exports()
        return ""

    def _chosen(self, what: Happening) -> Named | None:
        heads = sorted((type, head.id) for type in TYPES for head in self.server.house.store.heads(type))
        return heads[what.pick * 7 % len(heads)] if heads else None

    def _late(self, what: Happening) -> float | None:
        return LATE[what.pick % len(LATE)] if what.verb.endswith("late") else None

    # --- what could be seen ----------------------------------------------------------------------------------------

    def _note(self, now: datetime) -> None:
        store = self.server.house.store
        for type in store.types():
            for chain in store.chains(type):
                seen = self._seen.setdefault((type, chain[0].id), [])
                seen += [version.visible_from or now for version in chain[len(seen):]]

    def at(self, moment: datetime) -> dict[Named, Version]:
        """Every record that could be seen at a moment of ours, in its version of then; deletions are among them."""
        real = moment - self.ahead
        found: dict[Named, Version] = {}
        for named, seen in self._seen.items():
            shown = [version for version, since in zip(self.chain(named), seen, strict=True) if since <= real]
            if shown:
                found[named] = shown[-1]
        return found

    def chain(self, named: Named) -> list[Version]:
        """Every version of a record, oldest first, whoever may see it."""
        return self.server.house.store.chain(*named)

    def ever(self) -> Iterator[Version]:
        """Every version of every record."""
        for named in self._seen:
            yield from self.chain(named)
