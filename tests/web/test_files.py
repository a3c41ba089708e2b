"""Files at the desk: the queue goes out and comes back as decisions; code lists go out and come in."""

import csv
import html
import io
import json
import re
from pathlib import Path

import pytest
from openpyxl import load_workbook

from tests.web.conftest import Browser, Desk

CONCEPTS = Path("mappings/concepts")
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture
def own_lists(sqlite_desk: Desk, tmp_path: Path) -> Path:
    """The study's files as copies of this test, which it may write."""
    import shutil

    home = tmp_path / "study"
    for name in ("mappings", "sync"):
        shutil.copytree(sqlite_desk.work.study.folder / name, home / name)
    object.__setattr__(sqlite_desk.work.study, "folder", home)
    return home


def _table(content: bytes) -> list[dict[str, str]]:
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    header, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(map(str, header), ("" if cell is None else str(cell) for cell in row), strict=True))
            for row in rows]


def _send(browser: Browser, path: str, name: str, content: bytes) -> str:
    answer = browser.post(path, files={"upload": (name, content)})
    assert answer.status_code in (200, 422), answer.status_code
    return answer.text


def _fields(page: str, *names: str) -> dict[str, str]:
    return {name: html.unescape(found.group(1)) for name in names
            if (found := re.search(rf'name="{name}" value="([^"]*)"', page))}


def _filled(rows: list[dict[str, str]], choices: dict[str, tuple[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    for row in rows:
        choice, reason = choices.get(row["key"], ("", ""))
        writer.writerow({**row, "choice": choice, "reason": reason})
    return text.getvalue().encode()


def test_the_queue_as_a_file_has_the_filters_rows_and_comments(sqlite_desk: Desk) -> None:
    """The rows of the filter alone, those of the person's hospitals alone; texts stay texts; nobody's identifiers."""
    browser, work = sqlite_desk.browser("dm"), sqlite_desk.work
    key = sqlite_desk.conflict("unit_implausible")
    browser.post(f"/conflicts/{key}/remark", {"words": "=HYPERLINK(1)"})
    answer = browser.get("/queue/file?form=xlsx&severity=blocking")
    rows = _table(answer.content)
    expected = {row["conflict_key"] for row in work.trial.all_rows("worklist")
                if row["blocking"] and row["state"] in ("open", "deferred", "proposed", "changed")}

    assert answer.headers["content-type"] == SHEET
    assert {row["key"] for row in rows} == expected != set()
    (mine,) = (row for row in _table(browser.get("/queue/file?form=xlsx").content) if row["key"] == key)
    assert mine["comments"].endswith("dm: =HYPERLINK(1)")
    plain = browser.get("/queue/file?form=csv").text
    assert not re.search(r"zz[wes]-", plain)  # how the fixtures' identifiers begin
    site = list(csv.DictReader(io.StringIO(sqlite_desk.browser("site").get("/queue/file?form=csv").text)))
    assert site
    assert all("west" in row["hospitals"] for row in site)


def test_decisions_come_back_after_a_dry_run(sqlite_desk: Desk) -> None:
    """A sheet without choices changes nothing; a wrong row stops all; what was looked at is signed, all of it."""
    browser, work = sqlite_desk.browser("dm"), sqlite_desk.work
    key, barred = sqlite_desk.conflict("unit_implausible"), sqlite_desk.conflict("readers_disagree")
    content = browser.get("/queue/file?form=xlsx").content
    rows = _table(content)
    assert "No row has a choice" in _send(browser, "/queue/file", "queue.xlsx", content)

    page = _send(browser, "/queue/file", "q.csv", _filled(rows, {key: ("confirm", "seen"), barred: ("accept", "x")}))
    assert "1 of them cannot be signed" in page
    assert 'name="mark"' not in page
    assert "A decision needs a reason" in _send(browser, "/queue/file", "q.csv", _filled(rows, {key: ("confirm", "")}))

    sheet = _filled(rows, {key: ("confirm", "as the radiologist says")})
    fields = _fields(_send(browser, "/queue/file", "q.csv", sheet), "name", "content", "mark")
    assert work.vault.decisions() == []
    assert browser.post("/queue/file/sign", {**fields, "mark": "0" * 32}).status_code == 409
    assert browser.post("/queue/file/sign", fields).status_code == 303
    (decision,) = work.vault.decisions()
    assert (decision.conflict_key, decision.choice, decision.decided_by) == (key, "confirm", "dm")
    assert "Somebody else has decided" in _send(browser, "/queue/file", "q.csv", sheet)


@pytest.mark.parametrize(("name", "content"), [
    ("x.exe", b"MZ"), ("x.xlsx", b"no zip"), ("x.csv", b"a,b\n1,2\n"), ("x.csv", b"\xff\xfe"), ("../../x.csv", b""),
])
def test_a_file_that_is_none_is_refused(sqlite_desk: Desk, name: str, content: bytes) -> None:
    """422 with words, at both doors."""
    browser = sqlite_desk.browser("dm")
    for path in ("/queue/file", "/mappings/file"):
        assert browser.post(path, files={"upload": (name, content)}).status_code == 422


@pytest.mark.parametrize("form", ["csv", "xlsx", "json"])
def test_code_lists_go_out_and_come_in_unchanged(sqlite_desk: Desk, own_lists: Path, form: str) -> None:
    """What was exported changes nothing when it comes back; one changed row is shown, and written once it is asked."""
    browser = sqlite_desk.browser("map")
    before = {path.name: path.read_bytes() for path in (own_lists / CONCEPTS).glob("*.csv")}
    content = browser.get(f"/mappings/file?form={form}").content
    assert "stand in the lists already" in _send(browser, "/mappings/file", f"lists.{form}", content)
    if form == "json":
        bundle = json.loads(content)
        assert {one["resource"]["resourceType"] for one in bundle["entry"]} == {"ConceptMap"}
    rows = (b"list,system,code,concept,relationship,hospital\n"
            b"drug,https://west.example/fhir/CodeSystem/drug,W-LEN-4711,lenvatinib,equivalent,west\n")
    page = _send(browser, "/mappings/file", "new.csv", rows)
    assert "Write 1 changes of 1 rows" in page
    assert {path.name: path.read_bytes() for path in (own_lists / CONCEPTS).glob("*.csv")} == before

    fields = _fields(page, "name", "content", "mark")
    assert sqlite_desk.browser("view").post("/mappings/file/write", fields).status_code == 403
    assert browser.post("/mappings/file/write", fields).headers["location"] == "/mappings?done=written"
    after = (own_lists / CONCEPTS / "drug.csv").read_bytes()
    assert after.startswith(before["drug.csv"].rstrip(b"\n"))
    assert b"W-LEN-4711,,lenvatinib,equivalent,west" in after
    assert browser.post("/mappings/file/write", fields).status_code == 409  # the lists are others now
    assert [one.action for one in sqlite_desk.work.vault.audit_entries()].count("code lists imported") == 1


def test_faults_of_a_list_are_named_and_nothing_is_written(sqlite_desk: Desk, own_lists: Path) -> None:
    """By row and column; a list that there is not makes no file, wherever its name leads."""
    browser = sqlite_desk.browser("map")
    rows = (b"list,system,code,concept,relationship,hospital\ndrug,s,c,aspirine,equivalent,\ndrug,s,d,,nearly,north\n"
            b"../../evil,s,c,x,equivalent,\n")
    page = html.unescape(_send(browser, "/mappings/file", "new.csv", rows))
    assert "row 2, column concept: is not among the terms of its list" in page
    assert "row 3, column relationship" in page
    assert "row 3, column hospital: no hospital of the study" in page
    assert 'name="mark"' not in page
    page = html.unescape(_send(browser, "/mappings/file", "new.csv", rows[:49] + b"../../evil,s,c,x,equivalent,\n"))
    assert "../../evil is no list" in page
    assert list(own_lists.rglob("evil*")) == []


def test_candidates_are_approved_together_after_a_preview(sqlite_desk: Desk) -> None:
    """Shown first, then signed with one reason; the coverage by codes and by occurrences grows."""
    browser, work = sqlite_desk.browser("map"), sqlite_desk.work
    key = sqlite_desk.conflict("unmapped_code")
    row = work.trial.work_rows([key])[key]
    chosen = f"{key} 0 drug:lenvatinib"
    text = browser.get("/mappings?domain=MedicationAdministration").text
    assert "is being counted" not in text
    shares = re.findall(r"<b>all</b>.*?(\d+) of (\d+).*?(\d+) of (\d+)", text)
    assert shares
    known, codes, known_records, records = map(int, shares[0])
    assert 0 < known < codes
    assert 0 < known_records < records

    page = browser.get("/mappings/approve", params={"chosen": chosen}).text
    assert "Approve 1 candidates" in page
    assert f"{row.occurrences} records wait" in page
    assert work.vault.decisions() == []
    assert browser.post("/mappings/approve", {"chosen": chosen, "reason": ""}).status_code == 422
    assert browser.post("/mappings/approve", {"chosen": "x", "reason": "y"}).status_code == 422
    assert browser.post("/mappings/approve", {"chosen": chosen, "reason": "pharmacy list"}).status_code == 303
    (decision,) = work.vault.decisions()
    assert json.loads(decision.value)["concept"] == "lenvatinib"
    assert browser.post("/mappings/approve", {"chosen": chosen, "reason": "twice"}).status_code == 409
