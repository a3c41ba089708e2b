"""The review desk's story: people sign in, see what contradicts, decide, ask hospitals, and follow what comes of it.

One function for each thing that a page does; how each goes across rooms stands in `steps/`
(docs/decisions/0008-the-desk-has-a-flow-of-its-own.md).
"""

import threading
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from fhir_adapter import flow
from fhir_adapter.core.conflicts import Owner
from fhir_adapter.core.desk import Account, Right, Role
from fhir_adapter.core.errors import AdapterError, Forbidden, UsageError
from fhir_adapter.core.study import Review
from fhir_adapter.review.kinds import BY_NAME, KINDS
from fhir_adapter.steps import accounts, cleaning, desking, previewing, seeing_source, showing, timeline
from fhir_adapter.steps.accounts import by_account
from fhir_adapter.steps.cleaning import Cleanliness
from fhir_adapter.steps.deciding import Choice, record_key
from fhir_adapter.steps.desking import Selection, Wish
from fhir_adapter.steps.previewing import Preview
from fhir_adapter.steps.seeing_source import Source
from fhir_adapter.steps.showing import Record, Shown
from fhir_adapter.steps.timeline import Course, Mark, Point
from fhir_adapter.steps.vouching import Vouching
from fhir_adapter.steps.worklist import show_state
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.accounts import Session
from fhir_adapter.store.bearers import Bearer
from fhir_adapter.store.bookkeeping import WorkRow
from fhir_adapter.store.worklist import Filter

__all__ = ["KINDS", "Course", "Filter", "Mark", "Point", "Shown", "Wish", "WorkRow"]

_SETTLING = threading.Lock()
"""Leases tell processes apart, not the threads of this one: they settle one after the other."""

BACKGROUND = 50
"""Decisions signed at once that are settled while the page answers; more are settled behind it."""


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever asks: the account, the token that its forms carry, and the session's mark."""

    account: Account
    token: str
    mark: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a decision: its numbers, or the proposal's; whether its effect is still being worked out."""

    decisions: tuple[int, ...] = ()
    proposal: int | None = None
    pending: bool = False


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the queue. `counts`: by facet and value; `after`: where the next page begins (place, key)."""

    rows: tuple[WorkRow, ...]
    total: int
    counts: dict[str, dict[str, int]]
    after: tuple[int, str] | None


# --- coming and going ----------------------------------------------------------------------------------------------


def settings(work: Workspace) -> Review:
    """The desk's part of settings.toml."""
    return work.study.settings.review


def sign_in(work: Workspace, name: str, password: str) -> str:
    """A session for whoever knows the password; its id, for the browser alone. Raises Forbidden."""
    return accounts.begin(work, accounts.check_password(work, name, password))


def visitor(work: Workspace, secret: str) -> Visitor | None:
    """Who belongs to a session's id, while it lasts."""
    mark = accounts.mark_of(secret)
    found = work.vault.session(mark, work.clock()) if secret else None
    return None if found is None else Visitor(account=found[1], token=found[0].token, mark=mark)


def program(work: Workspace, token: str) -> Visitor | None:
    """Which program a token belongs to, while it lasts: its service account, in the role of the token."""
    mark = accounts.mark_of(token)
    found = work.vault.bearer_of(mark, work.clock()) if token.startswith(accounts.TOKEN_BEGINS) else None
    return None if found is None else Visitor(account=found, token="", mark=mark)


def vouching(work: Workspace) -> Vouching:
    """Signing in by the study's identity provider, if it has one."""
    return Vouching(work)


def sign_out(work: Workspace, visitor: Visitor) -> None:
    """Ends a session."""
    work.vault.end_sessions(visitor.account.name, visitor.mark, by_account(work, visitor.account.name))


# --- the queue -----------------------------------------------------------------------------------------------------


def queue(work: Workspace, viewer: Account, asked: Filter, after: tuple[int, str] | None, size: int) -> Queue:
    """A page of what a filter finds, with the counts of each facet under that filter."""
    asked = msgspec.structs.replace(asked, scope=viewer.scope)
    counts: dict[str, dict[str, int]] = {"kind": {}, "severity": {}, "hospital": {}, "assignee": {}, "state": {}}
    total = 0
    for kind, blocking, hospitals, assignee, state, number in work.trial.counted_conflicts(asked):
        total += number
        named = [("kind", kind), ("severity", "blocking" if blocking else "not blocking"),
                 ("assignee", assignee or "nobody"), ("state", state)]
        named += [("hospital", one) for one in msgspec.json.decode(hospitals)]
        for facet, value in named:
            counts[facet][value] = counts[facet].get(value, 0) + number
    rows = work.trial.listed_conflicts(asked, after, size + 1, total)
    shown = tuple(rows[:size])
    more = (shown[-1].place, shown[-1].conflict_key) if len(rows) > size else None
    return Queue(rows=shown, total=total, counts=counts, after=more)


def row(work: Workspace, key: str, viewer: Account) -> WorkRow:
    """One conflict as the queue lists it. Raises UsageError where there is none for this person."""
    return showing.find(work, key, viewer)


def run_spans(work: Workspace) -> dict[int, tuple[str, str]]:
    """Begin and end of the last runs, by number: what was first seen between them came with that run."""
    return {run.id: (run.started_at, run.ended_at or "9999") for run in work.vault.runs(200)}


def saved_views(work: Workspace, viewer: Account) -> list[tuple[str, str]]:
    """Somebody's saved filters: name, address."""
    return work.vault.saved_views(viewer.name)


def save_view(work: Workspace, viewer: Account, name: str, address: str) -> None:
    """Keeps a filter under a name, or (with an empty address) forgets it."""
    if not name.strip():
        raise UsageError("A view needs a name.")
    work.vault.save_view(viewer.name, name.strip()[:80], address[:2000], by_account(work, viewer.name))


def select(work: Workspace, viewer: Account, asked: Filter) -> Selection:
    """What would be decided at once."""
    return desking.select(work, viewer, msgspec.structs.replace(asked, scope=viewer.scope))


def decide_many(work: Workspace, viewer: Account, asked: Filter, mark: str, wish: Wish) -> Outcome:
    """Signs one decision for each chosen conflict, all or none; large choices are settled behind the answer."""
    asked = msgspec.structs.replace(asked, scope=viewer.scope)
    done = desking.decide_many(work, viewer, asked, mark, wish.choice, wish.reason)
    if len(done.decisions) > BACKGROUND:
        catch_up(work)
        return Outcome(decisions=done.decisions, pending=True)
    return Outcome(decisions=done.decisions, pending=not _settled(work))


def assign(work: Workspace, viewer: Account, keys: Collection[str], assignee: str, due: str) -> None:
    """Hands conflicts to an account (or nobody), until a day (or whenever)."""
    rows = [showing.find(work, key, viewer) for key in keys]
    known = work.vault.account_of(assignee) if assignee else None
    if assignee and (known is None or not known.account.active):
        raise UsageError("There is no such account to assign to.")
    found = [one.conflict_key for one in rows]
    work.vault.hand_over(found, assignee, due, by_account(work, viewer.name))
    work.trial.mark_work(found, {"assignee": assignee, "due": due})


# --- one conflict --------------------------------------------------------------------------------------------------


def conflict(work: Workspace, key: str, viewer: Account) -> Shown:
    """Everything about one conflict, besides raw source."""
    return showing.show(work, key, viewer)


def sources(work: Workspace, key: str, viewer: Account) -> list[Source]:
    """What the hospitals sent, for those who may see it; an audit entry."""
    _require(viewer, Right.RAW)
    return seeing_source.sources(work, key, viewer)


def source(work: Workspace, resource: str, viewer: Account) -> list[Source]:
    """One record as the hospital sent it, for those who may see it; an audit entry."""
    _require(viewer, Right.RAW)
    return seeing_source.source_of(work, resource, viewer)


def record(work: Workspace, resource: str, viewer: Account) -> Record:
    """What was read from one record. Raises UsageError where there is none for this person."""
    return showing.record(work, resource, viewer)


def fingerprint(work: Workspace, key: str, viewer: Account) -> str:
    """What stands for the values in dispute now; empty for a reader of scans who must not see them."""
    kind = BY_NAME[showing.find(work, key, viewer).kind]
    found = None if showing.blinded(work, key, kind, viewer) else work.trial.conflict_row(key)
    return str(found["fingerprint"]) if found else ""


def preview(work: Workspace, viewer: Account, wish: Wish) -> Preview:
    """What a decision would change downstream; nothing is written."""
    row = showing.find(work, wish.conflict, viewer)
    kind = BY_NAME[row.kind]
    adjudicates = kind.owner is Owner.ADJUDICATOR and viewer.settles(kind)
    if viewer.reads_as and (not adjudicates or showing.blinded(work, wish.conflict, kind, viewer)):
        raise UsageError("A preview shows what rests on other readers' readings; readers of scans do not see it.")
    return previewing.preview(work, Choice(conflict=wish.conflict, choice=wish.choice, value=wish.value,
                                           reason=wish.reason, by=viewer.name))


def decide(work: Workspace, viewer: Account, wish: Wish, *, wait: bool = True) -> Outcome:
    """Signs a decision (or proposes it) and settles what it concerns; without `wait`, behind the answer."""
    return _outcome(work, desking.decide(work, viewer, wish), wait)


def agree(work: Workspace, viewer: Account, number: int, *, refuse: bool = False,
          signing: tuple[str, str] = ("", "")) -> Outcome:
    """A second person agrees to a proposal, or refuses it; of an adjudication, signing it too."""
    return _outcome(work, desking.agree(work, viewer, number, refuse=refuse, signing=signing))


def undo(work: Workspace, viewer: Account, number: int, reason: str, *, wait: bool = True) -> Outcome:
    """Takes a decision back by another one."""
    return _outcome(work, desking.undo(work, viewer, number, reason), wait)


def remark(work: Workspace, viewer: Account, key: str, words: str) -> None:
    """A comment beside a conflict."""
    if not words.strip():
        raise UsageError("A comment has words.")
    work.vault.remark(showing.find(work, key, viewer).conflict_key, words.strip(), by_account(work, viewer.name))


def ask(work: Workspace, viewer: Account, key: str, hospital: str, question: str) -> int:
    """A query to a hospital about a conflict; its number."""
    found = showing.find(work, key, viewer)
    if hospital not in msgspec.json.decode(found.hospitals):
        raise UsageError("That hospital is not part of this conflict.")
    if not question.strip():
        raise UsageError("A query has a question.")
    number = work.vault.ask(found.conflict_key, hospital, question.strip(), by_account(work, viewer.name))
    show_state(work, found.conflict_key)
    return number


def step_query(work: Workspace, viewer: Account, number: int, state: str, words: str) -> str:
    """Moves a query on: sent, answered, closed, re-queried; the conflict's key."""
    query = next((one for one in work.vault.queries() if one.id == number), None)
    if query is None:
        raise UsageError("There is no such query.")
    showing.find(work, query.conflict_key, viewer)
    if viewer.scope is not None and query.hospital not in viewer.scope:
        raise Forbidden("That query is another hospital's.")
    _require(viewer, Right.ANSWER if state == "answered" else Right.MANAGE)
    if state in ("answered", "re-queried") and not words.strip():
        raise UsageError("That step needs words.")
    work.vault.step_query(number, state, words.strip(), by_account(work, viewer.name))
    show_state(work, query.conflict_key)
    return query.conflict_key


# --- subjects ------------------------------------------------------------------------------------------------------


def subject(work: Workspace, number: str, viewer: Account) -> Course:
    """A subject's course and endpoints."""
    return timeline.course(work, number, viewer)


def cleanliness(work: Workspace, viewer: Account, number: str = "") -> list[Cleanliness]:
    """What stands between each subject (or one) and the lock."""
    return cleaning.cleanliness(work, viewer, number)


def between(work: Workspace, viewer: Account, found: Collection[Cleanliness]) -> list[str]:
    """What stands between the study and its lock, in words."""
    return cleaning.between(work, viewer, found)


def sign_subject(work: Workspace, viewer: Account, number: str, step: str, signing: tuple[str, str]) -> None:
    """A signature about a subject (`signing`: password, meaning): its investigator endorses the data, a data manager
    freezes or thaws them; `step` is `endorse`, `freeze` or `thaw`."""
    timeline.course(work, number, viewer)
    password, meaning = signing
    desking.check_signing(work, viewer, password, meaning)
    {"endorse": cleaning.endorse, "freeze": cleaning.freeze, "thaw": cleaning.thaw}[step](work, viewer, number, meaning)


# --- accounts ------------------------------------------------------------------------------------------------------


def users(work: Workspace) -> list[Account]:
    """All accounts."""
    return work.vault.accounts()


def reader_keys(work: Workspace, names: Collection[str]) -> tuple[str, ...]:
    """Opaque keys of practitioners named `hospital|Practitioner/id`."""
    return tuple(sorted(record_key(work, name) for name in names))


def add_user(work: Workspace, account: Account, password: str | None) -> None:
    """A new account."""
    accounts.add(work, account, password)


def change_user(work: Workspace, name: str, changes: Mapping[str, Any], by: str = "") -> None:
    """Changes an account; its sessions end."""
    accounts.change(work, name, dict(changes), by)


def add_token(work: Workspace, name: str, role: Role, days: int, by: str = "") -> tuple[int, str]:
    """A token for a program: its number and, this once, itself."""
    return accounts.issue(work, name, role, days, by)


def revoke_token(work: Workspace, number: int, by: str = "") -> None:
    """Ends a program's token now."""
    work.vault.revoke_bearer(number, by_account(work, by) if by else accounts.by_system(work))


def tokens(work: Workspace) -> list[Bearer]:
    """All tokens of programs, without what they are."""
    return work.vault.bearers()


def token_numbers(work: Workspace) -> dict[str, int]:
    """The numbers of the tokens by their hash."""
    return work.vault.bearer_numbers()


def end_session(work: Workspace, viewer: Account, name: str, mark: str) -> None:
    """Ends somebody's session (or, with an empty mark, all of theirs)."""
    work.vault.end_sessions(name, mark, by_account(work, viewer.name))


def sessions(work: Workspace) -> list[Session]:
    """Who is signed in, the newest first."""
    return work.vault.sessions()


# --- effects --- ----------------------------------------------------------------------------------------


def _outcome(work: Workspace, done: desking.Done, wait: bool = True) -> Outcome:
    if done.decisions and not wait:
        catch_up(work)
        return Outcome(decisions=done.decisions, pending=True)
    settled = _settled(work) if done.decisions else True
    return Outcome(decisions=done.decisions, proposal=done.proposal, pending=not settled)


def _settled(work: Workspace) -> bool:
    """Works decisions into the trial: their subjects alone where that is enough; False: a running job will do it."""
    with _SETTLING:
        found = desking.settle_now(work)
        if found is None:
            try:
                flow.apply(work)
            except AdapterError:
                return False
            return True
        return found


def settled_behind(work: Workspace, done: desking.Done) -> Outcome:
    """Several decisions that were signed at once: what follows from them is worked out behind the answer."""
    catch_up(work)
    return Outcome(decisions=done.decisions, pending=True)


def catch_up(work: Workspace) -> None:
    """Works in, behind the page, what has been signed and is not settled yet."""
    threading.Thread(target=_settled_quietly, args=(work,), name="settling", daemon=True).start()


def _settled_quietly(work: Workspace) -> None:
    try:
        _settled(work)
    except Exception as error:  # nobody waits for this thread; what is signed stays, and the next settling takes it up
        work.log.error("settling_failed", error)


def _require(viewer: Account, right: Right) -> None:
    if not viewer.may(right):
        raise Forbidden("That is not yours to do.")
