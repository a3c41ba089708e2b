"""Who may call what: every route, every role, asked over HTTP; and requests that are not ours."""

import re
import tracemalloc

import httpx
import pytest

from fhir_adapter import desk as story
from fhir_adapter.core.desk import GRANTS, Account, Right, Role
from fhir_adapter.desk import whole
from fhir_adapter.store.audit import append_audits
from fhir_adapter.store.records import Signature
from fhir_adapter.web import rights
from fhir_adapter.web.routes import ALL
from tests.web.conftest import ACCOUNTS, PASSWORD, Browser, Desk

NAMES = {account.role: account.name for account in reversed(ACCOUNTS) if account.name not in ("inveast", "dm2")}
FILLED = {"key": "0" * 32, "number": "999999", "resource": "0" * 32, "subject:path": "nobody", "name": "nobody"}


def _path(path: str) -> str:
    return re.sub(r"{([^}]+)}", lambda found: FILLED[found.group(1)], path)


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    """A new route without a right does not start, and fails here."""
    assert {found for router in ALL for found in rights.served(router.routes)} == set(rights.ROUTES)


def test_only_the_sign_in_form_is_open() -> None:
    """What anybody may call without a session is listed by name."""
    assert {path for (_, path), right in rights.ROUTES.items() if right is Right.ANYONE} == {
        "/sign-in", "/sign-in/oidc", "/sign-in/oidc/back", "/sign-in/oidc/finish", "/api/v1/health"}


def test_every_role_meets_exactly_its_rights(sqlite_desk: Desk) -> None:
    """403 for those without the right, something else for those with it; 303 to the form for nobody."""
    wrong: list[tuple[str, str, str, int]] = []
    for (method, path), right in rights.ROUTES.items():
        if right is Right.ANYONE or path == "/sign-out" or path.startswith(rights.API):
            continue  # programs' routes: tests/web/test_programs.py
        for role, name in NAMES.items():
            browser = sqlite_desk.browser(name)
            answer = browser.get(_path(path)) if method == "GET" else browser.post(_path(path))
            account = next(one for one in ACCOUNTS if one.name == name)
            expected = right is Right.SIGNED_IN or right in GRANTS[role] or (right is Right.RAW and account.sees_raw)
            refused = answer.status_code == 403 and "Your role" in answer.text
            if refused == expected or answer.status_code >= 500:
                wrong.append((method, path, role, answer.status_code))
        stranger = Browser(sqlite_desk).send(method, _path(path))
        if stranger.status_code not in ((303, 401) if method == "GET" else (403,)):
            wrong.append((method, path, "stranger", stranger.status_code))

    assert wrong == []
    assert set(NAMES) == set(Role)


def test_figures_of_all_hospitals_are_not_for_those_who_see_some(sqlite_desk: Desk) -> None:
    """Results, figures, exports and cuts: for nobody limited to some hospitals."""
    story.add_user(sqlite_desk.work, Account(name="viewwest", printed="V", role=Role.VIEWER, hospitals=("west",)),
                   PASSWORD)
    story.add_user(sqlite_desk.work, Account(name="dmwest", printed="D", role=Role.REVIEWER, hospitals=("west",)),
                   PASSWORD)
    story.add_user(sqlite_desk.work, Account(name="botwest", printed="B", role=Role.SERVICE, hospitals=("west",)), None)
    for name in ("site", "inv", "inveast", "viewwest", "dmwest"):
        browser = sqlite_desk.browser(name)
        for path in ("/results", "/results?cut=x", "/results/figures/pfs", "/results/figures/swimmer"):
            assert browser.get(path).status_code == 403, (name, path)
        for path in ("/results/cuts", "/results/cuts/verify"):
            assert browser.post(path, {"name": "x"}).status_code == 403, (name, path)
        assert 'href="/results"' not in browser.get("/queue").text
    assert sqlite_desk.browser("view").get("/results").status_code == 200
    for account, expected in (("botwest", 403), ("bot", 200)):
        token = story.add_token(sqlite_desk.work, account, Role.VIEWER, 1)[1]
        assert httpx.get(sqlite_desk.base + "/api/v1/results", timeout=60,
                         headers={"authorization": f"Bearer {token}"}).status_code == expected


def test_tokens_of_programs_on_the_page(sqlite_desk: Desk) -> None:
    """Made (shown once), used, revoked by the administrator, whose name stands in the trail; the trail has no token."""
    boss = sqlite_desk.browser("boss")
    answer = boss.post("/administration/tokens", {"account": "bot", "role": "viewer", "days": "7"})
    (token,) = re.findall(r"<code>(fhad_[^<]+)</code>", answer.text)
    shown = {"authorization": f"Bearer {token}"}
    assert "<td>not</td>" in answer.text
    assert httpx.get(sqlite_desk.base + "/api/v1/runs", headers=shown).status_code == 200
    again = boss.get("/administration").text
    assert token not in again
    assert "<td>not</td>" not in again
    number = str(story.tokens(sqlite_desk.work)[0].id)
    assert boss.post(f"/administration/tokens/{number}").status_code == 303
    assert httpx.get(sqlite_desk.base + "/api/v1/runs", headers=shown).status_code == 401
    assert boss.post(f"/administration/tokens/{number}").status_code == 422
    assert boss.post("/administration/tokens", {"account": "dm", "role": "viewer", "days": "7"}).status_code == 422
    assert boss.post("/administration/tokens",
                     {"account": "bot", "role": "administrator", "days": "7"}).status_code == 422
    told = [(one.actor, one.action) for one in sqlite_desk.work.vault.audit_entries()][-3:]
    assert [one for one in told if one[1].startswith("token")] == [("boss", "token made"), ("boss", "token revoked")]
    assert token not in str(sqlite_desk.work.vault.audit_entries())


def test_a_long_trail_is_written_out_in_pieces(sqlite_desk: Desk) -> None:
    """100,000 entries: every one in the file, in order; a few megabytes of memory, whatever the length."""
    vault = sqlite_desk.work.vault
    with vault.database.writing() as transaction:
        append_audits(transaction, Signature(by="=cmd()", system_user="test", at=sqlite_desk.work.clock()),
                      [("noted", f"thing {number}", '"words"') for number in range(100_000)])
    last = vault.audit_page("", 9_000_000_000, 1)[0].seq
    sizes, first, final = list[int](), "", ""
    tracemalloc.start()
    for piece in whole.audit_file(sqlite_desk.work):
        sizes.append(piece.count("\n"))
        first, final = first or piece[:20], piece[-300:]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert sum(sizes) == last + 1
    assert final.strip().splitlines()[-1].startswith(f"{last},")
    assert "'=cmd()" in final
    assert max(sizes) <= 2_001
    assert peak < 12_000_000
    answer = sqlite_desk.browser("aud").get("/audit/file")
    assert (answer.headers["content-type"], answer.text.count("\n")) == ("text/csv; charset=utf-8", last + 1 + 1)


@pytest.mark.parametrize("headers", [
    {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"},
    {"origin": "http://127.0.0.1:1"},
])
def test_a_form_of_another_site_is_refused(sqlite_desk: Desk, headers: dict[str, str]) -> None:
    """Even with the cookie and the token."""
    browser = sqlite_desk.browser("dm")
    key = sqlite_desk.conflict("unit_implausible")
    before = len(sqlite_desk.work.vault.remarks(key))

    assert browser.post(f"/conflicts/{key}/remark", {"words": "forged"}, headers=headers).status_code == 403
    assert len(sqlite_desk.work.vault.remarks(key)) == before
    assert browser.post(f"/conflicts/{key}/remark", {"words": "mine"}).status_code == 303
    assert len(sqlite_desk.work.vault.remarks(key)) == before + 1


@pytest.mark.parametrize("token", ["", "x" * 32])
def test_a_form_without_the_sessions_token_is_refused(sqlite_desk: Desk, token: str) -> None:
    """The cookie alone changes nothing."""
    key = sqlite_desk.conflict("unit_implausible")
    answer = sqlite_desk.browser("dm").post(f"/conflicts/{key}/remark", {"words": "forged", "token": token})

    assert answer.status_code == 403
    assert sqlite_desk.work.vault.remarks(key) == []


def test_every_answer_carries_the_headers(sqlite_desk: Desk) -> None:
    """A strict policy without unsafe-*, on pages, errors and files alike."""
    browser = sqlite_desk.browser("dm")
    for path in ("/queue", "/nowhere", "/static/desk.js", "/conflicts/" + "0" * 32):
        answer = browser.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_cookies_are_host_bound_and_hidden_from_scripts(sqlite_desk: Desk) -> None:
    """`__Host-`, Secure, HttpOnly, SameSite; a new id at each sign-in."""
    browser = Browser(sqlite_desk)
    browser.get("/sign-in")
    answer = browser.sign_in("dm")
    said = [one for one in answer.headers.get_list("set-cookie") if one.startswith("__Host-desk=")]

    assert len(said) == 1
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= {part.strip() for part in said[0].split(";")}
    assert Browser(sqlite_desk, "dm").cookies["__Host-desk"] != browser.cookies["__Host-desk"]


def test_another_host_name_is_refused(sqlite_desk: Desk) -> None:
    """Against DNS rebinding: a page of an evil name that leads to loopback gets nothing."""
    assert httpx.get(sqlite_desk.base + "/sign-in", headers={"host": "evil.example"}).status_code == 421


def test_a_large_body_is_refused(sqlite_desk: Desk) -> None:
    """Stated or not: two megabytes are the most."""
    browser = sqlite_desk.browser("dm")
    key = sqlite_desk.conflict("unit_implausible")
    assert browser.post(f"/conflicts/{key}/remark", {"words": "x" * 3_000_000}).status_code == 413

    def pieces() -> "list[bytes]":
        return [b"token=x&words=", *([b"x" * 100_000] * 30)]

    answer = browser.send("POST", f"/conflicts/{key}/remark", content=iter(pieces()),
                          headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code >= 400
    assert sqlite_desk.work.vault.remarks(key) == []


def test_a_signed_out_session_is_dead(sqlite_desk: Desk) -> None:
    """Also for whoever kept the cookie."""
    browser = Browser(sqlite_desk, "dm")
    kept = dict(browser.cookies)
    assert browser.get("/queue").status_code == 200
    assert browser.post("/sign-out").status_code == 303
    browser.cookies = kept

    assert browser.get("/queue").status_code == 303


def test_five_wrong_passwords_lock_an_account(sqlite_desk: Desk) -> None:
    """The right one does not help then; the refusal says the same for a name that nobody has."""
    browser = Browser(sqlite_desk)
    answers = {browser.sign_in("view", f"wrong password {number}").status_code for number in range(5)}
    locked = browser.sign_in("view")
    nobody = browser.sign_in("nobody")

    assert answers == {403}
    assert locked.status_code == nobody.status_code == 403
    said = re.compile(r'role="alert">([^<]+)<')
    assert said.findall(locked.text) == said.findall(nobody.text) != []
    assert [one.action for one in sqlite_desk.work.vault.audit_entries()].count("sign-in refused") == 5


def test_one_address_may_not_try_for_ever(sqlite_desk: Desk) -> None:
    """Whatever the names: after twenty attempts an address waits."""
    browser = Browser(sqlite_desk)
    codes = [browser.sign_in(f"name{number}", "x").status_code for number in range(21)]

    assert codes[:20] == [403] * 20
    assert codes[20] == 429
