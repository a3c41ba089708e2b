"""What moved between two cuts, and why: every value that differs, with the facts, versions and decisions behind it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from fhir_adapter.endpoints.cutoff import BEGINS
from fhir_adapter.steps import comparing
from fhir_adapter.steps.comparing import Change, Value
from fhir_adapter.steps.cutting import DATABASE, the_cut
from fhir_adapter.steps.manifest import Manifest, read_manifest
from fhir_adapter.steps.proving import input_changes, values_of
from fhir_adapter.steps.workspace import Workspace, trial_tables
from fhir_adapter.store.locked import open_locked


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """One value that differs between two cuts, and the reasons that can be named."""

    change: Change
    reasons: tuple[str, ...]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two cuts: their inputs in words, then every value with its reasons."""

    before: str
    after: str
    inputs: tuple[str, ...]
    moved: tuple[Moved, ...]

    @property
    def lines(self) -> list[str]:
        """The same in words."""
        found = [f"{self.before} -> {self.after}", *(f"  {one}" for one in self.inputs)]
        for one in self.moved:
            found += ["", one.change.words, *(f"  because {reason}" for reason in one.reasons)]
        return found if self.moved else [*found, "", "No value differs."]


class _Side:
    """One cut, read into memory: its values, facts, versions, decisions and open conflicts."""

    def __init__(self, name: str, manifest: Manifest, folder: Path) -> None:
        self.name, self.manifest = name, manifest
        trial = open_locked(folder / DATABASE, trial_tables())
        try:
            self.values = values_of(trial, folder)
            self.facts: dict[str, Any] = {}
            for table, frame in trial.frames(trial.tables.facts).items():
                self.facts |= {f"{table}:{row.fact_key}": row for row in frame.itertuples()}
            self.origins = {(row["resource"], row["ordinal"]): row for row in trial.all_rows("origin")}
            self.decisions = {row["number"]: row for row in trial.all_rows("decision")}
            self.conflicts = trial.all_rows("conflict")
        finally:
            trial.close()

    def day(self, fact: str) -> str | None:
        """The day on which a fact begins, as precisely as known."""
        column = BEGINS.get(fact.partition(":")[0])
        found = getattr(self.facts[fact], column, None) if column else None
        return found if isinstance(found, str) else None


def difference(work: Workspace, before: str, after: str) -> Difference:
    """What moved from one cut to another, and why. Raises UsageError when there is no such cut."""
    sides = []
    for name in (before, after):
        cut, folder = the_cut(work, name)
        sides.append(_Side(name, read_manifest(cut.manifest), folder))
    old, new = sides
    moved = [Moved(change=one, reasons=tuple(_reasons(one, old, new)))
             for one in comparing.changes(old.values, new.values)]
    return Difference(before=before, after=after, inputs=tuple(_inputs(old.manifest, new.manifest)),
                      moved=tuple(moved))


def _inputs(old: Manifest, new: Manifest) -> Iterator[str]:
    for name, one, two in (("cut-off", old.inputs.data_cutoff, new.inputs.data_cutoff),
                           ("known at", old.inputs.known.at, new.inputs.known.at)):
        if one != two:
            yield f"{name}: {one} -> {two}"
    yield from input_changes(old.inputs, new.inputs)


def _reasons(change: Change, old: _Side, new: _Side) -> Iterator[str]:
    if change.subject == comparing.STUDY:
        return
    key = (change.subject, change.endpoint, change.rule)
    empty = Value(text="")
    was, now = old.values.get(key, empty).facts, new.values.get(key, empty).facts
    found = dict.fromkeys([
        *(_came(fact, old, new) for fact in sorted(now - was)), *(_went(fact, old, new) for fact in sorted(was - now)),
        *_decided(change.subject, old, new), *_opened(change.subject, old, new),
    ])
    found.pop("", None)
    if not found:
        changed = [what for what, same in (
            ("the program", old.manifest.inputs.program == new.manifest.inputs.program),
            ("options", old.manifest.inputs.options == new.manifest.inputs.options),
            ("mappings", old.manifest.inputs.mappings == new.manifest.inputs.mappings),
            ("the cut-off", old.manifest.inputs.data_cutoff == new.manifest.inputs.data_cutoff)) if not same]
        found = dict.fromkeys([f"other: {', '.join(changed)}"] if changed else [])
    yield from found


def _came(fact: str, old: _Side, new: _Side) -> str:
    """Why a fact decides now that did not decide before."""
    row = new.facts.get(fact)
    if row is None:
        return ""
    before = old.facts.get(fact)
    if before is not None:
        return _stood(fact, before, row, new)
    if row.hospital == "decision":
        return _signed(int(row.ordinal), new)
    if (row.resource, row.ordinal) not in old.origins:
        return f"{_record(row, new)} was received since"
    day = new.day(fact)
    if day is not None and day > old.manifest.inputs.data_cutoff:
        return f"{_table(fact)} of {day} lies after the cut-off of {old.name}"
    return f"{_record(row, new)} is read otherwise (mappings or program)"


def _went(fact: str, old: _Side, new: _Side) -> str:
    """Why a fact no longer decides."""
    row = old.facts.get(fact)
    if row is None:
        return ""
    after = new.facts.get(fact)
    if after is not None:
        return _stood(fact, row, after, new)
    if row.hospital == "decision":
        return f"decision {int(row.ordinal)} is not in force in {new.name}"
    if (row.resource, row.ordinal) not in new.origins:
        return f"{_record(row, old)} is not known in {new.name}"
    day = old.day(fact)
    if day is not None and day > new.manifest.inputs.data_cutoff:
        return f"{_table(fact)} of {day} lies after the cut-off of {new.name}"
    return f"{_record(row, old)} is read otherwise (mappings or program)"


def _stood(fact: str, before: Any, after: Any, new: _Side) -> str:
    """How the standing of a fact changed; nothing if it did not."""
    if (before.standing, before.held_by) == (after.standing, after.held_by):
        return ""
    words = f"{_table(fact)} was {before.standing}, is {after.standing}"
    held = after.held_by if isinstance(after.held_by, str) else ""
    if held.startswith("decision "):
        return f"{words}: {_signed(int(held.removeprefix('decision ')), new)}"
    if after.standing == "superseded":
        return f"{words}: its record has a newer version"
    return words


def _record(row: Any, side: _Side) -> str:
    origin = side.origins.get((row.resource, row.ordinal))
    kind = origin["type"] if origin else "record"
    return f"version {int(row.ordinal)} of {kind} {row.resource[:12]} of {row.hospital}"


def _table(fact: str) -> str:
    return fact.partition(":")[0].replace("_", " ")


def _signed(number: int, side: _Side) -> str:
    one = side.decisions.get(number)
    return f"decision {number}" + (f" by {one['decided_by']}: {one['choice']}; {one['reason']}" if one else "")


def _decided(subject: str, old: _Side, new: _Side) -> Iterator[str]:
    """Decisions about the subject's conflicts that only one of the cuts knows."""
    for one, other in ((new, old), (old, new)):
        for row in _of(subject, one.conflicts):
            number = row["decided_by"]
            if number is not None and number not in other.decisions:
                yield _signed(number, one) + ("" if one is new else f" (not in {new.name})")


def _opened(subject: str, old: _Side, new: _Side) -> Iterator[str]:
    known = {row["key"] for row in old.conflicts}
    for row in _of(subject, new.conflicts):
        if row["state"] == "open" and row["key"] not in known:
            yield f"a conflict is open that was not there: {row['kind']}"


def _of(subject: str, conflicts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in conflicts if row["subject"] == subject]
