"""A subject on its way to the lock: open, clean, endorsed, frozen; and what thaws it."""

import re

import pytest

from fhir_adapter import flow
from fhir_adapter.core.errors import Overtaken
from tests.web.conftest import PASSWORD, Desk
from tests.web.test_deciding import _decide

SIGNING = {"password": PASSWORD, "meaning": "these data are final"}


def _state(desk: Desk, subject: str) -> str:
    found = re.search(r"State: (\w+)", desk.browser("dm").get(f"/subjects/{subject}").text)
    return found.group(1) if found else ""


def _decided(desk: Desk) -> tuple[str, str]:
    """A subject whose every open conflict but the deferrable is settled, and one conflict of it that was decided."""
    blocked: dict[str, list[str]] = {}
    for row in desk.work.trial.all_rows("worklist"):
        if row["blocking"] and row["state"] == "open":
            blocked.setdefault(row["subject"], []).append(row["kind"])
    key = next(row["conflict_key"] for row in desk.work.trial.all_rows("worklist")
               if row["kind"] == "unit_implausible" and blocked.get(row["subject"]) == ["unit_implausible"])
    subject = desk.work.trial.work_rows([key])[key].subject
    assert _state(desk, subject) == "open"
    assert _decide(desk.browser("dm"), key, choice="confirm").status_code == 303
    return key, subject


def test_a_subject_is_frozen_once_it_is_endorsed(desk: Desk) -> None:
    """Not before; then nobody decides about it, at the desk or on the command line, until it is thawed."""
    browser, work = desk.browser("dm"), desk.work
    key, subject = _decided(desk)
    freeze, thaw = f"/subjects/{subject}/freeze", f"/subjects/{subject}/thaw"
    assert _state(desk, subject) == "clean"
    assert browser.post(freeze, SIGNING).status_code == 422
    assert desk.browser("inv").post(f"/subjects/{subject}/endorse", SIGNING).status_code == 303
    assert _state(desk, subject) == "endorsed"
    assert desk.browser("inv").post(freeze, SIGNING).status_code == 403
    assert browser.post(freeze, {**SIGNING, "password": "not mine at all"}).status_code == 403
    assert browser.post(freeze, SIGNING).status_code == 303
    assert _state(desk, subject) == "frozen"
    assert "1 frozen" in browser.get("/subjects").text

    (decision,) = work.vault.decisions_about(key)
    undo = {"key": key, "reason": "on second thoughts"}
    assert browser.post(f"/decisions/{decision.number}/undo", undo).status_code == 409
    with pytest.raises(Overtaken, match="is frozen"):
        flow.undo(work, decision.number, reason="on second thoughts", by="dm1")
    assert len(work.vault.decisions_about(key)) == 1
    assert browser.post(thaw, {**SIGNING, "meaning": " "}).status_code == 422
    assert browser.post(thaw, {**SIGNING, "meaning": "the hospital has corrected a date"}).status_code == 303
    assert _state(desk, subject) == "endorsed"
    assert browser.post(f"/decisions/{decision.number}/undo", undo).status_code == 303
    assert _state(desk, subject) == "open"
    assert [one.meaning for one in work.vault.signatures([f"freeze {subject}"])] == [
        "these data are final", "thawed: the hospital has corrected a date"]
    assert [one.action for one in work.vault.audit_entries() if one.object == f"freeze {subject}"] == ["signed"] * 2
    assert work.vault.verify_audit() == []


def test_new_data_thaw_a_subject(sqlite_desk: Desk) -> None:
    """A freeze is over the data as they were: others are not frozen, and the page says so."""
    browser, work = sqlite_desk.browser("dm"), sqlite_desk.work
    key, subject = _decided(sqlite_desk)
    sqlite_desk.browser("inv").post(f"/subjects/{subject}/endorse", SIGNING)
    assert browser.post(f"/subjects/{subject}/freeze", SIGNING).status_code == 303
    with work.trial.database.writing() as transaction:
        assert transaction.run("UPDATE demographic SET birth_year = birth_year + 1 WHERE subject = ?", (subject,)) > 0

    assert _state(sqlite_desk, subject) == "clean"
    assert "thawed by new data" in browser.get(f"/subjects/{subject}").text
    (decision,) = work.vault.decisions_about(key)
    assert browser.post(f"/decisions/{decision.number}/undo", {"key": key, "reason": "new data"}).status_code == 303


def test_what_stands_between_the_study_and_its_lock(sqlite_desk: Desk) -> None:
    """As SQL counts it."""
    text = sqlite_desk.browser("dm").get("/subjects").text
    with sqlite_desk.work.trial.database.reading() as transaction:
        blocking = transaction.value("SELECT count(*) FROM worklist WHERE blocking AND state IN "
                                     "('open', 'deferred', 'proposed', 'changed')")
        subjects = transaction.value("SELECT count(*) FROM subject")

    assert f"<li>{blocking} open conflicts that block a cut</li>" in text
    assert f"<li>{subjects} subjects that are not frozen</li>" in text
