"""Settling: disputes and decisions in, the standing of every fact out."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pandas as pd

from fhir_adapter.core.checks import DefaultRule
from fhir_adapter.core.conflicts import Decision, Standing
from fhir_adapter.review import detection
from fhir_adapter.review.disputes import Dispute, Member, digest
from fhir_adapter.review.kinds import BY_NAME, CODE_KINDS
from fhir_adapter.review.standing import base_standing

Frames = dict[str, pd.DataFrame]

NAMED = 10
"""Subjects whom the message of a shared dispute names."""

LISTED = 50
"""Records that a shared dispute lists; its message counts them all."""


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute with its state: `open`, or `closed` by the decision of that number."""

    key: str
    kind: str
    subject: str | None
    hospitals: tuple[str, ...]
    state: str
    fingerprint: str
    values: tuple[str, ...]
    scope: tuple[str, ...]
    message: str
    members: tuple[Member, ...]
    listed: tuple[Member, ...] = ()
    decided_by: int | None = None


class Settled(msgspec.Struct, frozen=True):
    """The outcome of settling some subjects.

    `frames`: the facts of all tables with their `standing`, `held_by` and `held_kind`; an override stands there with
    the resource of the fact that it replaces, so that what belongs to that record (an event's causality, a course's
    volumes) stays with it. `conflicts`: every conflict of these subjects. `overrides`: the same overrides as they are
    kept, rows per table whose origin is the decision (`stands_for` names the replaced record).
    """

    frames: Frames
    conflicts: tuple[Conflict, ...]
    overrides: dict[str, list[dict[str, Any]]]


def settle(frames: Frames, origins: pd.DataFrame, disputes: Iterable[Dispute],
           decisions: Iterable[Decision], rules: Iterable[DefaultRule] = ()) -> Settled:
    """What every fact counts for, given what is disputed elsewhere (mapping, identity, endpoints) and decided.

    In: fact frames of whole subjects; origins as `base_standing` wants them; disputes found outside the facts; all
    decisions; default resolutions in their order. Else the order of the inputs does not matter. A decision whose
    fingerprint is not the dispute's is not applied: the conflict is open again and says so.
    """
    based = {name: _based(frame, origins) for name, frame in frames.items()}
    live = {name: frame[frame.standing == Standing.CURRENT.value] for name, frame in based.items()}
    found = {dispute.key: dispute for dispute in (*disputes, *detection.detect(live),
                                                  *detection.retracted_records(based),
                                                  *detection.hidden_records(live, origins))}
    last = standing_decisions(decisions)
    resolved = [_resolved(_judged(dispute, last.get(key)), last.get(key), rules, live)
                for key, dispute in sorted(found.items())]
    conflicts = tuple(conflict for conflict, _ in resolved)
    standings: dict[str, tuple[str, str, str | None]] = {}
    overrides: dict[str, list[dict[str, Any]]] = {}
    for conflict, overruled in resolved:
        standings |= overruled
        if overruled:
            continue
        if conflict.state == "open":
            if found[conflict.key].holds:
                for one in conflict.members:
                    if standings.get(one.fact_key, ("",))[0] != Standing.OVERRULED.value:
                        standings[one.fact_key] = (Standing.HELD.value, conflict.key, conflict.kind)
        else:
            _apply(conflict, last[conflict.key], (based, live), standings, overrides)
    settled = {name: _with_standings(frame, standings, overrides.get(name, [])) for name, frame in based.items()}
    return Settled(settled, conflicts, overrides)


def judged(disputes: Iterable[Dispute], decisions: Iterable[Decision]) -> list[Conflict]:
    """Disputes that hold no facts as conflicts, by key: closed where a decision about the same values is in force."""
    last = standing_decisions(decisions)
    return [_judged(one, last.get(one.key)) for one in sorted(disputes, key=lambda one: one.key)]


def standing_decisions(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """The decision in force for each conflict: the newest that no later one undoes."""
    ordered = sorted(decisions, key=lambda one: one.number)
    undone = {one.undoes for one in ordered if one.undoes is not None}
    return {one.conflict_key: one for one in ordered if one.number not in undone and one.undoes is None}


def record_disputes(doubts: pd.DataFrame, frames: Frames) -> list[Dispute]:
    """Disputes from the doubts that mapping or the endpoints raised (columns of the trial's table `doubt`).

    Doubts with a scope, about one code or unit, share one dispute; any other doubt is a dispute about its record's
    facts at its element.
    """
    found: list[Dispute] = []
    shared: dict[tuple[str, str], list[Any]] = {}
    rows: Iterable[Any] = doubts.itertuples()
    for row in rows:
        if row.scope:
            shared.setdefault((row.kind, row.scope), []).append(row)
            continue
        members = _members_at(frames, row)
        found.append(Dispute(kind=row.kind, scope=(f"{row.resource}#{row.element}",), subject=row.subject,
                             members=members, values=tuple(json.loads(row.values_text or "[]")), message=row.message,
                             holds=bool(row.holds)))
    return found + [_shared(frames, kind, tuple(json.loads(scope)), alike)
                    for (kind, scope), alike in sorted(shared.items())]


def _shared(frames: Frames, kind: str, scope: tuple[str, ...], rows: list[Any]) -> Dispute:
    """One dispute of everybody who has a code or a unit; it says how many records and whose."""
    ordered = sorted(rows, key=lambda row: (row.subject or "", row.resource, row.element))
    subjects = list(dict.fromkeys(row.subject for row in ordered if row.subject))
    named = ", ".join(subjects[:NAMED]) + (f" and {len(subjects) - NAMED} more" if len(subjects) > NAMED else "")
    hospital = ordered[0].hospital
    holding = [row for row in ordered if row.holds and kind not in CODE_KINDS]
    held = {one for row in holding for one in _members_at(frames, row) if one.table}
    return Dispute(
        kind=kind, scope=scope, subject=None, values=scope if kind in CODE_KINDS else _values(ordered[0]),
        message=f"{ordered[0].message}; in {_counted(len({row.resource for row in ordered}), 'record')} of "
                f"{_counted(len(subjects), 'subject')}{': ' if named else ''}{named}.",
        members=tuple(sorted(held)) or (Member("", "", hospital, "", ""),), holds=bool(holding),
        listed=tuple(Member("", "", hospital, row.resource, row.element) for row in ordered[:LISTED]),
    )


def _values(row: Any) -> tuple[str, ...]:
    return tuple(json.loads(row.values_text or "[]"))


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _members_at(frames: Frames, row: Any) -> tuple[Member, ...]:
    """The facts of the doubtful record that stand at or below its element; the record itself if there are none."""
    members = []
    for table, frame in frames.items():
        if frame.empty:
            continue
        same = frame[(frame.resource == row.resource) & (frame.ordinal == row.ordinal)]
        for fact in same.itertuples():
            if not row.element or fact.element.startswith(row.element) or row.element.startswith(fact.element):
                members.append(detection.member(table, fact))
    return tuple(sorted(members)) or (Member("", "", row.hospital, row.resource, row.element),)


def _based(frame: pd.DataFrame, origins: pd.DataFrame) -> pd.DataFrame:
    if frame.empty:
        return frame.assign(held_kind=pd.Series(dtype=object))
    return frame.assign(standing=base_standing(frame, origins), held_by=None, held_kind=None)


def _judged(dispute: Dispute, decision: Decision | None) -> Conflict:
    message = dispute.message
    decided = decision is not None and decision.fingerprint == dispute.fingerprint and decision.choice != "defer"
    if decision is not None and decision.fingerprint != dispute.fingerprint:
        message += f" The source changed after decision {decision.number}; it is not applied."
    return Conflict(key=dispute.key, kind=dispute.kind, subject=dispute.subject,
                    hospitals=tuple(sorted({one.hospital for one in dispute.members if one.hospital})),
                    state="closed" if decided else "open", fingerprint=dispute.fingerprint, values=dispute.values,
                    scope=dispute.scope, message=message, members=dispute.members, listed=dispute.listed,
                    decided_by=decision.number if decided and decision is not None else None)


def _resolved(conflict: Conflict, decision: Decision | None, rules: Iterable[DefaultRule],
              live: Frames) -> tuple[Conflict, dict[str, tuple[str, str, str | None]]]:
    """An open conflict that nobody has looked at, closed by the first rule that knows one of its sides.

    The other sides of that table are overruled by the rule, by name; a person's `defer` leaves the conflict open.
    """
    if conflict.state != "open" or decision is not None:
        return conflict, {}
    for rule in rules:
        members = [one for one in conflict.members if one.table == rule.table]
        if rule.kind != conflict.kind or not members:
            continue
        frame = live[rule.table]
        preferred = frame[frame.fact_key.isin([one.fact_key for one in members]) & frame[rule.column].eq(rule.value)]
        losers = [one for one in members if one.fact_key not in set(preferred.fact_key)]
        if preferred.empty or not losers:
            continue
        message = f"{conflict.message} Settled by the rule {rule.name}: {rule.note or rule.value}."
        closed = msgspec.structs.replace(conflict, state="closed", message=message)
        return closed, {one.fact_key: (Standing.OVERRULED.value, f"rule {rule.name}", None) for one in losers}
    return conflict, {}


def _apply(conflict: Conflict, decision: Decision, frames: tuple[Frames, Frames],
           standings: dict[str, tuple[str, str, str | None]], overrides: dict[str, list[dict[str, Any]]]) -> None:
    """Lay one decision over the facts of its conflict; `frames`: all facts, and those that stand."""
    based, live = frames
    overruled = (Standing.OVERRULED.value, f"decision {decision.number}", None)
    named = _named(conflict.members, decision.value, based)
    if decision.choice == "accept":
        losers = {one for one in conflict.members if one not in named and one.table in {won.table for won in named}}
    elif decision.choice == "exclude":
        losers = named if decision.value else set(conflict.members)
    elif decision.choice in ("override", "set_role", "set_level"):
        losers = set()
        for table in _override_tables(conflict, decision):
            losers |= {detection.member(table, row) for row in _stated(conflict, table, live).itertuples()}
        _override(conflict, decision, live, overrides)
    else:
        losers = set()
    for one in losers:
        standings[one.fact_key] = overruled


def _named(members: tuple[Member, ...], value: str, based: Frames) -> set[Member]:
    """The sides that a decision names by fact or record; a fact of an older version names the newer one's in its place.

    A record whose new version says the same at the same place is still the side that somebody chose.
    """
    named = {one for one in members if value in (one.fact_key, one.resource)}
    if named or not value:
        return named
    for table in sorted({one.table for one in members if one.table}):
        older: Iterable[Any] = based[table][based[table].fact_key == value].itertuples()
        for row in older:
            return {one for one in members if (one.resource, one.element) == (row.resource, row.element)}
    return named


def _override_tables(conflict: Conflict, decision: Decision) -> tuple[str, ...]:
    wanted = {"set_role": ("anticancer_therapy",), "set_level": ("disposition",)}.get(decision.choice)
    return wanted or tuple(sorted({one.table for one in conflict.members if one.table}))[:1]


def _override(conflict: Conflict, decision: Decision, live: Frames, overrides: dict[str, list[dict[str, Any]]]) -> None:
    """A fact whose origin is the decision: the first member's fact with the decided columns laid over."""
    columns = {"set_role": {"stated_role": decision.value}, "set_level": {"level": decision.value}}.get(decision.choice)
    changes: dict[str, Any] = columns or json.loads(decision.value)
    for table in _override_tables(conflict, decision):
        stated = _stated(conflict, table, live)
        if stated.empty:
            continue
        first: dict[Any, Any] = stated.iloc[0].to_dict()
        if "record" in first:
            first["record"] = first["record"] or first["resource"]
        overrides.setdefault(table, []).append({
            **first, **_with_parts(changes), "fact_key": digest(conflict.key, str(decision.number), table),
            "hospital": "decision", "resource": conflict.key, "ordinal": decision.number, "position": 0,
            "stands_for": first["resource"],
            "standing": Standing.CURRENT.value, "held_by": None, "held_kind": None,
        })


def _stated(conflict: Conflict, table: str, live: Frames) -> pd.DataFrame:
    """The facts of a table that the conflict is about: its members, else what its members' records state there."""
    frame = live[table]
    keys = {one.fact_key for one in conflict.members if one.table == table}
    resources = {one.resource for one in conflict.members}
    return frame[frame.fact_key.isin(list(keys)) if keys else frame.resource.isin(list(resources))]


def _with_parts(changes: dict[str, Any]) -> dict[str, Any]:
    """A decided date carries its precision; what was written is the decision's own text."""
    parts: dict[str, Any] = {}
    for name, value in changes.items():
        parts[name] = value
        if isinstance(value, str) and len(value) in (4, 7, 10) and value[:4].isdigit() and value[4:5] in ("", "-"):
            parts[f"{name}_precision"] = {4: "year", 7: "month", 10: "day"}[len(value)]
            parts[f"{name}_written"] = value
    return parts


def _with_standings(frame: pd.DataFrame, standings: dict[str, tuple[str, str, str | None]],
                    added: list[dict[str, Any]]) -> pd.DataFrame:
    if not frame.empty and standings:
        current = frame.standing == Standing.CURRENT.value
        for position, column in enumerate(("standing", "held_by", "held_kind")):
            said = frame.fact_key.map({key: triple[position] for key, triple in standings.items()})
            frame = frame.assign(**{column: said.where(current & frame.fact_key.isin(list(standings)), frame[column])})
    if added:
        stated = [{**row, "resource": row["stands_for"]} for row in added]
        extra = pd.DataFrame(stated, columns=frame.columns).astype(object)
        frame = pd.concat([frame.astype(object), extra], ignore_index=True)
    return frame


def closed_elsewhere(decisions: Iterable[Decision], found: Iterable[str]) -> tuple[Decision, ...]:
    """Decisions in force whose dispute no longer shows, because they mapped a code or joined two records."""
    seen = set(found)
    return tuple(one for key, one in sorted(standing_decisions(decisions).items())
                 if key not in seen and one.kind in BY_NAME)
