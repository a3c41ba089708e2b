"""The review workflow as a state machine: whatever people do in whatever order, the desk does what a plain model says.

The model is a few lists and the rules of docs/review-desk.md; of the desk it reads only keys and fingerprints. After
every step the audit chain holds, no decision is lost, and what may not be done was not done.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fhir_adapter import cuts, desk, flow
from fhir_adapter.core.errors import Forbidden, Overtaken, UsageError
from fhir_adapter.core.study import Review
from fhir_adapter.desk import Wish, whole
from fhir_adapter.steps import desking, proving
from fhir_adapter.steps.workspace import Workspace
from tests.databases import BACKENDS
from tests.web.conftest import PASSWORD
from tests.web.small import PATIENTS, Small, correct

SETTLES = {"unit_implausible": ("dm", "dm2"), "grades_disagree": ("inv", "inveast"), "readers_disagree": ("adj",)}
"""Who of the cast settles each kind (docs/conflicts.md); all three kinds block a cut."""
MANAGERS, INVESTIGATORS = ("dm", "dm2"), ("inv", "inveast")
KINDS = st.sampled_from(sorted(PATIENTS))
ACTORS = st.sampled_from(["dm", "dm2", "inv", "inveast", "adj", "view", "map"])
FIT = st.sampled_from([True, True, False])
"""Whether whoever acts is somebody who may; else anybody."""
CHOICES = st.sampled_from(["confirm", "exclude", "defer", "override"])
FLAWS = st.sampled_from(["", "", "", "", "old page", "old values", "no reason", "no source", "no meaning"])
OVERRIDES = {"unit_implausible": '{"size_um": 13000}', "grades_disagree": '{"grade": 2}',
             "readers_disagree": '{"size_um": 19000}'}
STEPS = {"sent": ("open", "re-queried"), "answered": ("sent",), "re-queried": ("answered", "closed"),
         "closed": ("open", "sent", "answered", "re-queried")}
"""To which state a query goes, and from which (docs/review-desk.md)."""
REFUSALS = {"forbidden": Forbidden, "overtaken": Overtaken, "unusable": UsageError}


class Decided(msgspec.Struct, frozen=True):
    """A decision as the model remembers it."""

    number: int
    kind: str
    choice: str
    value: str
    fingerprint: str
    by: str
    undoes: int | None = None


class Proposed(msgspec.Struct):
    """A proposal as the model remembers it."""

    number: int
    kind: str
    choice: str
    needs: str
    by: str
    fingerprint: str
    state: str = "waiting"


class Workflow(RuleBasedStateMachine):
    """People at the desk, and a model of what must come of it."""

    small: ClassVar[Small]
    known: ClassVar[dict[Any, Any]]
    """Conclusions by what is decided and what East says: they rest on nothing else."""
    ran: ClassVar[int]

    @initialize(two=st.booleans(), slow=st.integers(0, 5), locks=st.integers(0, 7))
    def begin(self, two: bool, slow: int, locks: int) -> None:
        """A fresh study. Settling costs the most: a sixth of the sequences do it, an eighth of those lock a cut."""
        self.stack = ExitStack()
        self.work = self.stack.enter_context(self.small.copy())
        object.__setattr__(self.work.study.settings, "review", Review(two_person=("unit_implausible",) if two else ()))
        self.two, self.slow, self.locks = two, slow == 5, slow == 5 and locks == 7
        self.people = {one.name: one for one in self.work.vault.accounts()}
        rows = {str(one["kind"]): one for one in self.work.trial.all_rows("conflict")}
        self.keys = {kind: str(rows[kind]["key"]) for kind in PATIENTS}
        self.prints = {kind: str(rows[kind]["fingerprint"]) for kind in PATIENTS}
        self.decisions, self.proposals, self.queries = list[Decided](), list[Proposed](), list[list[Any]]()
        self.remarks, self.assigned = dict.fromkeys(PATIENTS, 0), dict.fromkeys(PATIENTS, "")
        self.worked_in, self.corrected, self.cut = 0, False, ""
        self.before, self.entries = _digests(self.work), len(self.work.vault.audit_entries())

    # --- the model -------------------------------------------------------------------------------------------------

    def _about(self, kind: str, worked_in: bool = False) -> list[Decided]:
        return [one for one in self.decisions if one.kind == kind and (not worked_in or one.number <= self.worked_in)]

    def _last(self, kind: str, worked_in: bool = False) -> int:
        return max((one.number for one in self._about(kind, worked_in)), default=0)

    def _in_force(self, kind: str) -> Decided | None:
        """The newest decision, if none takes it back; decisions before it are replaced, not waiting."""
        mine = self._about(kind)
        undone = {one.undoes for one in mine}
        standing = [one for one in mine if one.undoes is None and one.number not in undone]
        return standing[-1] if standing else None

    def _closed(self, kind: str) -> bool:
        one = self._in_force(kind)
        return one is not None and one.choice != "defer" and one.fingerprint == self.prints[kind]

    def _waiting(self, kind: str) -> bool:
        return any(one.kind == kind and one.state == "waiting" for one in self.proposals)

    def _hidden(self, who: str, kind: str) -> bool:
        """Whether a conflict is another hospital's."""
        return bool(self.people[who].hospitals) and PATIENTS[kind][0] not in self.people[who].hospitals

    def _does(self, outcome: str, entries: int, act: Callable[[], Any]) -> Any:
        """Does what must end in this way; a refusal leaves no entry in the trail."""
        if outcome == "done":
            self.entries += entries
            return act()
        with pytest.raises(REFUSALS[outcome]):
            act()
        return None

    def _signed(self, done: desking.Done, decided: Decided) -> None:
        assert len(done.decisions) == 1
        self.decisions.append(msgspec.structs.replace(decided, number=done.decisions[0]))

    # --- deciding --------------------------------------------------------------------------------------------------

    @rule(who=ACTORS, fit=FIT, kind=KINDS, choice=CHOICES, flaw=FLAWS)
    def decide(self, who: str, fit: bool, kind: str, choice: str, flaw: str) -> None:
        """Somebody decides, or proposes, or may not."""
        who = SETTLES[kind][0] if fit else who
        needs = "investigator" if choice == "override" and kind != "readers_disagree" and who in MANAGERS else \
            "second" if kind == "unit_implausible" and self.two and choice != "defer" else ""
        signs = kind == "readers_disagree" and choice != "defer"
        outcome = "done"
        if self._hidden(who, kind):
            outcome = "unusable"
        elif who not in SETTLES[kind] and not (needs == "investigator" and who in MANAGERS):
            outcome = "forbidden"
        elif flaw == "no reason" or (flaw == "no source" and choice == "override"):
            outcome = "unusable"
        elif flaw in ("old page", "old values") or (needs and self._waiting(kind)):
            outcome = "overtaken"
        elif signs and flaw == "no meaning":
            outcome = "unusable"
        elif not needs and self._last(kind) != self._last(kind, worked_in=True):
            outcome = "overtaken"  # somebody decided, and the page does not show it yet
        wish = Wish(
            conflict=self.keys[kind], choice=choice, value=OVERRIDES[kind] if choice == "override" else "",
            reason=" " if flaw == "no reason" else "seen", source="" if flaw == "no source" else "report 17",
            seen=self._last(kind, worked_in=True) + (flaw == "old page"), password=PASSWORD,
            fingerprint="0" * 32 if flaw == "old values" else self.prints[kind],
            meaning="" if flaw == "no meaning" else "I have read it")
        done = self._does(outcome, 2 if signs else 1, lambda: desking.decide(self.work, self.people[who], wish))
        if done is not None and needs:
            self.proposals.append(Proposed(done.proposal, kind, choice, needs, who, self.prints[kind]))
        elif done is not None:
            self._signed(done, Decided(0, kind, choice, wish.value, self.prints[kind], who))

    @precondition(lambda self: self.proposals)
    @rule(who=ACTORS, fit=FIT, refuse=st.sampled_from([False, False, True]), data=st.data())
    def agree(self, who: str, fit: bool, refuse: bool, data: st.DataObject) -> None:
        """A second person agrees to a proposal, or refuses it, or is not the one."""
        one = data.draw(st.sampled_from(self.proposals))
        those = INVESTIGATORS if one.needs == "investigator" else SETTLES[one.kind]
        who = next((name for name in those if name != one.by), who) if fit else who
        outcome = "done"
        if self._hidden(who, one.kind):
            outcome = "unusable"
        elif who == one.by or who not in those:
            outcome = "forbidden"
        elif one.state != "waiting" or (not refuse and (
                one.fingerprint != self.prints[one.kind]
                or self._last(one.kind) != self._last(one.kind, worked_in=True))):
            outcome = "overtaken"
        done = self._does(outcome, 1 if refuse else 2, lambda: desking.agree(
            self.work, self.people[who], one.number, refuse=refuse))
        if done is not None:
            one.state = "refused" if refuse else "agreed"
            if not refuse:
                value = OVERRIDES[one.kind] if one.choice == "override" else ""
                self._signed(done, Decided(0, one.kind, one.choice, value, one.fingerprint, who))

    @precondition(lambda self: self.decisions)
    @rule(who=ACTORS, fit=FIT, newest=st.booleans(), reason=st.sampled_from(["on second thoughts"] * 3 + [""]),
          data=st.data())
    def undo(self, who: str, fit: bool, newest: bool, reason: str, data: st.DataObject) -> None:
        """Somebody takes a decision back; what is not in force cannot be."""
        one = data.draw(st.sampled_from(self.decisions[-1:] if newest else self.decisions))
        who = SETTLES[one.kind][0] if fit else who
        outcome = "done"
        if not reason or self._hidden(who, one.kind):
            outcome = "unusable"
        elif who not in SETTLES[one.kind]:
            outcome = "forbidden"
        elif self._in_force(one.kind) != one:
            outcome = "overtaken"
        done = self._does(outcome, 1, lambda: desking.undo(self.work, self.people[who], one.number, reason))
        if done is not None:
            self._signed(done, msgspec.structs.replace(one, by=who, undoes=one.number))

    @precondition(lambda self: self.slow and self.decisions and self.worked_in < self.decisions[-1].number)
    @rule()
    def settle(self) -> None:
        """What is signed is worked in: conflicts close, and the conclusions are those of these decisions."""
        assert desking.settle_now(self.work) is True
        self._settled()

    @precondition(lambda self: self.slow and not self.corrected)
    @rule()
    def correct(self) -> None:
        """East corrects a record: what was decided about the old values counts no more, and the conflict says so."""
        correct(self.work.folder / "delivery")
        flow.sync(self.work, [])
        self.corrected = True
        for kind, key in self.keys.items():
            now = desk.fingerprint(self.work, key, self.people["dm"])
            assert (now != self.prints[kind]) == (kind == "grades_disagree")
            self.prints[kind] = now
        self._settled()

    def _settled(self) -> None:
        self.worked_in = self.decisions[-1].number if self.decisions else 0
        rows = {str(one["key"]): one["state"] for one in self.work.trial.all_rows("conflict")}
        assert {kind: rows[key] for kind, key in self.keys.items()} == {
            kind: "closed" if self._closed(kind) else "open" for kind in PATIENTS}
        effect = [(one.kind, one.choice) for kind in PATIENTS if self._closed(kind) and (one := self._in_force(kind))]
        if not any(choice == "override" for _, choice in effect):  # an override's fact has the decision's own key
            made = {name: digest for name, digest in self.work.trial.table_digests().items()
                    if name in self.work.trial.tables.conclusions}
            assert self.known.setdefault((self.corrected, tuple(effect)), made) == made

    @precondition(lambda self: self.locks and not self.cut)
    @rule(waive=st.booleans())
    def lock(self, waive: bool) -> None:
        """A cut is locked over open conflicts only by whoever signs for them."""
        wanted = cuts.NewCut(cutoff="2026-06-30", name="first", reason="review", by="dm", with_open_conflicts=waive)
        standing = [self._in_force(kind) for kind in PATIENTS]
        waive = waive or any(one is not None and one.choice == "exclude" for one in standing)  # then a size is missing
        wanted = msgspec.structs.replace(wanted, with_open_conflicts=waive)
        outcome = "done" if waive or all(self._closed(kind) for kind in PATIENTS) else "unusable"
        cut = self._does(outcome, 2, lambda: whole.lock_cut(self.work, self.people["dm"], wanted, PASSWORD, "locked"))
        self.cut = cut.digest if cut is not None else ""

    # --- beside deciding -------------------------------------------------------------------------------------------

    @rule(kind=KINDS, to=st.sampled_from(["dm", "dm2", "", "nobody"]), due=st.sampled_from(["", "2026-12-01"]))
    def assign(self, kind: str, to: str, due: str) -> None:
        """A conflict is handed to somebody who exists."""
        outcome = "unusable" if to == "nobody" else "done"
        self._does(outcome, 1, lambda: desk.assign(self.work, self.people["dm"], [self.keys[kind]], to, due))
        if outcome == "done":
            self.assigned[kind] = to

    @rule(kind=KINDS, words=st.sampled_from(["see scan 4", " "]))
    def remark(self, kind: str, words: str) -> None:
        """A comment has words."""
        outcome = "done" if words.strip() else "unusable"
        self._does(outcome, 1, lambda: desk.remark(self.work, self.people["inv"], self.keys[kind], words))
        self.remarks[kind] += outcome == "done"

    @rule(kind=KINDS, hospital=st.sampled_from(["east", "west"]))
    def ask(self, kind: str, hospital: str) -> None:
        """A query goes to a hospital that the conflict is about."""
        outcome = "done" if hospital == PATIENTS[kind][0] else "unusable"
        number = self._does(outcome, 1, lambda: desk.ask(self.work, self.people["dm"], self.keys[kind], hospital, "?"))
        if number is not None:
            self.queries.append([number, kind, "open"])

    @precondition(lambda self: self.queries)
    @rule(who=st.sampled_from(["dm", "inv", "inveast", "view"]), state=st.sampled_from(sorted(STEPS)),
          words=st.sampled_from(["it is so", "it is so", ""]), data=st.data())
    def step(self, who: str, state: str, words: str, data: st.DataObject) -> None:
        """A query goes its way, by those who may, in the order that there is."""
        query = data.draw(st.sampled_from(self.queries))
        outcome = "done"
        if self._hidden(who, query[1]):
            outcome = "unusable"
        elif who == "view" or (who in INVESTIGATORS and state != "answered"):
            outcome = "forbidden"
        elif state in ("answered", "re-queried") and not words:
            outcome = "unusable"
        elif query[2] not in STEPS[state]:
            outcome = "overtaken"
        if self._does(outcome, 1, lambda: desk.step_query(self.work, self.people[who], query[0], state, words)):
            query[2] = state

    # --- what always holds -----------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_lost(self) -> None:
        """The chain holds and has grown as it must; decisions, proposals and queries are the model's."""
        vault = self.work.vault
        assert vault.verify_audit() == []
        assert len(vault.audit_entries()) == self.entries
        assert [(one.number, one.conflict_key, one.choice, one.value, one.fingerprint, one.decided_by, one.undoes)
                for one in vault.decisions()] == [
            (one.number, self.keys[one.kind], one.choice, one.value, one.fingerprint, one.by, one.undoes)
            for one in self.decisions]
        assert [(one.id, one.state) for one in vault.proposals()] == [
            (one.number, one.state) for one in self.proposals]
        assert [[one.id, one.conflict_key, one.state] for one in vault.queries()] == [
            [number, self.keys[kind], state] for number, kind, state in self.queries]
        assert {kind: len(vault.remarks(key)) for kind, key in self.keys.items()} == self.remarks

    @invariant()
    def the_queue_shows_it(self) -> None:
        """Each row says who works on it, how far its query is, and (once worked in) what became of it."""
        rows = self.work.trial.work_rows(self.keys.values())
        for kind, key in self.keys.items():
            row, one = rows[key], self._in_force(kind)
            asked = [state for _, about, state in self.queries if about == kind]
            assert (row.assignee, row.query) == (self.assigned[kind], asked[-1] if asked else "")
            assert row.last_decision == self._last(kind, worked_in=True)
            if self._last(kind) != row.last_decision:
                continue
            assert row.state == (
                "closed" if self._closed(kind) else "proposed" if self._waiting(kind) else "open" if one is None
                else "changed" if one.fingerprint != self.prints[kind] else "deferred")

    def teardown(self) -> None:
        """Everything is taken back: the trial is as before. A cut is still what was signed."""
        if not hasattr(self, "stack"):
            return
        with self.stack:
            type(self).ran += 1
            if not self.slow:
                return
            for kind in PATIENTS:
                while (one := self._in_force(kind)) is not None:
                    self.undo_one(one)
            if self.decisions:
                assert desking.settle_now(self.work) is True
            if not self.corrected:
                assert _digests(self.work) == self.before
            if self.cut:
                assert [one.digest for one in self.work.vault.cuts()] == [self.cut]
                assert proving.verify(self.work, "first", lambda *_: None).holds

    def undo_one(self, one: Decided) -> None:
        """Takes a decision back by whoever may."""
        done = desking.undo(self.work, self.people[SETTLES[one.kind][0]], one.number, "the end")
        self._signed(done, msgspec.structs.replace(one, undoes=one.number))


def _digests(work: Workspace) -> dict[str, str]:
    """The digests of all tables but the list of decisions itself."""
    return {table: digest for table, digest in work.trial.table_digests().items() if table not in ("decision", "cut")}


@pytest.fixture(params=BACKENDS)
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Small]:
    """The small study on SQLite and on PostgreSQL."""
    server = request.getfixturevalue("_postgres").url() if request.param == "postgresql" else ""
    with ExitStack() as stack:
        yield Small(request.param, server, tmp_path, stack)


def sequences(study: Small, wanted: int) -> None:
    """Runs the machine so often."""
    class Sequences(Workflow):
        small, known, ran = study, dict[Any, Any](), 0

    run_state_machine_as_test(Sequences, settings=settings(
        max_examples=wanted, stateful_step_count=10, deadline=None, derandomize=True, database=None,
        phases=(Phase.generate,),  # a sequence is short; to make it shorter would take minutes
        suppress_health_check=list(HealthCheck)))
    assert Sequences.ran >= wanted


def test_the_workflow_is_its_model(small: Small) -> None:
    """A few sequences; a thousand in `make test-hard`."""
    sequences(small, 10)


@pytest.mark.hard
@pytest.mark.longest
def test_the_workflow_is_its_model_in_a_thousand_sequences(small: Small) -> None:
    """No decision lost, no chain broken, nothing done that may not be; undone is as before (SEQUENCES: how many)."""
    sequences(small, int(os.environ.get("SEQUENCES", "1000")))
