"""Looking changes nothing, and shows only what it may: a crawl of every page, the queue's filters, hostile texts."""

import hashlib
import re
from html import unescape

import msgspec
import pytest

from fhir_adapter import desk as story
from fhir_adapter.core.desk import Account, Role
from fhir_adapter.desk import Filter
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.engine import Database
from fhir_adapter.web.rights import API, ROUTES
from tests.web.conftest import Browser, Desk

EACH = 6
"""Pages of one route that the crawl looks at."""


def whole_digest(work: Workspace) -> str:
    """SHA-256 over every row of every table of both databases."""
    told = hashlib.sha256()
    for database in (work.vault.database, work.trial.database):
        for table in _tables(database):
            with database.reading() as transaction:
                rows = sorted(repr(tuple(row)) for row in transaction.rows(f'SELECT * FROM "{table}"'))
            told.update(f"{table} {rows}".encode())
    return told.hexdigest()


def _tables(database: Database) -> list[str]:
    with database.reading() as transaction:
        sql = ("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
               if transaction.postgres else "SELECT name FROM sqlite_master WHERE type = 'table'")
        return sorted(str(row[0]) for row in transaction.rows(sql))


def crawl(browser: Browser) -> dict[str, str]:
    """Every page that can be reached by links, up to a few of each route: path -> text."""
    seen: dict[str, str] = {}
    waiting, counted = ["/queue", "/help"], dict[str, int]()
    while waiting:
        path = waiting.pop(0)
        parts = path.partition("?")[0].split("/")
        shape = "/".join(parts[:2] + ["*"] * (len(parts) - 2))
        if path in seen or counted.get(shape, 0) >= EACH:
            continue
        counted[shape] = counted.get(shape, 0) + 1
        answer = browser.get(path)
        seen[path] = answer.text
        assert answer.status_code in (200, 303, 404), (path, answer.status_code)
        found = re.findall(r'(?:href|src|hx-get)="(/[^"]*)"', answer.text)
        waiting += [unescape(one).partition("#")[0] for one in found if "text/html" in answer.headers["content-type"]]
    return seen


def test_every_get_leaves_both_databases_as_they_are(desk: Desk) -> None:
    """Byte for byte: no look changes a row, not even of a session or the audit trail; programs' looks neither."""
    people = [desk.browser("dm"), desk.browser("boss")]
    _, token = story.add_token(desk.work, "bot", Role.REVIEWER, 1)
    key = desk.conflict("unit_implausible")
    before = whole_digest(desk.work)
    pages = {**crawl(people[0]), **crawl(people[1])}
    for path in (path.replace("{key}", key) for method, path in ROUTES if method == "GET" and path.startswith(API)):
        answer = desk.client.get(path, headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        pages[path] = answer.text
    pages["/sign-in"] = people[0].get("/sign-in/oidc/back?state=a&code=b").text
    shown = {path.partition("?")[0].split("/")[1] for path in pages}

    assert len(pages) > 40
    assert {path.split("/")[1] for method, path in ROUTES if method == "GET"} - {""} <= shown | {"queries"}
    assert whole_digest(desk.work) == before


def test_a_page_weighs_little_and_each_is_whole(sqlite_desk: Desk) -> None:
    """Less than 150 KB each, with a title and one heading of the first rank."""
    for path, text in crawl(sqlite_desk.browser("dm")).items():
        if text.startswith("<!doctype html>"):
            assert len(text.encode()) < 150_000, path
            assert len(re.findall("<h1", text)) == 1, path
            assert "<title>" in text


def test_counts_and_pages_are_what_sql_says(desk: Desk) -> None:
    """Counts equal an SQL count under the same filter; pages by key give each row once, in order."""
    work, viewer = desk.work, Account(name="dm", printed="", role=Role.REVIEWER)
    with work.trial.database.reading() as transaction:
        everything = [tuple(row) for row in transaction.rows(
            "SELECT conflict_key, kind, state, blocking, hospitals FROM worklist ORDER BY place, conflict_key")]
    found, after = list[str](), None
    while True:
        queue = story.queue(work, viewer, Filter(state="all"), after, 4)
        found += [row.conflict_key for row in queue.rows]
        after = queue.after
        if after is None:
            break

    assert found == [row[0] for row in everything]
    assert queue.total == len(everything) > 10
    for kind in {row[1] for row in everything}:
        assert queue.counts["kind"][kind] == sum(row[1] == kind for row in everything)
    west = story.queue(work, viewer, Filter(hospital="west", state="all"), None, 100)
    assert {row.conflict_key for row in west.rows} == {row[0] for row in everything if '"west"' in row[4]}
    own = Account(name="s", printed="", role=Role.COORDINATOR, hospitals=("south",))
    assert {row.conflict_key for row in story.queue(work, own, Filter(state="all"), None, 100).rows} == {
        row[0] for row in everything if '"south"' in row[4]}


def test_what_was_counted_is_counted_again_after_a_change(desk: Desk) -> None:
    """Counts are kept until a row changes, by whatever hand, and not longer."""
    work, viewer = desk.work, Account(name="dm", printed="", role=Role.REVIEWER)

    def nobodys() -> int:
        return story.queue(work, viewer, Filter(), None, 1).counts["assignee"].get("nobody", 0)

    before, key = nobodys(), desk.conflict("unit_implausible")
    with work.trial.database.writing() as transaction:  # a change that does not say so is not seen: counts are kept
        transaction.run("UPDATE worklist SET assignee = 'x' WHERE conflict_key = ?", (key,))
    assert nobodys() == before
    story.assign(work, viewer, [key], "dm", "")
    assert nobodys() == before - 1


def test_a_search_finds_by_words_subject_code_and_key(desk: Desk) -> None:
    """Whatever the case; the same rows as looking through all of them one by one."""
    work, viewer = desk.work, Account(name="dm", printed="", role=Role.REVIEWER)
    rows = work.trial.all_rows("worklist")
    row = next(one for one in rows if one["subject"])
    for said in (row["subject"].lower(), row["conflict_key"][3:12].upper(), "UNIT", "no such words"):
        found = story.queue(work, viewer, Filter(search=said, state="all"), None, 100)
        expected = {one["conflict_key"] for one in rows if said.lower() in " ".join(
            (one["message"].split(" Meanwhile:")[0], one["subject"], one["code"], one["conflict_key"])).lower()}
        assert {one.conflict_key for one in found.rows} == expected
        assert found.total == len(expected)


@pytest.mark.parametrize("address", [
    "/queue?state=nonsense", "/queue?days=x", "/queue?days=%C2%B2", "/queue?run=-1", "/queue?severity=x",
])
def test_an_address_that_asks_for_nonsense_is_told_so(sqlite_desk: Desk, address: str) -> None:
    """422 with words, never a fault of the program."""
    assert sqlite_desk.browser("dm").get(address).status_code == 422


@pytest.mark.parametrize("address", [
    "/queue?search=%25_!'%22&code=%3Cscript%3E&subject=%01", "/queue?after=x.y", "/queue?after=99999999999999999999.a",
    "/audit?search=%27%3B--", "/audit?before=99999999999999999999", "/queue?run=99999999",
])
def test_strange_addresses_find_little_and_break_nothing(desk: Desk, address: str) -> None:
    """Signs of SQL and HTML are text."""
    answer = desk.browser("boss").get(address)

    assert answer.status_code == 200
    assert "<script>" not in answer.text.replace('<script src="/static/', "")


def test_own_hospital_means_own_hospital(sqlite_desk: Desk) -> None:
    """A coordinator of west meets no subject, record or conflict of the others."""
    site, work = sqlite_desk.browser("site"), sqlite_desk.work
    others = [row for row in work.trial.all_rows("worklist") if "west" not in msgspec.json.decode(row["hospitals"])]
    record = next(row["resource"] for row in work.trial.all_rows("origin") if row["hospital"] == "east")
    subject = next(row["subject"] for row in work.trial.all_rows("subject")
                   if "west" not in msgspec.json.decode(row["hospitals"]))

    assert {site.get(f"/conflicts/{row['conflict_key']}").status_code for row in others} == {404}
    assert site.get(f"/records/{record}").status_code == 404
    assert site.get(f"/subjects/{subject}").status_code == 404
    assert subject not in site.get("/subjects").text
    assert not {path for path in crawl(site) if subject in path}
