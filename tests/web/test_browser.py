"""The desk in a real browser: by keyboard alone, without JavaScript, for everybody, and against hostile texts."""

import itertools
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from fhir_adapter import flow
from fhir_adapter.web.rights import ROUTES
from tests.web.browsing import chromium, signed_in
from tests.web.conftest import PASSWORD, Desk

pytestmark = pytest.mark.hard

HOSTILE = '"><script>window.hit=1</script><img src=x onerror="window.hit=1"><svg onload="window.hit=1">\'{{6151*7}}'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the module."""
    with chromium() as opened:
        yield opened


def plant(desk: Desk, count: int) -> set[str]:
    """More open conflicts: mapping doubts the unit of so many values of west; the keys of their conflicts."""
    rows = [row for row in desk.work.trial.all_rows("lab_result") if row["hospital"] == "west"]
    chosen = {row["resource"]: row for row in rows}
    before = {row["key"] for row in desk.work.trial.all_rows("conflict")}
    with desk.work.trial.database.writing() as transaction:
        for number, row in enumerate(list(chosen.values())[:count]):
            transaction.run(
                "INSERT INTO doubt (key, kind, scope, hospital, type, resource, ordinal, element, subject, message, "
                "values_text, holds) VALUES (?, 'unit_implausible', '', 'west', 'Observation', ?, ?, ?, ?, 'planted', "
                "'[]', ?)", (f"{number:032x}", row["resource"], row["ordinal"], row["element"], row["subject"], False))
    flow.conclude(desk.work, everyone=True)
    return {row["key"] for row in desk.work.trial.all_rows("conflict")} - before


def test_twenty_conflicts_by_keyboard_alone(browser: Browser, sqlite_desk: Desk) -> None:
    """`a`, a reason once, Enter; twenty times, and twenty decisions are signed; at least 20 rows are in sight."""
    keys = plant(sqlite_desk, 22)
    assert len(keys) == 22
    with signed_in(browser, sqlite_desk, "dm") as page:
        page.goto("/queue?kind=unit_implausible&search=planted")
        page.wait_for_selector("tr.current")
        visible = page.evaluate("Array.from(document.querySelectorAll('tr[data-row]')).filter(r => "
                                "r.getBoundingClientRect().bottom <= innerHeight).length")
        assert visible >= 20
        for number in range(20):
            page.keyboard.press("a")
            page.wait_for_selector("tr.quick [name=reason]")
            if number == 0:
                page.keyboard.type("two events, as the investigator says")
            page.keyboard.press("Enter")
            page.wait_for_selector("tr.quick", state="detached")
            expect(page.locator("[data-key=a]")).to_have_count(21 - number)
        page.keyboard.press("k")
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.name") == "search"
        page.keyboard.press("Tab")
        page.goto("/queue?kind=unit_implausible&search=planted&state=all")
        expect(page.locator("td.do [data-key=u]")).to_have_count(20, timeout=120_000)  # settled behind the rows
    signed = sqlite_desk.work.vault.decisions()

    assert len(signed) == 20
    assert {one.conflict_key for one in signed} <= set(keys)
    assert {one.reason for one in signed} == {"two events, as the investigator says"}


def core_path(page: Page, desk: Desk) -> None:
    """Filter, open, preview, decide, see the endpoint move, take back: with forms and links alone."""
    key = desk.conflict("unit_implausible")
    subject = desk.work.trial.rows("conflict", "key", [key])[0]["subject"]
    page.goto(f"/subjects/{subject}")
    before = page.locator("section[aria-labelledby=h-endpoints]").inner_text()
    page.goto("/queue")
    page.select_option("select[name=kind]", "unit_implausible")
    page.click("text=Filter")
    page.click(f"a.open[href='/conflicts/{key}']")
    page.select_option("form.bar select[name=choice]", "confirm")
    page.click("text=Show what changes")
    assert "What this decision would change" in page.content()
    page.check("input[name=choice][value=confirm]")
    page.fill("#decide textarea[name=reason]", "the radiologist confirms it")
    page.click("#decide button.main")
    assert "Signed." in page.inner_text("[role=status]")
    page.goto(f"/subjects/{subject}")
    assert page.locator("section[aria-labelledby=h-endpoints]").inner_text() != before
    page.goto(f"/conflicts/{key}")
    page.fill("input[name=reason]", "on second thoughts")
    page.click("text=Undo")
    page.goto(f"/subjects/{subject}")
    assert page.locator("section[aria-labelledby=h-endpoints]").inner_text() == before


@pytest.mark.parametrize("javascript", [True, False])
def test_the_core_path(browser: Browser, desk: Desk, javascript: bool) -> None:
    """The same with and without JavaScript, on both databases."""
    with signed_in(browser, desk, "dm", javascript=javascript) as page:
        core_path(page, desk)


def test_two_readers_are_adjudicated_with_a_signature(browser: Browser, sqlite_desk: Desk) -> None:
    """The adjudicator signs once more with the password, and the page shows name and meaning."""
    key = sqlite_desk.conflict("readers_disagree")
    with signed_in(browser, sqlite_desk, "adj") as page:
        page.goto(f"/conflicts/{key}")
        page.check("input[name=choice][value=accept]")
        page.fill("#decide textarea[name=reason]", "the second reading measured the node")
        page.fill("#decide input[name=password]", PASSWORD)
        page.click("#decide button.main")
        assert "Ada Adjudicator" in page.content()
        assert "valid" in page.inner_text("section[aria-labelledby=h-decisions]")


def test_a_cut_is_locked_and_verified(browser: Browser, sqlite_desk: Desk) -> None:
    """Signed on the page, computed anew, the same."""
    with signed_in(browser, sqlite_desk, "dm") as page:
        page.set_default_timeout(180_000)  # a cut is computed while the page waits
        page.goto("/results")
        page.fill("form.panel input[name=name]", "interim")
        page.fill("input[name=cutoff]", "2026-06-30")
        page.fill("form.panel input[name=password]", PASSWORD)
        page.fill("form.panel input[name=reason]", "interim analysis")
        page.check("input[name=waive]")
        page.click("text=Sign and lock")
        assert "Dana Manager" in page.inner_text("#cuts")
        page.click("button[aria-label='Verify interim']")
        assert "it is the same" in page.inner_text("#cuts")
        page.click("#cuts a[href='/results?cut=interim']")
        assert "Results of the cut interim" in page.inner_text("h1")
        assert "signature valid" in page.inner_text("main")
        page.wait_for_load_state("load")
        assert page.evaluate("Array.from(document.images, one => one.naturalWidth > 0)") == [True] * 4
        (kept,) = sqlite_desk.work.folder.glob("data/cuts/interim/csv/v_subject.csv")
        kept.chmod(0o600)
        kept.write_bytes(kept.read_bytes() + b"x")
        page.reload()
        assert "signature invalid" in page.inner_text("main")
        assert "v_subject.csv has changed" in page.inner_text("main")


def test_every_picture_of_the_results_is_seen(browser: Browser, sqlite_desk: Desk) -> None:
    """Four figures, each loaded and drawn, without anybody scrolling to it."""
    with signed_in(browser, sqlite_desk, "dm") as page:
        page.goto("/results", timeout=60_000)  # until everything is loaded
        sizes = page.evaluate("Array.from(document.images, one => [one.naturalWidth, one.clientHeight])")

    assert len(sizes) == 4
    assert all(wide > 0 and high > 100 for wide, high in sizes), sizes


NO_PAGES = {"/": "leads to the queue", "/sign-in/oidc/back": "needs an identity provider's answer",
            "/queue/file": "a file", "/mappings/file": "a file", "/mappings/{name}": "a file", "/audit/file": "a file",
            "/results/figures/{name}": "a picture", "/conflicts/{key}/row": "a part of the queue"}
"""GET routes that axe is not asked about, and why; those under /api/ answer in JSON."""


def _serious(page: Page, where: str) -> list[tuple[str, str, str]]:
    return [(where, one["id"], one["nodes"][0]["html"][:200]) for one in Axe().run(page).response["violations"]
            if one["impact"] in ("serious", "critical")]


def test_every_page_is_for_everybody(browser: Browser, sqlite_desk: Desk) -> None:
    """axe finds nothing serious or critical on the page of any GET route (a new one fails until it is here)."""
    work, key = sqlite_desk.work, sqlite_desk.conflict("readers_disagree")
    record = work.trial.rows("conflict_item", "conflict_key", [key])[0]["resource"]
    work.vault.ask(key, "east", "which lesion?", work.signed("dm1"))
    pages = {"dm": {"/queue": ["/queue"], "/queue/bulk": ["/queue/bulk?kind=unit_implausible"],
                    "/conflicts/{key}": [f"/conflicts/{key}", f"/conflicts/{key}?choice=confirm"],
                    "/conflicts/{key}/quick": [f"/conflicts/{key}/quick"],
                    "/queries/{key}/print": [f"/queries/{key}/print"], "/subjects": ["/subjects"],
                    "/subjects/{subject:path}": ["/subjects/ATC-001"], "/records/{resource}": [f"/records/{record}"],
                    "/mappings": ["/mappings?domain=Observation"], "/results": ["/results"], "/runs": ["/runs"],
                    "/help": ["/help", "/nowhere"]},
             "map": {"/mappings/approve": ["/mappings/approve"]},
             "boss": {"/audit": ["/audit?verify=1"], "/administration": ["/administration"]},
             "adj": {"/conflicts/{key}": [f"/conflicts/{key}"]},
             "inv": {"/subjects/{subject:path}": ["/subjects/ATC-001"]}}
    gets = {path for method, path in ROUTES if method == "GET" and not path.startswith("/api/")}
    assert {route for theirs in pages.values() for route in theirs} | {"/sign-in"} == gets - NO_PAGES.keys()

    found = []
    for name, theirs in pages.items():
        with signed_in(browser, sqlite_desk, name) as page:
            for path in itertools.chain.from_iterable(theirs.values()):
                page.goto(path)
                found += _serious(page, path)
            if name == "map":
                found += _with_a_list(page)
            if name == "dm":
                found += _with_a_sheet(page)
                page.goto("/help")
                page.click("text=Sign out")
                found += _serious(page, "/sign-in")

    assert found == []


def _with_a_list(page: Page) -> list[tuple[str, str, str]]:
    """What axe says of approving a candidate that the page offers, and of a code list that has a fault."""
    page.goto("/mappings")
    page.locator("select[name=chosen]").first.select_option(index=1)
    page.click("button:has-text('Approve')")
    found = _serious(page, "/mappings/approve of one")
    page.goto("/mappings")
    page.set_input_files("[name=upload]", {"name": "x.csv", "mimeType": "text/csv", "buffer": b"list,code\nnone,1\n"})
    page.locator("form:has([name=upload]) button").click()
    return [*found, *_serious(page, "POST /mappings/file")]


def _with_a_sheet(page: Page) -> list[tuple[str, str, str]]:
    """What axe says of the queue's own sheet as it is shown before anything in it is signed."""
    sheet = page.request.get("/queue/file?form=csv").body()
    page.goto("/queue")
    page.set_input_files("[name=upload]", {"name": "queue.csv", "mimeType": "text/csv", "buffer": sheet})
    page.locator("form:has([name=upload]) button").click()
    return _serious(page, "POST /queue/file")


def test_hostile_texts_run_no_script(browser: Browser, sqlite_desk: Desk) -> None:
    """In every text of a record that a page shows, in comments, queries, reasons and raw source: 0 scripts run."""
    work, key = sqlite_desk.work, sqlite_desk.conflict("grades_disagree")
    subject = work.trial.rows("conflict", "key", [key])[0]["subject"]
    shown = ("message", "why", "term", "term_text", "drug", "dose_text", "dose_unit", "route", "reason", "site",
             "visit", "therapy", "value_text", "unit_text", "size_text", "size_unit", "values_text", "onset_written",
             "date_written", "element", "state", "sex")
    with work.trial.database.writing() as transaction:
        for table, columns in work.trial.tables.kinds_by_table.items():
            named = [name for name in columns if name in shown and columns[name] == "text"]
            for name in named:
                if (table, name) not in (("conflict", "state"), ("worklist", "state")) and name != "values_text":
                    limit = "" if table not in ("vital_status",) else " WHERE 1 = 0"
                    transaction.connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
                    transaction.run(f'UPDATE "{table}" SET "{name}" = ? {limit}', (HOSTILE,))
    with work.vault.database.writing() as transaction:
        transaction.run("UPDATE version SET body = ?", (b'{"resourceType": "' + HOSTILE.replace('"', '\\"').encode()
                                                        + b'", "extension": []}',))
        transaction.run("UPDATE version SET url = ?, version_id = ?", (HOSTILE, HOSTILE))
    by = work.signed("inv1")
    work.vault.remark(key, HOSTILE, by)
    work.vault.ask(key, "east", HOSTILE, by)
    work.vault.save_view("dm", HOSTILE, "/queue?search=" + HOSTILE, by)
    record = work.trial.rows("conflict_item", "conflict_key", [key])[0]["resource"]
    with signed_in(browser, sqlite_desk, "dm") as page:
        for path in ("/queue", f"/queue?search={HOSTILE}", f"/conflicts/{key}", f"/subjects/{subject}",
                     f"/records/{record}", f"/queries/{key}/print", "/subjects", "/mappings", "/runs",
                     "/queue/bulk?state=todo"):
            page.goto(path)
            assert page.evaluate("window.hit === undefined"), path
            assert "43057" not in page.inner_text("h1")
        page.goto(f"/conflicts/{key}")
        page.click("text=Show raw source")
        assert "<script>window.hit" in page.inner_text("main")
        assert page.evaluate("window.hit === undefined")
