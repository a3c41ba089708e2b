"""Subjects that are frozen: a signature over every fact that counts, until somebody thaws or the data are others."""

import hashlib
import json
from collections.abc import Collection
from typing import Any

from fhir_adapter.core.errors import Overtaken
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.desk_book import Signed

ENDORSED, FROZEN = "subject ", "freeze "
"""What a signature about a subject is about, before the number; a thaw is one about FROZEN over nothing."""


def refuse_frozen(work: Workspace, keys: Collection[str]) -> None:
    """Raises Overtaken where a conflict is about a subject that is frozen, its data being those that were frozen."""
    subjects = {row.subject for row in work.trial.work_rows(keys).values() if row.subject}
    frozen = last_signed(work, FROZEN, subjects) if subjects else {}
    now = contents(work, set(frozen))
    for subject in sorted(frozen):
        if frozen[subject].content == now[subject]:
            raise Overtaken(f"{subject} is frozen. Somebody who may lock cuts thaws it first, with a reason.")


def contents(work: Workspace, subjects: Collection[str]) -> dict[str, str]:
    """SHA-256 over every fact that counts for each of these subjects: what their signatures are bound to."""
    told = {one: hashlib.sha256() for one in subjects}
    if told:
        frames = work.trial.frames(work.trial.tables.facts, sorted(told), standings=("current", "held"))
        for name, frame in sorted(frames.items()):
            columns = [one for one in frame.columns if one not in ("standing", "held_by", "held_kind")]
            place = columns.index("subject")
            for row in frame[columns].itertuples(index=False, name=None):
                told[row[place]].update(json.dumps([name, *map(_said, row)], ensure_ascii=False).encode())
    return {one: mark.hexdigest() for one, mark in told.items()}


def _said(value: Any) -> str:
    """A value of a frame as text, the same whatever other rows stand in its column."""
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def last_signed(work: Workspace, about: str, subjects: Collection[str] = ()) -> dict[str, Signed]:
    """The last signature of its kind by subject, where it is over anything."""
    found = {one.about.removeprefix(about): one for one in work.vault.signatures([about + one for one in subjects])
             if one.about.startswith(about)}
    return {subject: one for subject, one in found.items() if one.content}
