"""Deciding at the review desk: who may, what must be given, who else must agree, and what happens when two are at it.

Every check stands here, whatever page or program asks. Nothing is written before all of them have passed.
"""

import hashlib
import json
from collections.abc import Collection, Sequence

import msgspec

from fhir_adapter.core.conflicts import ConflictKind, Decision, Owner
from fhir_adapter.core.desk import Account, Right, Role
from fhir_adapter.core.errors import Forbidden, LeaseHeld, Overtaken, UsageError
from fhir_adapter.review.kinds import BY_NAME, CODE_KINDS
from fhir_adapter.review.settling import standing_decisions
from fhir_adapter.steps.accounts import by_account, check_password
from fhir_adapter.steps.deciding import MAPPING, Choice, decided_value, find_conflict, stands_under, told_of
from fhir_adapter.steps.freezing import refuse_frozen
from fhir_adapter.steps.identity import IDENTITY_KINDS, apply_identity
from fhir_adapter.steps.leases import trial_lease
from fhir_adapter.steps.projecting import project_decided
from fhir_adapter.steps.settling import DECISIONS, conclude_decided
from fhir_adapter.steps.showing import content_of, find, visible
from fhir_adapter.steps.worklist import show_state
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.desk_book import Proposal, end_proposal, put_signature
from fhir_adapter.store.records import NewDecision
from fhir_adapter.store.transaction import Transaction
from fhir_adapter.store.worklist import Filter

BULK = ("confirm", "defer")
"""Choices that mean the same for every conflict of a kind; whatever names a side is decided one by one."""

SINGLY = frozenset({"death_dates_disagree", "death_date_missing", "activity_after_death", "fatal_ae_without_death",
                    "readers_disagree", "evaluators_disagree", "response_contradiction", *IDENTITY_KINDS})
"""Kinds that are never decided in bulk: a death, a reading, or who somebody is."""

MOST_AT_ONCE = 20_000
PATIENCE = 5.0
"""Seconds for which a decision waits for a running job before it leaves the settling to that job."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to decide, and what they saw when they did.

    `seen`: the number of the last decision about it on their page; `fingerprint`: the values in dispute there.
    `source`: the source document that an override rests on. `password`, `meaning`: for an electronic signature.
    `everywhere`: of a code, at every hospital where the same one is open. `near`: for one patient or record alone,
    `patient=NAME` or `record=NAME` (steps/codes.py).
    """

    conflict: str
    choice: str
    value: str = ""
    reason: str = ""
    seen: int = 0
    fingerprint: str = ""
    source: str = ""
    password: str = ""
    meaning: str = ""
    everywhere: bool = False
    near: str = ""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: decisions signed, or a proposal that waits for a second person."""

    decisions: tuple[int, ...] = ()
    proposal: int | None = None


def decide(work: Workspace, viewer: Account, wish: Wish) -> Done:
    """Signs a decision, or proposes it where a second person must agree; the caller settles.

    Raises:
        Forbidden: it is not this person's to decide, or the password is wrong.
        Overtaken: somebody has decided meanwhile, or the values in dispute are others now.
        UsageError: something is missing, or the value does not fit.
    """
    row = find(work, wish.conflict, viewer)
    kind = BY_NAME[row.kind]
    if wish.choice not in kind.choices:
        raise UsageError(f"{kind.name} can be settled by {', '.join(kind.choices)}.")
    _may(viewer, kind, overriding=wish.choice == "override")
    new = _new(work, wish, kind)
    if wish.seen != row.last_decision:
        raise Overtaken("Somebody else has decided about this meanwhile. Look again.")
    needs = needed(work, viewer, kind, wish.choice)
    if needs:
        _adjudicated(work, viewer, new, (wish.password, wish.meaning))
        number = work.vault.propose(new, needs, by_account(work, viewer.name))
        show_state(work, row.conflict_key)
        return Done(proposal=number)
    meaning = _adjudicated(work, viewer, new, (wish.password, wish.meaning))
    return Done(decisions=_signed(work, viewer, _everywhere(work, viewer, new, wish), Together(meaning=meaning)))


def ready(work: Workspace, viewer: Account, wish: Wish) -> dict[str, tuple[NewDecision, int]]:
    """One of several different decisions that are signed together: what would be signed, after every check.

    Raises as `decide` does; UsageError also for what is decided one by one, or needs a signature or a second person.
    """
    row = find(work, wish.conflict, viewer)
    kind = BY_NAME[row.kind]
    if wish.choice not in kind.choices:
        raise UsageError(f"{kind.name} can be settled by {', '.join(kind.choices)}.")
    alone = wish.choice != "defer" and (kind.name in SINGLY or kind.owner is Owner.ADJUDICATOR)
    if alone or wish.choice == "override" or needed(work, viewer, kind, wish.choice):
        raise UsageError("That is decided on the conflict's own page.")
    _may(viewer, kind, overriding=False)
    new = _new(work, wish, kind)
    if wish.seen != work.vault.last_decisions([row.conflict_key]).get(row.conflict_key, 0):
        raise Overtaken("Somebody else has decided about this meanwhile. Look again.")
    return _everywhere(work, viewer, new, wish)


def sign_ready(work: Workspace, viewer: Account, made: dict[str, tuple[NewDecision, int]]) -> Done:
    """Signs what was made ready, all or none."""
    return Done(decisions=_signed(work, viewer, made))


def needed(work: Workspace, viewer: Account, kind: ConflictKind, choice: str) -> str:
    """Who must agree before a decision is signed: `investigator`, `second`, or nobody (empty).

    What a hospital stated is changed only with its investigator's agreement (ICH E6(R3) 3.16.1).
    """
    if choice == "override" and viewer.role is not Role.INVESTIGATOR and kind.owner is not Owner.ADJUDICATOR:
        return "investigator"
    return "second" if kind.name in work.study.settings.review.two_person and choice != "defer" else ""


def agree(work: Workspace, viewer: Account, number: int, *, refuse: bool = False,
          signing: tuple[str, str] = ("", "")) -> Done:
    """A second person agrees to a proposal, which signs it, or refuses it; an adjudication needs both persons'
    signatures (`signing`: password and meaning).

    Raises Forbidden for the proposer, or somebody who may not; Overtaken when it no longer waits or fits.
    """
    proposal = next((one for one in work.vault.proposals() if one.id == number), None)
    if proposal is None:
        raise UsageError("There is no such proposal.")
    row = find(work, proposal.conflict_key, viewer)
    kind = BY_NAME[proposal.kind]
    fits = viewer.role is Role.INVESTIGATOR if proposal.needs == "investigator" else \
        viewer.settles(kind, of_code=kind.name in CODE_KINDS)
    if viewer.name == proposal.proposed_by or not fits:
        who = "an investigator of the hospital" if proposal.needs == "investigator" else "a second person"
        raise Forbidden(f"This needs {who}, not whoever proposed it.")
    conflict = work.trial.conflict_row(row.conflict_key)
    if not refuse and (conflict is None or conflict["fingerprint"] != proposal.fingerprint):
        raise Overtaken("The values in dispute are others now; refuse the proposal and look again.")
    if refuse:
        work.vault.end_proposal(number, "refused", by_account(work, viewer.name))
        show_state(work, row.conflict_key)
        return Done()
    new = NewDecision(conflict_key=proposal.conflict_key, kind=proposal.kind, fingerprint=proposal.fingerprint,
                      choice=proposal.choice, value=proposal.value, reason=_with_proposer(proposal))
    meaning = _adjudicated(work, viewer, new, signing)
    return Done(decisions=_signed(work, viewer, _own_key(work, new, row.last_decision),
                                  Together(meaning=meaning, proposal=number)))


def undo(work: Workspace, viewer: Account, number: int, reason: str) -> Done:
    """Takes a decision back by another one. Raises Forbidden, Overtaken or UsageError as `decide` does."""
    if not reason.strip():
        raise UsageError("Taking back needs a reason.")
    old = next((one for one in work.vault.decisions() if one.number == number), None)
    if old is None:
        raise UsageError("There is no such decision.")
    row = find(work, old.conflict_key, viewer)
    _may(viewer, BY_NAME[old.kind], overriding=False)
    about = work.vault.decisions_about(old.conflict_key)
    in_force = standing_decisions(about).get(old.conflict_key)
    if in_force is None or in_force.number != number:
        raise Overtaken(f"Decision {number} is not in force any more.")
    new = NewDecision(conflict_key=old.conflict_key, kind=old.kind, fingerprint=old.fingerprint, choice=old.choice,
                      value=old.value, reason=reason, undoes=number)
    return Done(decisions=_signed(work, viewer, {row.conflict_key: (new, about[-1].number)}))


# --- several at once -----------------------------------------------------------------------------------------------


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Conflicts chosen to be decided at once: how many by kind, a few of them, and a mark of exactly this choice."""

    keys: tuple[str, ...]
    kinds: dict[str, int]
    subjects: int
    mark: str
    refusal: str = ""


def select(work: Workspace, viewer: Account, asked: Filter) -> Selection:
    """What a filter, or a list of keys, chooses now, and whether it can be decided at once."""
    keys = tuple(work.trial.keys_of(asked, MOST_AT_ONCE + 1))
    rows = work.trial.work_rows(keys)
    kinds: dict[str, int] = {}
    for row in rows.values():
        kinds[row.kind] = kinds.get(row.kind, 0) + 1
    said = hashlib.sha256()
    for key in sorted(rows):
        said.update(f"{key} {rows[key].last_decision}\n".encode())
    return Selection(keys=keys, kinds=kinds, subjects=len({row.subject for row in rows.values()}),
                     mark=said.hexdigest()[:32], refusal=_refusal(work, viewer, kinds, len(keys)))


def _refusal(work: Workspace, viewer: Account, kinds: Collection[str], count: int) -> str:
    singly = sorted((SINGLY | set(work.study.settings.review.two_person)) & set(kinds))
    if not count:
        return "Nothing is chosen."
    if count > MOST_AT_ONCE:
        return f"More than {MOST_AT_ONCE} are chosen; narrow the filter."
    if singly:
        return f"Decided one by one only: {', '.join(singly)}."
    others = sorted(name for name in kinds if not viewer.settles(BY_NAME[name], of_code=name in CODE_KINDS))
    return f"Not yours to settle: {', '.join(others)}." if others else ""


def decide_many(work: Workspace, viewer: Account, asked: Filter, mark: str, choice: str, reason: str) -> Done:
    """Signs one decision for each chosen conflict, all or none.

    Raises Overtaken when the choice is not what was previewed, or holds a kind that is decided one by one (which is
    an audit entry); UsageError without a reason.
    """
    chosen = select(work, viewer, asked)
    if chosen.refusal:
        work.vault.note(by_account(work, viewer.name), "bulk refused", f"{len(chosen.keys)} conflicts", chosen.refusal)
        raise Overtaken(chosen.refusal)
    if chosen.mark != mark:
        raise Overtaken("The chosen conflicts have changed since the preview. Look again.")
    if choice not in BULK:
        raise UsageError(f"At once, conflicts can be settled by {', '.join(BULK)} only.")
    if not reason.strip():
        raise UsageError("A decision needs a reason.")
    rows = work.trial.work_rows(chosen.keys)
    made = {}
    for one in work.trial.rows("conflict", "key", chosen.keys):
        if choice not in BY_NAME[one["kind"]].choices:
            raise UsageError(f"{one['kind']} cannot be settled by {choice}.")
        new = NewDecision(conflict_key=one["key"], kind=one["kind"], fingerprint=one["fingerprint"], choice=choice,
                          value="", reason=reason)
        made[one["key"]] = (new, rows[one["key"]].last_decision)
    return Done(decisions=_signed(work, viewer, made))


# --- settling what was decided -------------------------------------------------------------------------------------


def settle_now(work: Workspace, patience: float = PATIENCE) -> bool | None:
    """Settles the subjects of new decisions. None: everything must be looked at; False: a running job will do it."""
    if not work.vault.decisions(work.trial.cursor(DECISIONS).seq):
        return True
    try:
        with trial_lease(work, patience) as lease:
            subjects = conclude_decided(work, lease)
            if subjects is not None:
                project_decided(work, lease, subjects)
    except LeaseHeld:
        return False
    return None if subjects is None else True


# --- checks --------------------------------------------------------------------------------------------------------


def check_signing(work: Workspace, viewer: Account, password: str, meaning: str) -> None:
    """An electronic signature: the person once more, and what it means (21 CFR 11.50, 11.200)."""
    if not meaning.strip():
        raise UsageError("A signature says what it means.")
    if check_password(work, viewer.name, password).name != viewer.name:
        raise Forbidden("The signature is not yours.")


def _may(viewer: Account, kind: ConflictKind, *, overriding: bool) -> None:
    proposes = overriding and viewer.role is Role.REVIEWER and kind.owner is not Owner.ADJUDICATOR
    if not viewer.may(Right.DECIDE) or not (viewer.settles(kind, of_code=kind.name in CODE_KINDS) or proposes):
        raise Forbidden(f"{kind.title}: settled by the {kind.owner.value}; you are {viewer.role.value}.")


def _new(work: Workspace, wish: Wish, kind: ConflictKind) -> NewDecision:
    if not wish.reason.strip():
        raise UsageError("A decision needs a reason.")
    if wish.choice == "override" and not wish.source.strip():
        raise UsageError("An override needs the source document that it rests on.")
    conflict, items = find_conflict(work, wish.conflict)
    if wish.fingerprint and wish.fingerprint != conflict.fingerprint:
        raise Overtaken("The values in dispute have changed since you looked. Look again.")
    near = f"@{wish.near}" if wish.near and kind.name in CODE_KINDS and wish.choice in MAPPING else ""
    choice = Choice(conflict=wish.conflict, choice=wish.choice, value=wish.value + near, reason=wish.reason, by="")
    value = decided_value(work, conflict, items, choice)
    reason = wish.reason.strip() + (f" [source: {wish.source.strip()}]" if wish.source.strip() else "")
    return NewDecision(conflict_key=conflict.key, kind=kind.name, fingerprint=conflict.fingerprint,
                       choice=wish.choice, value=value, reason=reason)


def _everywhere(work: Workspace, viewer: Account, new: NewDecision, wish: Wish) -> dict[str, tuple[NewDecision, int]]:
    """The decision, and the same about this code at every other hospital where it is open."""
    made = _own_key(work, new, wish.seen)
    if not wish.everywhere or wish.near or new.kind not in CODE_KINDS or wish.choice == "defer":
        return made
    _, system, code = json.loads(find_conflict(work, wish.conflict)[0].scope)[:3]
    same = Filter(kind=new.kind, code=code, scope=viewer.scope)
    rows = [row for row in work.trial.listed_conflicts(same, None, MOST_AT_ONCE) if visible(row, viewer)]
    for row in rows:
        conflict, _ = find_conflict(work, row.conflict_key)
        hospital, other = json.loads(conflict.scope)[:2]
        if other == system and row.conflict_key not in made:
            value = json.dumps({**json.loads(new.value), "hospital": hospital}, sort_keys=True, ensure_ascii=False)
            made[row.conflict_key] = (
                msgspec.structs.replace(new, conflict_key=row.conflict_key, fingerprint=conflict.fingerprint,
                                        value=value), row.last_decision)
    return made


def _own_key(work: Workspace, new: NewDecision, seen: int) -> dict[str, tuple[NewDecision, int]]:
    """A decision under the key that it stands under: one that maps a code for one patient or record has its own."""
    key = stands_under(new.kind, new.conflict_key, new.choice, new.value)
    if key == new.conflict_key:
        return {key: (new, seen)}
    return {key: (msgspec.structs.replace(new, conflict_key=key), work.vault.last_decisions([key]).get(key, 0))}


def _refuse_own_reading(work: Workspace, viewer: Account, key: str) -> None:
    for item in work.trial.rows("conflict_item", "conflict_key", [key]):
        facts = work.trial.rows(item["table_name"], "fact_key", [item["fact_key"]]) if item["table_name"] else []
        if any(fact.get("performer") in viewer.reads_as for fact in facts if fact.get("performer")):
            raise Forbidden("You made one of the readings; somebody else adjudicates it.")


class Together(msgspec.Struct, frozen=True, kw_only=True):
    """What stands or falls with a decision: the meaning of an electronic signature, the proposal that it ends."""

    meaning: str = ""
    proposal: int | None = None


def _adjudicated(work: Workspace, viewer: Account, new: NewDecision, signing: tuple[str, str]) -> str:
    """The meaning of the signature that an adjudication needs, after the checks; empty where none is needed."""
    password, meaning = signing
    if BY_NAME[new.kind].owner is not Owner.ADJUDICATOR or new.choice == "defer":
        return ""
    _refuse_own_reading(work, viewer, new.conflict_key)
    check_signing(work, viewer, password, meaning)
    return meaning.strip()


def _signed(work: Workspace, viewer: Account, made: dict[str, tuple[NewDecision, int]],
            together: Together = Together()) -> tuple[int, ...]:  # noqa: B008 - a frozen value, never changed
    """Signs decisions, all or none, with what belongs to them in one transaction."""
    refuse_frozen(work, [new.conflict_key for new, _ in made.values()])
    seen = {key: number for key, (_, number) in made.items()}
    by = by_account(work, viewer.name)
    content = {key: content_of(work, key) for key in made} if together.meaning else {}

    def beside(transaction: Transaction, decisions: Sequence[Decision]) -> None:
        if together.proposal is not None:
            end_proposal(transaction, together.proposal, "agreed", by)
        for one in decisions if together.meaning else ():
            put_signature(transaction, f"decision {one.number}", content[one.conflict_key],
                          (together.meaning, viewer.printed), by)

    wanted = [new for new, _ in made.values()]
    decisions: Sequence[Decision] = work.vault.decide(wanted, by, seen, beside, told_of(work, wanted))
    for one in decisions:
        if one.kind in IDENTITY_KINDS and (one.choice in ("join", "split") or one.undoes is not None):
            with trial_lease(work) as lease:
                apply_identity(work, lease, one)
    work.trial.mark_work([one.conflict_key for one in decisions], {"state": "settling"})
    return tuple(one.number for one in decisions)


def _with_proposer(proposal: Proposal) -> str:
    return f"{proposal.reason} (proposed by {proposal.proposed_by})"
