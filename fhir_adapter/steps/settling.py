"""Settling and concluding the subjects that changed: settle, conclude, settle again (docs/decisions/0003)."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pandas as pd

from fhir_adapter.core.conflicts import Decision
from fhir_adapter.core.runs import Progress
from fhir_adapter.endpoints import derive
from fhir_adapter.endpoints.derivation import Derived
from fhir_adapter.endpoints.held import Open
from fhir_adapter.review.checks import broken
from fhir_adapter.review.disputes import Dispute, Member, scope_of
from fhir_adapter.review.kinds import BY_NAME, CODE_KINDS, OVERDUE_KINDS
from fhir_adapter.review.settling import Conflict, Frames, Settled, closed_elsewhere, record_disputes, settle
from fhir_adapter.steps.codes import scope_of_decision
from fhir_adapter.steps.deciding import MAPPING
from fhir_adapter.steps.identity import IDENTITY_KINDS, identity_disputes
from fhir_adapter.steps.leases import renewed
from fhir_adapter.steps.waiting import hospital_days, overdue_conflicts
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.records import Lease
from fhir_adapter.store.trial import Place, Settling

AT_ONCE = 500
"""Subjects settled in one transaction, at most."""

RECORDS = 5_000
"""Versions of records of the subjects settled at once, about: what is held in memory does not grow with the study."""

DECISIONS = "decisions"
"""The trial's cursor over decisions."""


class Worked(msgspec.Struct, frozen=True):
    """What settling and deriving some subjects came to; nothing of it is written yet."""

    settled: Settled
    derived: Derived
    labels: list[tuple[str, str]]


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What settling is handed beside the facts: decisions, disputes about identity, the clinical cut-off of a cut."""

    decisions: Sequence[Decision]
    identities: Sequence[Dispute]
    cut_off: str | None = None


def given(work: Workspace, cut_off: str | None = None) -> Given:
    """The same as the vault has it now."""
    return Given(decisions=work.vault.decisions(), identities=identity_disputes(work), cut_off=cut_off)


def conclude(work: Workspace, lease: Lease, told: Progress, *, everyone: bool = False,
             cut_off: str | None = None) -> int:
    """Settles and derives the subjects whose facts, decisions or identity changed; how many there were.

    With `cut_off` (of a cut, never of the trial itself) what happened later is invisible to the conclusions.
    """
    known = given(work, cut_off)
    subjects = _concerned(work, known.decisions, known.identities, everyone=everyone)
    done = 0
    for lot in lots(subjects, work.trial.sizes(subjects)):
        told("settling and deriving", done, len(subjects))
        lease = renewed(work, lease)
        _conclude_some(work, lease, lot, known, shared=done == 0)
        done += len(lot)
    if subjects:
        write_overdue(work, lease, known.decisions)
    last = max((one.number for one in known.decisions), default=0)
    if work.trial.cursor(DECISIONS).seq != last:
        work.trial.set_cursor(lease, DECISIONS, Place(last, ""))
    told("settling and deriving", len(subjects), len(subjects))
    return len(subjects)


def lots(subjects: Sequence[str], sizes: Mapping[str, int]) -> Iterator[Sequence[str]]:
    """The subjects in their order, as many together as have RECORDS records, at least one and at most AT_ONCE."""
    lot: list[str] = []
    records = 0
    for subject in subjects:
        size = sizes.get(subject, 0)
        if lot and (records + size > RECORDS or len(lot) == AT_ONCE):
            yield lot
            lot, records = [], 0
        lot.append(subject)
        records += size
    if lot:
        yield lot


def _concerned(work: Workspace, decisions: Sequence[Decision], identities: Sequence[Dispute], *,
               everyone: bool) -> list[str]:
    """Subjects to settle: touched ones, those of conflicts newly decided about, and those of changed identity."""
    known = set(work.vault.subjects())
    if everyone:
        return sorted(known)
    subjects = set(work.trial.touched())
    fresh = {one.conflict_key for one in decisions if one.number > work.trial.cursor(DECISIONS).seq}
    conflicts = work.trial.frames(("conflict",))["conflict"]
    rows: list[Any] = list(conflicts.itertuples())
    expected = {one.key for one in identities}
    for row in rows:
        stale = row.kind in IDENTITY_KINDS and row.state == "open" and row.key not in expected
        if row.subject is not None and (row.key in fresh or stale):
            subjects.add(row.subject)
    scopes = {row.scope for row in rows if row.key in fresh and row.subject is None}
    if scopes:
        doubts = work.trial.frames(("doubt",))["doubt"]
        subjects |= set(doubts[doubts.scope.isin(list(scopes))].subject) & known
    there = set(conflicts.key)
    subjects |= {one.subject for one in identities if one.key not in there and one.subject is not None}
    if fresh and not subjects:
        subjects = known
    return sorted(subjects)


def _conclude_some(work: Workspace, lease: Lease, subjects: Sequence[str], known: Given, *, shared: bool) -> None:
    worked = work_out(work, subjects, known, shared=shared)
    settled = worked.settled
    conflicts = [_row(one) for one in settled.conflicts if shared or not one.listed]
    if shared:
        shown = {one.key for one in settled.conflicts} | {one.key for one in known.identities}
        gone = [one for one in closed_elsewhere(known.decisions, shown)
                if one.kind in IDENTITY_KINDS or (one.kind in CODE_KINDS and one.choice in MAPPING)]
        identities = work.vault.identities()
        hospitals = {work.vault.key(one.hospital, "Patient", one.patient): one.hospital for one in identities}
        conflicts += [_closed(one, hospitals) for one in gone]
    work.trial.write_settling(lease, Settling(
        subjects=subjects, standings=_standings(settled), conflicts=conflicts, shared=shared,
        overrides=settled.overrides, labels=worked.labels, kept=tuple(OVERDUE_KINDS),
    ))
    work.trial.write_conclusions(lease, subjects, worked.derived.frames)


def write_overdue(work: Workspace, lease: Lease, decisions: Sequence[Decision],
                  subjects: Sequence[str] | None = None) -> None:
    """Writes what is overdue of these subjects (None: of all) as conflicts; the conclusions must have been written."""
    found = [_row(one) for one in overdue_conflicts(work, decisions, subjects)]
    work.trial.write_conflicts(lease, found, tuple(OVERDUE_KINDS), subjects)


class Read(msgspec.Struct, frozen=True):
    """What the trial database says of some subjects before anything is settled: facts, origins, disputes."""

    frames: Frames
    origins: pd.DataFrame
    disputes: list[Dispute]


def read(work: Workspace, subjects: Sequence[str], known: Given, *, shared: bool = True) -> Read:
    """Reads subjects from the trial database; `shared`: with the conflicts about codes of the whole study."""
    frames = work.trial.frames(work.trial.tables.facts, subjects, decided=False)
    origins = work.trial.frames(("origin",), subjects)["origin"]
    disputes = record_disputes(_doubts(work, subjects, shared=shared), frames)
    return Read(frames, origins, disputes + [one for one in known.identities if one.subject in subjects])


def work_out(work: Workspace, subjects: Sequence[str], known: Given, *, shared: bool = True) -> Worked:
    """Settles and derives subjects from what the trial database has of their facts; writes nothing."""
    return settled_and_derived(work, read(work, subjects, known, shared=shared), known)


def settled_and_derived(work: Workspace, said: Read, known: Given) -> Worked:
    """Settle, conclude, settle again, conclude (docs/decisions/0003); from frames alone."""
    first = settle(said.frames, said.origins, said.disputes, known.decisions, work.study.rules)
    doubtful = endpoint_disputes(_derived(work, first, known.cut_off).doubts, first.frames)
    doubtful += broken(_counted(first), work.study.checks, work.study.protocol)
    settled = settle(said.frames, said.origins, [*said.disputes, *doubtful], known.decisions, work.study.rules)
    labels = lesion_labels(settled.frames["lesion"])
    _label(settled.frames, labels)
    return Worked(settled, _derived(work, settled, known.cut_off), labels)


def conclude_decided(work: Workspace, lease: Lease) -> list[str] | None:
    """Settles and concludes only the subjects of decisions that have not been worked in; which they were.

    None, and nothing is written, where a decision concerns more than its subject (codes, identity) or a conflict that
    is not there: then `conclude` has to look at everything.
    """
    decisions = work.vault.decisions()
    seen = work.trial.cursor(DECISIONS).seq
    fresh = {one.conflict_key for one in decisions if one.number > seen}
    conflicts = work.trial.rows("conflict", "key", sorted(fresh))
    wide = CODE_KINDS | IDENTITY_KINDS
    if len(conflicts) != len(fresh) or any(one["subject"] is None or one["kind"] in wide for one in conflicts):
        return None
    subjects = sorted({str(one["subject"]) for one in conflicts})
    kinds = {one["kind"] for one in work.trial.rows("conflict", "subject", subjects)}
    identities = identity_disputes(work) if kinds & IDENTITY_KINDS else []
    known, days = Given(decisions=decisions, identities=identities), hospital_days(work)
    for start in range(0, len(subjects), AT_ONCE):
        lease = renewed(work, lease)
        _conclude_some(work, lease, subjects[start : start + AT_ONCE], known, shared=False)
    if fresh:
        write_overdue(work, lease, decisions, subjects if hospital_days(work) == days else None)
        work.trial.set_cursor(lease, DECISIONS, Place(max(one.number for one in decisions), ""))
    return subjects


def _doubts(work: Workspace, subjects: Sequence[str], *, shared: bool) -> pd.DataFrame:
    """Doubts of newest versions: of these subjects, and (if `shared`) about codes and units of the whole study."""
    doubts = work.trial.frames(("doubt",), None if shared else subjects)["doubt"]
    doubts = doubts[doubts.subject.isin(list(subjects)) | ((doubts.scope != "") & shared)]
    # Of the whole study there are more origins than memory should hold: only those of doubted records are asked for.
    heads = {(one["resource"], one["ordinal"]) for one in work.trial.rows(
        "origin", "resource", sorted(set(doubts.resource))) if one["is_head"]}
    of_heads = [pair in heads for pair in zip(doubts.resource, doubts.ordinal, strict=True)]
    return doubts[pd.Series(of_heads, index=doubts.index, dtype=bool)]


def _counted(settled: Settled) -> Frames:
    """The facts that count, held ones too."""
    return {name: frame[frame.standing.isin(("current", "held"))].reset_index(drop=True)
            for name, frame in settled.frames.items()}


def _derived(work: Workspace, settled: Settled, cut_off: str | None) -> Derived:
    counted = _counted(settled)
    doubted: dict[str, list[Open]] = {}
    for conflict in settled.conflicts:
        if conflict.state == "open" and conflict.subject is not None:
            tables = frozenset(one.table for one in conflict.members)
            doubted.setdefault(conflict.subject, []).append(Open(conflict.kind, tables))
    return derive(counted, work.study.protocol, work.study.concepts, cut_off=cut_off, doubted=doubted)


def endpoint_disputes(doubts: pd.DataFrame, frames: Frames) -> list[Dispute]:
    """What the endpoints could not tell, as disputes about the facts that they name."""
    found = []
    rows: Iterable[Any] = doubts.itertuples()
    for row in rows:
        members = tuple(sorted(_member(frames, one) for one in json.loads(row.facts)))
        found.append(Dispute(kind=row.kind, scope=scope_of(members) or (f"{row.kind} {row.message}",),
                             subject=row.subject, members=members, values=tuple(json.loads(row.values)),
                             message=row.message, holds=bool(row.holds)))
    return found


def _member(frames: Frames, name: str) -> Member:
    table, _, key = name.partition(":")
    frame = frames[table]
    row: Any = next(frame[frame.fact_key == key].itertuples())
    return Member(table, key, row.hospital, row.resource, row.element)


def lesion_labels(lesions: pd.DataFrame) -> list[tuple[str, str]]:
    """L1, L2, ... within a subject: targets first, then by key; every fact of one lesion has one label."""
    labels: list[tuple[str, str]] = []
    if lesions.empty:
        return labels
    for _, group in lesions.groupby("subject", sort=True):
        rank = {"target": 0, "non-target": 1, "new": 2}
        order = group.assign(rank=group.role.map(rank).fillna(3)).groupby("lesion")["rank"].min().reset_index()
        names = {lesion: f"L{place}" for place, lesion in
                 enumerate(order.sort_values(["rank", "lesion"]).lesion, start=1)}
        labels += [(key, names[lesion]) for key, lesion in zip(group.fact_key, group.lesion, strict=True)]
    return labels


def _label(frames: Frames, labels: list[tuple[str, str]]) -> None:
    if labels:
        frames["lesion"] = frames["lesion"].assign(label=frames["lesion"].fact_key.map(dict(labels)))


def _standings(settled: Settled) -> list[tuple[str, str, str, str | None]]:
    found: list[tuple[str, str, str, str | None]] = []
    for table, frame in settled.frames.items():
        if not frame.empty:
            own = frame[frame.hospital != "decision"]
            found += [(table, key, standing, None if pd.isna(held) else held)
                      for key, standing, held in zip(own.fact_key, own.standing, own.held_by, strict=True)]
    return found


def _row(conflict: Conflict) -> dict[str, Any]:
    kind = BY_NAME[conflict.kind]
    return {
        "key": conflict.key, "kind": conflict.kind, "subject": conflict.subject, "hospitals": conflict.hospitals,
        "state": conflict.state, "fingerprint": conflict.fingerprint, "values": conflict.values,
        "scope": conflict.scope, "message": f"{conflict.message} Meanwhile: {kind.meanwhile}.",
        "owner": kind.owner.value, "blocking": kind.blocking, "decided_by": conflict.decided_by,
        "members": conflict.listed or conflict.members,
    }


def _closed(decision: Decision, hospitals: dict[str, str]) -> dict[str, Any]:
    """A conflict that no longer shows because the decision took effect before settling (a code, an identity)."""
    kind = BY_NAME[decision.kind]
    value = json.loads(decision.value or "{}")
    of_code = decision.kind in CODE_KINDS
    members = [] if of_code else [Member("", "", hospitals.get(key, ""), key, "link") for key in sorted(value)]
    return {
        "key": decision.conflict_key, "kind": decision.kind, "subject": None,
        "hospitals": (value["hospital"],) if of_code else tuple(sorted({one.hospital for one in members})),
        "state": "closed",
        "fingerprint": decision.fingerprint, "values": (),
        "scope": scope_of_decision(value) if of_code else tuple(sorted(value)),
        "message": f"{kind.title}: settled.", "owner": kind.owner.value, "blocking": kind.blocking,
        "decided_by": decision.number, "members": members,
    }
