"""Readers of scans: none sees what another read, on any page, file or JSON route; who adjudicates is neither."""

import re
from collections import deque
from html import unescape

import httpx
import msgspec
import pytest

from fhir_adapter import desk as story
from fhir_adapter.core.desk import Account, Role
from tests.web.conftest import PASSWORD, Browser, Desk

CANARY = "73917"
"""What the other reader is made to have read: it stands nowhere else."""
MOST = 150
"""Pages of one crawl, those about the conflict first."""


def _plant(desk: Desk) -> tuple[str, str, str]:
    """Gives one reading the canary as its value everywhere; the conflict, that reader, the other reader."""
    work, key = desk.work, desk.conflict("readers_disagree")
    items = work.trial.rows("conflict_item", "conflict_key", [key])
    facts = [work.trial.rows(one["table_name"], "fact_key", [one["fact_key"]])[0] for one in items]
    table, (mine, other) = items[0]["table_name"], facts[:2]
    assert mine["performer"] != other["performer"]
    column = "size_text" if table == "lesion_measurement" else "value_text"
    with work.trial.database.writing() as transaction:
        transaction.run(f"UPDATE {table} SET {column} = ? WHERE fact_key = ?", (CANARY, other["fact_key"]))
        transaction.run("UPDATE conflict SET values_text = ? WHERE key = ?", (f'["{CANARY}"]', key))
        transaction.run("UPDATE time_point SET why = ?, sum_um = ?", (CANARY, int(CANARY) * 1000))
        transaction.run("UPDATE best_response SET why = ?", (CANARY,))
        transaction.run("UPDATE time_to_event SET why = ?", (CANARY,))
    work.vault.remark(key, f"the other one read {CANARY}", work.signed("dm1"))
    return key, str(mine["performer"]), str(other["performer"])


def _crawl(browser: Browser, first: list[str]) -> dict[str, str]:
    """Every page that links lead to, by address."""
    waiting, found = deque(first), dict[str, str]()
    while waiting and len(found) < MOST:
        path = waiting.popleft()
        if path in found:
            continue
        found[path] = browser.get(path).text
        waiting += [unescape(one).partition("#")[0] for one in re.findall(r'(?:href|src)="(/[^"]*)"', found[path])
                    if not one.startswith("/static")]
    return found


@pytest.fixture
def planted(sqlite_desk: Desk) -> tuple[Desk, str, str]:
    """A desk with a canary, its conflict, and the reader who must not see it."""
    key, mine, _ = _plant(sqlite_desk)
    return sqlite_desk, key, mine


def _starts(desk: Desk, key: str) -> list[str]:
    subject = desk.work.trial.work_rows([key])[key].subject
    return [f"/conflicts/{key}", f"/conflicts/{key}?choice=confirm&reason=x", f"/conflicts/{key}/row",
            f"/conflicts/{key}/quick?choice=defer",
            f"/queries/{key}/print", f"/subjects/{subject}", "/queue/file?form=csv&state=all",
            f"/queue?search={CANARY}", "/audit", "/audit/file", f"/audit?search={CANARY}", "/results",
            "/results/figures/waterfall", "/results/figures/swimmer", "/queue?kind=readers_disagree",
            *(f"/records/{one['resource']}" for one in desk.work.trial.rows("conflict_item", "conflict_key", [key]))]


@pytest.mark.parametrize("role", [Role.INVESTIGATOR, Role.ADJUDICATOR, Role.VIEWER, Role.AUDITOR, Role.REVIEWER])
def test_a_reader_finds_no_value_of_another(planted: tuple[Desk, str, str], role: Role) -> None:
    """Whatever their role, also with the right to raw source; a data manager who reads nothing finds it."""
    desk, key, mine = planted
    story.add_user(desk.work, Account(name="ra", printed="R", role=role, reads_as=(mine,), sees_raw=True,
                                      hospitals=("east", "west", "south") if role is Role.INVESTIGATOR else ()),
                   PASSWORD)
    browser, starts = Browser(desk, "ra"), _starts(desk, key)
    pages = {path: text.replace(f"search={CANARY}", "").replace(f'value="{CANARY}"', "")
             for path, text in _crawl(browser, starts).items()}
    assert len(pages) > 20
    assert [path for path, text in pages.items() if CANARY in text] == []
    browser.get(f"/conflicts/{key}")
    stands_for_values = desk.work.trial.rows("conflict", "key", [key])[0]["fingerprint"]
    assert not [path for path, text in pages.items() if stands_for_values in text]
    assert browser.post(f"/conflicts/{key}/source").status_code == 403
    for one in desk.work.trial.rows("conflict_item", "conflict_key", [key]):
        assert browser.post(f"/records/{one['resource']}/source").status_code == 403


def test_the_crawl_can_find_it(planted: tuple[Desk, str, str]) -> None:
    """Whoever reads no scans sees the planted value where it belongs."""
    desk, key, _ = planted
    browser = desk.browser("dm")
    for path in (f"/conflicts/{key}", *[one for one in _starts(desk, key) if one.startswith("/subjects/")],
                 "/queue/file?form=csv&state=all"):
        assert CANARY in browser.get(path).text, path
    assert any(CANARY in browser.get(path).text for path in _starts(desk, key) if path.startswith("/records/"))


def test_a_program_of_a_reader_finds_none_either(planted: tuple[Desk, str, str]) -> None:
    """The JSON of a conflict: without values, decisions and fingerprint; results are refused."""
    desk, key, mine = planted
    seen = {}
    for name, reads in (("bota", (mine,)), ("botb", ())):
        story.add_user(desk.work, Account(name=name, printed=name, role=Role.SERVICE, reads_as=reads), None)
        shown = {"authorization": f"Bearer {story.add_token(desk.work, name, Role.REVIEWER, 1)[1]}"}
        seen[name] = httpx.get(f"{desk.base}/api/v1/conflicts/{key}", headers=shown, timeout=60)
        expected = 403 if reads else 200
        assert httpx.get(f"{desk.base}/api/v1/results", headers=shown, timeout=60).status_code == expected

    assert seen["bota"].status_code == seen["botb"].status_code == 200
    assert CANARY in seen["botb"].text
    assert CANARY not in seen["bota"].text
    assert seen["bota"].json()["fingerprint"] == ""


def test_who_adjudicates_two_others_sees_both(planted: tuple[Desk, str, str]) -> None:
    """Somebody who reads other scans adjudicates; somebody whose own reading it is does not, and sees none."""
    desk, key, mine = planted
    browser = desk.browser("adj")
    for reads, there in (("0" * 32, True), (mine, False)):
        desk.work.vault.change_account("adj", {"reads_as": msgspec.json.encode([reads]).decode()},
                                       desk.work.signed("dm1"))
        assert (CANARY in Browser(desk, "adj").get(f"/conflicts/{key}").text) is there
    assert browser.get("/queue").status_code == 303  # the change ended the session
