"""What a decision would change: its subjects settled and derived with it laid over, nothing written.

Most decisions are laid over the facts as they stand. One about a code, or about who is who, also changes what records
mean or whose they are: their subjects' records are mapped again into a trial database that is thrown away.
"""

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from fhir_adapter import endpoints
from fhir_adapter.core.conflicts import Decision
from fhir_adapter.review.kinds import CODE_KINDS, UNIT_KINDS
from fhir_adapter.review.settling import Conflict
from fhir_adapter.steps import comparing
from fhir_adapter.steps.comparing import Change
from fhir_adapter.steps.deciding import Choice, proposed
from fhir_adapter.steps.growing import grown, map_records
from fhir_adapter.steps.identity import IDENTITY_KINDS, moved_by
from fhir_adapter.steps.reporting import conclusions
from fhir_adapter.steps.settling import Worked, given, work_out
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.records import NewDecision
from fhir_adapter.store.seen import LaidVault


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What would be otherwise, were this decided: values of subjects, values of the study, conflicts.

    `closes` and `opens` are (kind, key) of conflicts that would no longer, or newly, be open.
    """

    conflict: str
    kind: str
    choice: str
    subjects: tuple[str, ...]
    changes: tuple[Change, ...]
    study: tuple[Change, ...]
    closes: tuple[tuple[str, str], ...]
    opens: tuple[tuple[str, str], ...]

    @property
    def lines(self) -> list[str]:
        """The same in words."""
        moved = [one.words for one in (*self.changes, *self.study)] or ["No value changes."]
        closing = [f"closes {kind} {key[:12]}" for kind, key in self.closes]
        opening = [f"opens {kind} {key[:12]}" for kind, key in self.opens]
        return [f"{self.kind} {self.conflict[:12]}, {self.choice}: nothing is written.", *moved, *closing, *opening]


def preview(work: Workspace, choice: Choice) -> Preview:
    """What signing this choice would change; `reason` and `by` of it may be empty.

    Raises UsageError for a conflict that is not there, an unknown choice, or a value that does not fit it.
    """
    conflict, new = proposed(work, choice)
    decision = _unsigned(work, new)
    moved = moved_by(work, decision)
    everybody = _subjects(work, conflict, moved)
    subjects = _near(work, decision, everybody)
    if moved or decision.kind in CODE_KINDS:
        before = work_out(work, subjects, given(work))
        with _remapped(work, LaidVault(work.vault, [decision], moved), subjects) as laid:
            after = work_out(laid, laid.trial.touched(), given(laid))
    else:
        known = given(work)
        before = work_out(work, subjects, known, shared=False)
        after = work_out(work, subjects, msgspec.structs.replace(known, decisions=[*known.decisions, decision]),
                         shared=False)
    shown = _compared(work, conflict, decision.choice, subjects, (before, after))
    if subjects == everybody:
        return shown
    # The others' records still wait: their conflict stays open.
    return msgspec.structs.replace(shown, closes=tuple(one for one in shown.closes if one[1] != conflict.key))


def _near(work: Workspace, decision: Decision, subjects: list[str]) -> list[str]:
    """Those of the subjects whom a decision about a code concerns: for one patient or record, that one alone."""
    value = msgspec.json.decode(decision.value) if decision.kind in CODE_KINDS and decision.value else None
    if not isinstance(value, dict) or value.get("scope") not in ("patient", "record"):
        return subjects
    if value["scope"] == "record":
        doubts = work.trial.frames(("doubt",), subjects)["doubt"]
        mine = {one for one in doubts[doubts.resource == value["key"]].subject if one is not None}
    else:
        mine = {one.subject for one in work.vault.identities()
                if work.vault.key(one.hospital, "Patient", one.patient) == value["key"]}
    return sorted(mine & set(subjects)) or subjects


def _unsigned(work: Workspace, new: NewDecision) -> Decision:
    last = max((one.number for one in work.vault.decisions()), default=0)
    return Decision(number=last + 1, conflict_key=new.conflict_key, kind=new.kind, fingerprint=new.fingerprint,
                    choice=new.choice, value=new.value, reason="", decided_by="", system_user="", decided_at="")


def _subjects(work: Workspace, conflict: Any, moved: Collection[tuple[str, str]]) -> list[str]:
    """Whom a conflict concerns: its subject, everybody with the code or unit, or whose patients would move."""
    if conflict.kind in CODE_KINDS | UNIT_KINDS:
        doubts = work.trial.frames(("doubt",))["doubt"]
        same = (doubts.kind == conflict.kind) & (doubts.scope == conflict.scope)
        return sorted({one for one in doubts[same].subject if one is not None})
    named = {one.subject for one in work.vault.identities() if (one.hospital, one.patient) in moved}
    if conflict.kind in IDENTITY_KINDS:
        items = work.trial.frames(("conflict_item",))["conflict_item"]
        keys = set(items[items.conflict_key == conflict.key].resource)
        named |= {one.subject for one in work.vault.identities()
                  if work.vault.key(one.hospital, "Patient", one.patient) in keys}
    return sorted(named | ({conflict.subject} - {None}))


@contextmanager
def _remapped(work: Workspace, vault: LaidVault, subjects: Collection[str]) -> Iterator[Workspace]:
    """The study as these subjects' records alone would make it."""
    keys = sorted(set(work.trial.frames(("origin",), subjects)["origin"].resource))
    with tempfile.TemporaryDirectory(prefix="fhir-adapter-") as folder, \
            grown(work, vault, Path(folder) / "trial.sqlite") as laid:
        map_records(laid, keys)
        yield laid


def _compared(work: Workspace, conflict: Any, choice: str, subjects: list[str],
              worked: tuple[Worked, Worked]) -> Preview:
    before, after = worked
    frames = [one.derived.frames for one in worked]
    old, new = (comparing.values(one) for one in frames)
    everybody = {*subjects, *(subject for subject, _, _ in new)}
    whole = conclusions(work)
    studies = [comparing.study_values(endpoints.summary(comparing.replaced(whole, one, everybody),
                                                        work.study.protocol)) for one in frames]
    was, becomes = (_open(one.settled.conflicts, conflict.key) for one in (before, after))
    return Preview(
        conflict=conflict.key, kind=conflict.kind, choice=choice, subjects=tuple(sorted(everybody)),
        changes=tuple(comparing.changes(old, new)), study=tuple(comparing.changes(*studies)),
        closes=tuple(sorted(was - becomes)), opens=tuple(sorted(becomes - was)),
    )


def _open(conflicts: Collection[Conflict], decided: str) -> set[tuple[str, str]]:
    """Open conflicts of subjects, and the one decided about; other codes concern more subjects than were looked at."""
    return {(one.kind, one.key) for one in conflicts
            if one.state == "open" and (one.subject is not None or one.key == decided)}
