"""Deciding at the desk, over HTTP: one decision, two people, taking back, who must agree, several at once."""

import re
import threading
from typing import Any

import msgspec
import pytest

from fhir_adapter.core.study import Review
from tests.web.conftest import PASSWORD, Browser, Desk


def _form(browser: Browser, key: str) -> dict[str, str]:
    """What the page of a conflict puts into its form."""
    text = browser.get(f"/conflicts/{key}").text
    return {name: found.group(1) for name in ("seen", "fingerprint")
            if (found := re.search(rf'name="{name}" value="([^"]*)"', text))}


def _state(desk: Desk) -> dict[str, str]:
    """The digests of all tables but the list of decisions itself."""
    return {table: digest for table, digest in desk.work.trial.table_digests().items() if table != "decision"}


def _decide(browser: Browser, key: str, **fields: str) -> Any:
    return browser.post(f"/conflicts/{key}/decide", {**_form(browser, key), "reason": "seen in the source", **fields})


def test_undo_after_do_is_identity(desk: Desk) -> None:
    """The trial is as before; the audit trail grew by an entry for each, and nothing was deleted."""
    browser, key = desk.browser("dm"), desk.conflict("unit_implausible")
    before, entries = _state(desk), len(desk.work.vault.audit_entries())

    assert _decide(browser, key, choice="confirm").headers["location"].endswith("done=decided")
    assert desk.work.trial.work_rows([key])[key].state == "closed"
    assert _state(desk) != before
    (decision,) = desk.work.vault.decisions_about(key)
    assert (decision.decided_by, decision.choice) == ("dm", "confirm")
    answer = browser.post(f"/decisions/{decision.number}/undo", {"key": key, "reason": "on second thoughts"})

    assert answer.headers["location"].endswith("done=undone")
    assert _state(desk) == before
    assert desk.work.trial.work_rows([key])[key].state == "open"
    assert len(desk.work.vault.decisions_about(key)) == 2
    done, undone = (msgspec.json.decode(one.detail) for one in desk.work.vault.audit_entries(entries))
    assert [(one["from"], one["to"], one["reason"]) for one in (done, undone)] == [
        ("open", "closed", "seen in the source"), ("closed", "open", "on second thoughts")]
    item = desk.work.trial.rows("conflict_item", "conflict_key", [key])[0]
    (fact,) = desk.work.trial.rows(item["table_name"], "fact_key", [item["fact_key"]])
    assert done["sources"] == undone["sources"] == {item["resource"]: fact["ordinal"]}
    assert (done["rule"], done["mappings"]) == ("the measurement is excluded", desk.work.study.digest)
    assert desk.work.vault.verify_audit() == []


def test_a_code_for_one_record_or_its_patient(sqlite_desk: Desk) -> None:
    """The form offers the records that carry the code; the decision is about that record or that patient alone."""
    browser, key = sqlite_desk.browser("dm"), sqlite_desk.conflict("unmapped_code")
    (item, *_) = sqlite_desk.work.trial.rows("conflict_item", "conflict_key", [key])
    for place in ("patient", "record"):
        near = f"{place}={item['resource']}"
        assert f'value="{near}"' in browser.get(f"/conflicts/{key}").text
        answer = _decide(browser, key, choice="map_code", concept="drug:lenvatinib", scope=near)
        assert answer.headers["location"].startswith("/queue")
        decision = sqlite_desk.work.vault.decisions()[-1]
        said = msgspec.json.decode(decision.value)
        assert (said["scope"], said["concept"], decision.conflict_key != key) == (place, "lenvatinib", True)
        answer = browser.post(f"/decisions/{decision.number}/undo",
                              {"key": decision.conflict_key, "reason": "on second thoughts"})
        assert answer.headers["location"].endswith("done=undone")
        assert sqlite_desk.work.trial.work_rows([key])[key].state == "open"


def test_what_is_missing_is_refused(sqlite_desk: Desk) -> None:
    """No reason, no source of an override, an unknown choice, a side that is none: 422, and nothing is signed."""
    browser, key = sqlite_desk.browser("dm"), sqlite_desk.conflict("unit_implausible")
    wishes: tuple[dict[str, str], ...] = (
        {"choice": "confirm", "reason": " "}, {"choice": "override", "override": '{"size_um": 19000}'},
        {"choice": "map_code"}, {"choice": "accept", "accept_value": "f" * 32}, {"choice": "override", "source": "x"})

    assert [_decide(browser, key, **wish).status_code for wish in wishes] == [422] * len(wishes)
    assert sqlite_desk.work.vault.decisions() == []


def test_a_page_that_has_grown_old_is_refused(sqlite_desk: Desk) -> None:
    """Somebody else decided meanwhile, or the values in dispute are others: 409, with the new state."""
    first, second, key = sqlite_desk.browser("dm"), sqlite_desk.browser("dm2"), sqlite_desk.conflict("unit_implausible")
    old = _form(second, key)
    assert _decide(first, key, choice="confirm").status_code == 303
    late = second.post(f"/conflicts/{key}/decide", {**old, "choice": "exclude", "reason": "no"})
    row = second.post(f"/conflicts/{key}/decide", {**old, "choice": "exclude", "reason": "no"},
                      headers={"hx-request": "true"})
    changed = second.post(f"/conflicts/{key}/decide", {"seen": "1", "fingerprint": "0" * 32, "choice": "exclude",
                                                       "reason": "no"})

    assert (late.status_code, row.status_code, changed.status_code) == (409, 409, 409)
    assert "closed" in row.text
    assert "Somebody else has decided" in row.text
    assert f'id="row-{key}"' in row.text
    assert len(sqlite_desk.work.vault.decisions_about(key)) == 1


def race(desk: Desk, rounds: int) -> list[tuple[int, int]]:
    """Two people decide about one conflict at the same moment, then the winner's decision is taken back."""
    one, two = Browser(desk, "dm"), Browser(desk, "dm2")
    key = desk.conflict("unit_implausible")
    ended: list[tuple[int, int]] = []
    for _ in range(rounds):
        form, codes, gate = _form(one, key), dict[str, int](), threading.Barrier(2)

        def press(who: Browser, choice: str, form: dict[str, str] = form, codes: dict[str, int] = codes,
                  gate: threading.Barrier = gate) -> None:
            gate.wait()
            wish = {**form, "choice": choice, "reason": "mine"}
            codes[choice] = who.post(f"/conflicts/{key}/decide", wish).status_code

        pair = [threading.Thread(target=press, args=(who, choice)) for who, choice in ((one, "confirm"),
                                                                                      (two, "exclude"))]
        for thread in pair:
            thread.start()
        for thread in pair:
            thread.join()
        ended.append(tuple(sorted(codes.values())))  # type: ignore[arg-type]  # a pair, as there are two
        last = desk.work.vault.decisions_about(key)[-1]
        assert codes[last.choice] == 303
        one.post(f"/decisions/{last.number}/undo", {"key": key, "reason": "next round"})
    return ended


def test_two_at_once_one_wins(desk: Desk) -> None:
    """The other sees the new state; no decision is lost (200 rounds in `make test-hard`)."""
    assert race(desk, 5) == [(303, 409)] * 5
    assert len(desk.work.vault.decisions()) == 10
    assert desk.work.vault.verify_audit() == []


@pytest.mark.hard
def test_two_at_once_two_hundred_times(desk: Desk) -> None:
    """No decision is lost: in each round one is signed, and the other person knows."""
    assert race(desk, 200) == [(303, 409)] * 200
    assert len(desk.work.vault.decisions()) == 400
    assert desk.work.vault.verify_audit() == []


def test_an_override_needs_the_investigator(desk: Desk) -> None:
    """Proposed by a data manager, it counts once an investigator of the hospital agrees, and not by anybody else."""
    key = desk.conflict("unit_implausible")
    browser = desk.browser("dm")
    before = _state(desk)
    answer = _decide(browser, key, choice="override", override='{"size_um": 19000}', source="radiology report 17")
    assert answer.headers["location"].endswith("done=proposed")
    (proposal,) = desk.work.vault.proposals([key])
    agree = {"answer": "agree", "key": key}
    assert _state(desk) == before

    assert browser.post(f"/proposals/{proposal.id}", agree).status_code == 403
    assert desk.browser("dm2").post(f"/proposals/{proposal.id}", agree).status_code == 403
    assert desk.browser("inveast").post(f"/proposals/{proposal.id}", agree).status_code == 404  # another hospital
    assert desk.work.vault.decisions_about(key) == []
    assert desk.browser("inv").post(f"/proposals/{proposal.id}", agree).status_code == 303
    (decision,) = desk.work.vault.decisions_about(key)
    assert decision.decided_by == "inv"
    assert "radiology report 17" in decision.reason
    assert "proposed by dm" in decision.reason
    assert desk.browser("inv").post(f"/proposals/{proposal.id}", agree).status_code == 409


def test_two_persons_decide_chosen_kinds(sqlite_desk: Desk) -> None:
    """Nobody is both of them."""
    settings = sqlite_desk.work.study.settings
    object.__setattr__(settings, "review", Review(two_person=("unit_implausible",)))
    key = sqlite_desk.conflict("unit_implausible")
    assert _decide(sqlite_desk.browser("dm"), key, choice="confirm").headers["location"].endswith("done=proposed")
    (proposal,) = sqlite_desk.work.vault.proposals([key])
    agree = {"answer": "agree", "key": key}

    assert sqlite_desk.browser("dm").post(f"/proposals/{proposal.id}", agree).status_code == 403
    assert sqlite_desk.work.vault.decisions() == []
    assert sqlite_desk.browser("dm2").post(f"/proposals/{proposal.id}", agree).status_code == 303
    assert [one.decided_by for one in sqlite_desk.work.vault.decisions()] == ["dm2"]


def test_roles_settle_their_own_kinds(sqlite_desk: Desk) -> None:
    """A data manager does not settle what the investigator settles, nor the other way round; hospitals bound both."""
    theirs, ours = sqlite_desk.conflict("grades_disagree"), sqlite_desk.conflict("unit_implausible")

    assert _decide(sqlite_desk.browser("dm"), theirs, choice="confirm").status_code == 403
    assert _decide(sqlite_desk.browser("inv"), ours, choice="confirm").status_code == 403
    assert _decide(sqlite_desk.browser("adj"), theirs, choice="confirm").status_code == 403
    assert sqlite_desk.browser("inveast").get(f"/conflicts/{ours}").status_code == 404  # west's
    assert sqlite_desk.work.vault.decisions() == []
    assert _decide(sqlite_desk.browser("inveast"), theirs, choice="confirm").status_code == 303


def test_an_adjudication_is_signed_and_bound_to_its_content(sqlite_desk: Desk) -> None:
    """Without the password nothing is decided; a reader does not adjudicate; changed content shows."""
    work, key, browser = sqlite_desk.work, sqlite_desk.conflict("readers_disagree"), sqlite_desk.browser("adj")
    assert _decide(browser, key, choice="confirm", meaning="mine", password="wrong one here").status_code == 403
    assert _decide(browser, key, choice="confirm", meaning=" ", password=PASSWORD).status_code == 422
    item = work.trial.rows("conflict_item", "conflict_key", [key])[0]
    (fact,) = work.trial.rows(item["table_name"], "fact_key", [item["fact_key"]])
    work.vault.change_account("adj", {"reads_as": msgspec.json.encode([fact["performer"]]).decode()},
                              work.signed("dm1"))
    reader = Browser(sqlite_desk, "adj")
    assert fact["performer"]
    assert _decide(reader, key, choice="confirm", meaning="mine", password=PASSWORD).status_code == 403
    assert work.vault.decisions() == []
    work.vault.change_account("adj", {"reads_as": "[]"}, work.signed("dm1"))
    browser = Browser(sqlite_desk, "adj")

    assert _decide(browser, key, choice="confirm", meaning="I have read both", password=PASSWORD).status_code == 303
    signed = browser.get(f"/conflicts/{key}").text
    assert "Ada Adjudicator" in signed
    assert "I have read both" in signed
    assert ">valid<" in signed
    with work.trial.database.writing() as transaction:
        transaction.run("UPDATE lesion_measurement SET size_um = size_um + 1 WHERE fact_key = ?", (fact["fact_key"],))
    assert "invalid: the content has changed" in browser.get(f"/conflicts/{key}").text


def test_an_adjudication_by_two_is_signed_by_both(sqlite_desk: Desk) -> None:
    """Each asks for a password; a data manager does not override it; the second signature stands under the decision."""
    work, key = sqlite_desk.work, sqlite_desk.conflict("readers_disagree")
    object.__setattr__(work.study.settings, "review", Review(two_person=("readers_disagree",)))
    signing = {"meaning": "I have read both", "password": PASSWORD}
    override = {"choice": "override", "override": '{"size_um": 19000}', "source": "report 17", **signing}
    assert _decide(sqlite_desk.browser("dm"), key, **override).status_code == 403
    assert _decide(sqlite_desk.browser("adj"), key, choice="confirm").status_code == 422
    assert _decide(sqlite_desk.browser("adj"), key, choice="confirm", **signing).status_code == 303
    (proposal,) = work.vault.proposals([key])
    agree, second = {"answer": "agree", "key": key}, sqlite_desk.browser("adj2")

    assert sqlite_desk.browser("adj").post(f"/proposals/{proposal.id}", {**agree, **signing}).status_code == 403
    wrong = {**agree, **signing, "password": "wrong one here"}
    assert second.post(f"/proposals/{proposal.id}", wrong).status_code == 403
    assert work.vault.decisions() == []
    assert 'type="password"' in second.get(f"/conflicts/{key}").text
    assert second.post(f"/proposals/{proposal.id}", {**agree, **signing}).status_code == 303
    assert [(one.printed, one.about) for one in work.vault.signatures()] == [("Abe Adjudicator", "decision 1")]


def test_raw_source_is_a_right_of_its_own_and_each_look_is_kept(sqlite_desk: Desk) -> None:
    """A data manager without it gets 403; with it, the look is an audit entry that names no identifier."""
    key = sqlite_desk.conflict("unit_implausible")
    entries = len(sqlite_desk.work.vault.audit_entries())
    assert sqlite_desk.browser("dm2").post(f"/conflicts/{key}/source").status_code == 403
    assert len([one for one in sqlite_desk.work.vault.audit_entries() if one.action == "raw source seen"]) == 0
    seen = sqlite_desk.browser("dm").post(f"/conflicts/{key}/source")

    assert seen.status_code == 200
    assert "valueQuantity" in seen.text
    (entry,) = [one for one in sqlite_desk.work.vault.audit_entries(entries) if one.action == "raw source seen"]
    assert entry.actor == "dm"
    assert entry.object == f"conflict {key}"


def test_several_at_once_as_previewed_all_or_none(desk: Desk) -> None:
    """What was not previewed is not signed; a death, a reading or a person is never decided so, and that is kept."""
    browser = desk.browser("dm")
    preview = browser.get("/queue/bulk?kind=unit_implausible").text
    mark = re.search(r'name="mark" value="(\w+)"', preview)
    assert mark is not None
    form = {"mark": mark.group(1), "choice": "defer", "reason": "asked the hospital"}
    before = _state(desk)
    assert browser.post("/queue/bulk?kind=unit_implausible", {**form, "mark": "0" * 32}).status_code == 409
    barred = desk.browser("inv").post("/queue/bulk?kind=activity_after_death", form)
    assert barred.status_code == 409
    assert desk.work.vault.audit_entries()[-1].action == "bulk refused"
    assert desk.work.vault.decisions() == []
    assert browser.post("/queue/bulk?kind=unit_implausible", {**form, "reason": ""}).status_code == 422

    assert browser.post("/queue/bulk?kind=unit_implausible", form).status_code == 303
    assert [one.choice for one in desk.work.vault.decisions()] == ["defer", "defer"]
    assert _state(desk) == before  # deferred: seen, and left open
    assert browser.post("/queue/bulk?kind=unit_implausible", form).status_code == 409


def test_a_query_to_the_hospital_goes_its_way(sqlite_desk: Desk) -> None:
    """Open, sent, answered by the hospital, asked again, closed; a step that does not fit is refused."""
    key = sqlite_desk.conflict("unit_implausible")
    browser, site = sqlite_desk.browser("dm"), sqlite_desk.browser("site")
    assert browser.post(f"/conflicts/{key}/query", {"hospital": "west", "question": "cm?"}).status_code == 303
    (query,) = sqlite_desk.work.vault.queries([key])
    step = f"/queries/{query.id}"
    site.get(f"/conflicts/{key}")

    assert site.post(step, {"state": "answered", "words": "yes"}).status_code == 409
    assert site.post(step, {"state": "sent"}).status_code == 403
    assert browser.post(step, {"state": "sent"}).status_code == 303
    assert "cm?" in site.get(f"/queries/{key}/print").text
    assert site.post(step, {"state": "answered", "words": "yes, cm"}).status_code == 303
    assert sqlite_desk.work.trial.work_rows([key])[key].query == "answered"
    assert browser.post(step, {"state": "re-queried", "words": "both?"}).status_code == 303
    assert browser.post(step, {"state": "closed"}).status_code == 303
    assert [one.state for one in sqlite_desk.work.vault.queries([key])] == ["closed"]


def test_work_is_handed_over_and_talked_about(sqlite_desk: Desk) -> None:
    """Assignee and due day stand in the queue, comments on the page; a saved view is its address."""
    browser, key = sqlite_desk.browser("dm"), sqlite_desk.conflict("unit_implausible")
    assert browser.post("/queue/assign", {"keys": key, "assignee": "dm2", "due": "2026-12-01"}).status_code == 303
    assert browser.post("/queue/assign", {"keys": key, "assignee": "nobody else"}).status_code == 404
    assert browser.post(f"/conflicts/{key}/remark", {"words": "see scan 4"}).status_code == 303
    assert browser.post("/queue/views", {"name": "west", "address": "/queue?hospital=west"}).status_code == 303

    mine = sqlite_desk.browser("dm2").get("/queue?assignee=me").text
    assert key[:8] in mine
    assert "2026-12-01" in mine
    assert "see scan 4" in browser.get(f"/conflicts/{key}").text
    assert 'href="/queue?hospital=west"' in browser.get("/queue").text


def test_a_cut_is_locked_with_its_signature_or_not_at_all(sqlite_desk: Desk) -> None:
    """A wrong password locks nothing; the signature is bound to the cut's digest."""
    browser, vault = sqlite_desk.browser("dm"), sqlite_desk.work.vault
    form = {"cutoff": "2026-06-30", "name": "first", "reason": "interim", "meaning": "I lock this", "waive": "yes"}
    assert browser.post("/results/cuts", {**form, "password": "wrong one here"}).status_code == 403
    assert (vault.cuts(), vault.signatures()) == ([], [])

    assert browser.post("/results/cuts", {**form, "password": PASSWORD}).status_code == 303
    (cut,), (signed,) = vault.cuts(), vault.signatures()
    assert (signed.about, signed.content, signed.printed) == ("cut first", cut.digest, "Dana Manager")


def test_an_endorsement_ends_with_what_it_was_about(sqlite_desk: Desk) -> None:
    """The investigator's signature holds until a fact of the subject is another one."""
    browser, work = sqlite_desk.browser("inv"), sqlite_desk.work
    page = "/subjects/ATC-001/endorse"
    assert browser.post(page, {"password": "wrong one here", "meaning": "mine"}).status_code == 403
    assert browser.post(page, {"password": PASSWORD, "meaning": "reviewed"}).status_code == 303
    assert "Ines Investigator" in browser.get("/subjects").text
    assert "data have changed" not in browser.get("/subjects").text
    with work.trial.database.writing() as transaction:
        transaction.run("UPDATE adverse_event SET grade = 4 WHERE subject = 'ATC-001'")

    assert "data have changed" in browser.get("/subjects").text
