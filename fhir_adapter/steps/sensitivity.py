"""Sensitivity: what each open conflict could move, were it settled in each of the ways that are possible.

The subjects that have open conflicts are read once. In each round every one of them gets its next alternative laid
over, and all are settled and derived together, in whole columns; subjects do not touch each other. Then two conflicts
of a subject at a time, where one value of it rests on both: what they move together and neither moves alone (at most
`MOST_PAIRS` ways a subject; what is left is counted). Conflicts about codes and about who is who are looked at one by
one, as a preview is.
"""

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pandas as pd

from fhir_adapter import endpoints
from fhir_adapter.core.conflicts import Decision
from fhir_adapter.core.runs import Progress, silent
from fhir_adapter.review.alternatives import Alternative, alternatives, laid
from fhir_adapter.review.kinds import BY_NAME, CODE_KINDS, UNIT_KINDS
from fhir_adapter.review.settling import Conflict
from fhir_adapter.steps import comparing
from fhir_adapter.steps.comparing import Change
from fhir_adapter.steps.deciding import Choice
from fhir_adapter.steps.identity import IDENTITY_KINDS
from fhir_adapter.steps.previewing import preview
from fhir_adapter.steps.reporting import conclusions
from fhir_adapter.steps.settling import Given, Read, given, read, settled_and_derived
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.records import Lease

COUNTED = ("ORR", "DCR", "CBR")
"""The study's own values that count beside the medians; sizes of populations and counts of events do not."""

MOST_PAIRS = 24
"""Ways of settling two conflicts together that are tried of one subject."""

_PLAIN = (("one person", "join"), ("two persons", "split"), ("all of it is wrong", "exclude"))
_DRUGS = ("Medication", "MedicationAdministration", "MedicationStatement", "MedicationRequest", "MedicationDispense")


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What one alternative of one conflict would change, of subjects and of the study."""

    label: str
    changes: tuple[Change, ...]
    study: tuple[Change, ...]


class Joint(msgspec.Struct, frozen=True, kw_only=True):
    """What one way of settling this conflict and one of settling another move together, and neither moves alone."""

    other: str
    label: str
    changes: tuple[Change, ...]


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """What one conflict can move: distinct values over all its alternatives. `rank` 1 moves most.

    `joint`: what it moves only together with another one; `untried`: ways of settling two that were left out.
    """

    conflict_key: str
    kind: str
    subject: str | None
    fingerprint: str
    effects: tuple[Effect, ...]
    joint: tuple[Joint, ...] = ()
    untried: int = 0
    rank: int = 0

    @property
    def subject_values(self) -> int:
        """How many values of subjects it can move."""
        return len({(one.subject, one.endpoint, one.rule) for effect in self.effects for one in effect.changes})

    @property
    def joint_values(self) -> int:
        """How many further values of its subject it can move together with another conflict."""
        alone = {(one.endpoint, one.rule) for effect in self.effects for one in effect.changes}
        return len({(one.endpoint, one.rule) for joint in self.joint for one in joint.changes} - alone)

    @property
    def study_values(self) -> int:
        """How many response rates and medians it can move."""
        return len({(one.endpoint, one.rule) for effect in self.effects for one in effect.study})


class _Try(msgspec.Struct, frozen=True):
    """One way of settling one conflict."""

    conflict: Conflict
    alternative: Alternative


Tries = dict[str, tuple[_Try, ...]]
"""What is laid over together, by subject."""


def compute(work: Workspace, lease: Lease, told: Progress = silent) -> list[Impact]:
    """Computes and stores what every open conflict can move, ranked; the trial must be settled."""
    found = ranked([*_of_facts(work, told), *_of_meanings(work, told)])
    work.trial.write_sensitivity(lease, {
        "impact": [_impact(one) for one in found], "sensitivity": [row for one in found for row in _moves(one)],
        "outlook": _outlook(found)})
    return found


def ranked(found: Iterable[Impact]) -> list[Impact]:
    """By how many values they can move, those of the study first among equals, then those moved with another conflict;
    then by kind, subject and key.
    """
    order = sorted(found, key=lambda one: (-(one.subject_values + one.study_values), -one.study_values,
                                           -one.joint_values, one.kind, one.subject or "", one.conflict_key))
    return [msgspec.structs.replace(one, rank=rank) for rank, one in enumerate(order, start=1)]


# --- conflicts of facts --------------------------------------------------------------------------------------------


def _of_facts(work: Workspace, told: Progress) -> list[Impact]:
    rows = work.trial.frames(("conflict",))["conflict"]
    open_ones = rows[(rows.state == "open") & rows.subject.notna() & ~rows.kind.isin(list(IDENTITY_KINDS))]
    subjects = sorted(set(open_ones.subject))
    if not subjects:
        return []
    known = given(work)
    return of_subjects(work, subjects, read(work, subjects, known, shared=False), known, told)


def of_subjects(work: Workspace, subjects: Sequence[str], said: Read, known: Given, told: Progress = silent
                ) -> list[Impact]:
    """What the open conflicts among these facts of some subjects can move, each alone and two together; unranked."""
    base = settled_and_derived(work, said, known)
    conflicts = [one for one in base.settled.conflicts
                 if one.state == "open" and one.subject is not None and one.kind not in IDENTITY_KINDS]
    queues: dict[str, list[_Try]] = {}
    for one in conflicts:
        queues.setdefault(str(one.subject), []).extend(
            _Try(one, each) for each in alternatives(one, said.frames, _recorded(work, one)))
    rounds = _Rounds(work, said, known, base.derived.frames)
    study = _Study(work, base.derived.frames, subjects)
    effects: dict[str, list[Effect]] = {one.key: [] for one in conflicts}
    alone: dict[tuple[str, str], frozenset[comparing.Key]] = {}
    for subject, (tried,), mine, after in rounds.run({subject: [(one,) for one in queue]
                                                      for subject, queue in queues.items()}, told):
        effects[tried.conflict.key].append(Effect(label=tried.alternative.label, changes=mine,
                                                  study=study.moved(after, subject) if mine else ()))
        alone[_name(tried)] = frozenset((one.subject, one.endpoint, one.rule) for one in mine)
    joint, untried = _together(rounds, queues, alone, told)
    return [Impact(conflict_key=one.key, kind=one.kind, subject=one.subject, fingerprint=one.fingerprint,
                   effects=tuple(effects[one.key]), joint=tuple(joint.get(one.key, ())),
                   untried=untried.get(one.subject or "", 0)) for one in conflicts]


def _name(one: _Try) -> tuple[str, str]:
    return one.conflict.key, one.alternative.label


class _Rounds:
    """Laying alternatives over many subjects at once: each round every subject gets its next."""

    def __init__(self, work: Workspace, said: Read, known: Given, base: dict[str, pd.DataFrame]) -> None:
        self._work, self._said, self._known = work, said, known
        self.base = base
        self._before = comparing.values(base)

    def run(self, queues: Mapping[str, Sequence[tuple[_Try, ...]]], told: Progress
            ) -> Iterator[tuple[str, tuple[_Try, ...], tuple[Change, ...], dict[str, pd.DataFrame]]]:
        """Subject, what was laid over it, what of it changes, and the conclusions of its round."""
        rounds = max((len(queue) for queue in queues.values()), default=0)
        for place in range(rounds):
            told("trying alternatives", place, rounds)
            tries = {subject: queue[place] for subject, queue in queues.items() if place < len(queue)}
            after = _tried(self._work, self._said, self._known, tries)
            moved = comparing.changes({key: value for key, value in self._before.items() if key[0] in tries},
                                      comparing.values(after))
            for subject, tried in tries.items():
                yield subject, tried, tuple(change for change in moved if change.subject == subject), after
        told("trying alternatives", rounds, rounds)


def _together(rounds: _Rounds, queues: Mapping[str, Sequence[_Try]],
              alone: Mapping[tuple[str, str], frozenset[comparing.Key]], told: Progress
              ) -> tuple[dict[str, list[Joint]], dict[str, int]]:
    """By conflict what it moves only together with another one of its subject; by subject the ways left out."""
    beside = _beside(rounds.base)
    pairs = {subject: [(one, other) for one, other in itertools.combinations(queue, 2)
                       if one.conflict.key != other.conflict.key
                       and frozenset((one.conflict.kind, other.conflict.kind)) in beside.get(subject, ())]
             for subject, queue in ((subject, _distinct(queue)) for subject, queue in queues.items())}
    tried = {subject: some[:MOST_PAIRS] for subject, some in pairs.items()}
    joint: dict[str, list[Joint]] = {}
    for _, both, mine, _ in rounds.run(tried, told):
        known = frozenset().union(*(alone[_name(one)] for one in both))
        new = tuple(one for one in mine if (one.subject, one.endpoint, one.rule) not in known)
        for one, other in (both, both[::-1]) if new else ():
            joint.setdefault(one.conflict.key, []).append(Joint(
                other=other.conflict.key, changes=new, label=f"{one.alternative.label}, and "
                f"{other.conflict.kind} {other.conflict.key[:12]}: {other.alternative.label}"))
    return joint, {subject: len(some) - len(tried[subject]) for subject, some in pairs.items()}


def _distinct(queue: Sequence[_Try]) -> list[_Try]:
    """The ways that are worth laying over together: of two sides one that holds is the other that is wrong, and what
    stands as it does changes nothing.
    """
    sides = Counter(one.conflict.key for one in queue if one.alternative.choice == "accept")
    return [one for one in queue if one.alternative.choice != "confirm" and not (
        one.alternative.choice == "exclude" and one.alternative.value and sides[one.conflict.key] == 2)]


def _beside(base: dict[str, pd.DataFrame]) -> dict[str, set[frozenset[str]]]:
    """By subject the pairs of kinds (of one kind: itself) on which some value of it rests together."""
    found: dict[str, set[frozenset[str]]] = {}
    for frame in base.values():
        if "held_kinds" in frame:
            for subject, listed in set(zip(frame["subject"], frame["held_kinds"], strict=True)):
                kinds = json.loads(listed)
                found.setdefault(subject, set()).update(
                    frozenset(pair) for pair in itertools.combinations_with_replacement(kinds, 2))
    return found


def _recorded(work: Workspace, conflict: Conflict) -> dict[str, str]:
    """The day on which each record of an undated death was stored by its source, else received by us."""
    if conflict.kind != "death_date_missing":
        return {}
    heads = work.vault.heads_of([one.resource for one in conflict.members])
    return {key: (head.last_updated or head.received_at)[:10] for key, head in heads.items()}


def _tried(work: Workspace, said: Read, known: Given, tries: Tries) -> dict[str, pd.DataFrame]:
    """The conclusions of these subjects, each with its alternatives laid over."""
    frames = {name: frame[frame.subject.isin(list(tries))] for name, frame in said.frames.items()}
    origins = said.origins[said.origins.subject.isin(list(tries))]
    last = max((one.number for one in known.decisions), default=0)
    decisions = list(known.decisions)
    each = (one for some in tries.values() for one in some)
    for number, one in enumerate(each, start=last + 1):
        frames, origins = laid(frames, origins, one.alternative)
        if one.alternative.choice:
            decisions.append(Decision(
                number=number, conflict_key=one.conflict.key, kind=one.conflict.kind,
                fingerprint=one.conflict.fingerprint, choice=one.alternative.choice, value=one.alternative.value,
                reason="", decided_by="", system_user="", decided_at=""))
    mine = [one for one in said.disputes if one.subject is None or one.subject in tries]
    some = msgspec.structs.replace(known, decisions=decisions)
    return settled_and_derived(work, Read(frames, origins, mine), some).derived.frames


class _Study:
    """The study's values, with the conclusions of one subject exchanged."""

    def __init__(self, work: Workspace, base: dict[str, pd.DataFrame], subjects: Sequence[str]) -> None:
        self._protocol = work.study.protocol
        self._frames = comparing.replaced(conclusions(work), base, subjects)
        self._base = self._values(self._frames)

    def _values(self, frames: dict[str, pd.DataFrame]) -> dict[comparing.Key, comparing.Value]:
        found = comparing.study_values(endpoints.summary(frames, self._protocol))
        return {key: comparing.Value(text=_estimate(value.text)) for key, value in found.items() if counts(key[1])}

    def moved(self, after: dict[str, pd.DataFrame], subject: str) -> tuple[Change, ...]:
        """What of the study moves with this subject."""
        mine = {name: frame[frame.subject == subject] for name, frame in after.items()}
        return tuple(comparing.changes(self._base, self._values(comparing.replaced(self._frames, mine, [subject]))))


def counts(endpoint: str) -> bool:
    """Whether a value of the study counts for the rank: response rates and medians."""
    return endpoint in COUNTED or endpoint.startswith("MEDIAN")


def _estimate(text: str) -> str:
    """A value of the study without the counts behind it: a median stays the same when only an event comes or goes."""
    return text.partition(",")[0]


# --- conflicts about codes and identity ----------------------------------------------------------------------------


def _of_meanings(work: Workspace, told: Progress) -> list[Impact]:
    rows = work.trial.frames(("conflict",))["conflict"]
    chosen = rows[(rows.state == "open") & rows.kind.isin(list(CODE_KINDS | UNIT_KINDS | IDENTITY_KINDS))]
    listed: Iterable[Any] = chosen.itertuples()
    found = []
    for place, row in enumerate(listed):
        told("codes and identities", place, len(chosen))
        effects = []
        for label, choice, value in _meanings(work, row):
            shown = preview(work, Choice(conflict=row.key, choice=choice, value=value))
            study = [msgspec.structs.replace(one, before=_estimate(one.before), after=_estimate(one.after))
                     for one in shown.study if counts(one.endpoint)]
            effects.append(Effect(label=label, changes=shown.changes,
                                  study=tuple(one for one in study if one.before != one.after)))
        found.append(Impact(conflict_key=row.key, kind=row.kind, subject=row.subject, fingerprint=row.fingerprint,
                            effects=tuple(effects)))
    told("codes and identities", len(chosen), len(chosen))
    return found


def _meanings(work: Workspace, row: Any) -> Iterator[tuple[str, str, str]]:
    """Label, choice and value: persons joined or split; values in a unit excluded; a code that means nothing or a drug.

    Which drug of a class it is decides no endpoint, so the first of each class in the study's terms stands for all.
    """
    choices = BY_NAME[row.kind].choices
    yield from ((label, choice, "") for label, choice in _PLAIN if choice in choices and row.kind not in CODE_KINDS)
    if row.kind in CODE_KINDS:
        yield "it means nothing here", "unmatched", ""
        doubts = work.trial.frames(("doubt",))["doubt"]
        types = set(doubts[(doubts.kind == row.kind) & (doubts.scope == row.scope)].type)
        terms = work.study.concepts.terms.get("drug", {})
        for drug_class, label in (("anticancer", "another anticancer drug"), ("study", "a study drug")):
            drug = next((name for name in sorted(terms) if terms[name].get("class") == drug_class), None)
            if drug is not None and types and types <= set(_DRUGS):
                yield label, "map_code", f"drug:{drug}"


# --- rows ----------------------------------------------------------------------------------------------------------


def _impact(one: Impact) -> dict[str, Any]:
    return {"conflict_key": one.conflict_key, "kind": one.kind, "subject": one.subject,
            "fingerprint": one.fingerprint, "rank": one.rank, "alternatives": len(one.effects),
            "subject_values": one.subject_values, "study_values": one.study_values,
            "joint_values": one.joint_values, "untried": one.untried,
            "moves": json.dumps(sorted({change.endpoint for effect in one.effects
                                        for change in (*effect.changes, *effect.study)}))}


def _moves(one: Impact) -> Iterator[dict[str, Any]]:
    ways = [*((effect.label, "", (*effect.changes, *effect.study)) for effect in one.effects),
            *((joint.label, joint.other, joint.changes) for joint in one.joint)]
    for place, (label, other, changes) in enumerate(ways, start=1):
        for change in changes:
            yield {"conflict_key": one.conflict_key, "alternative": place, "label": label, "other": other,
                   "subject": change.subject, "endpoint": change.endpoint, "rule": change.rule,
                   "before": change.before, "after": change.after}


def _outlook(found: Iterable[Impact]) -> list[dict[str, Any]]:
    """By value of a subject: everything that it could be instead."""
    listed: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for one in found:
        ways = [*((effect.label, effect.changes) for effect in one.effects),
                *((joint.label, joint.changes) for joint in one.joint if one.conflict_key < joint.other)]
        for label, changes in ways:
            for change in changes:
                listed.setdefault((change.subject, change.endpoint, change.rule), []).append(
                    {"conflict": one.conflict_key, "kind": one.kind, "if": label, "value": change.after})
    return [{"subject": subject, "endpoint": endpoint, "rule": rule,
             "may_become": json.dumps(some, ensure_ascii=False)}
            for (subject, endpoint, rule), some in sorted(listed.items())]
