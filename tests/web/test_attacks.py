"""An attacker with an account, or none: odd addresses and forms end in a refusal in words, never in a fault."""

import json
import socket
from urllib.parse import urlencode, urlsplit

import pytest

from fhir_adapter.web import rights
from tests.web.conftest import Browser, Desk
from tests.web.test_rights import _path

ODD = ("%00", "%FF%FE", "%C2%B2", "--5.abc", "9" * 5000, "..%2F..%2Fetc%2Fpasswd", "%0d%0aset-cookie:%20a=b",
       "%3Cscript%3Ealert(1)%3C/script%3E", "https://evil.example/")
"""NUL, no UTF-8, a superscript two (a digit that is no number), a number of 5,000 digits, and the usual ones."""
NAMES = ("search", "after", "run", "days", "seen", "choice", "cut", "before", "domain", "form", "name", "done",
         "state", "subject", "keys", "code")


@pytest.mark.hard
def test_odd_addresses_are_refused_in_words(sqlite_desk: Desk) -> None:
    """Every GET route with every odd text in every place and field: no fault, no header, no redirect elsewhere."""
    browser, boss = sqlite_desk.browser("dm"), sqlite_desk.browser("boss")
    wrong = []
    for method, path in rights.ROUTES:
        if method != "GET" or path.startswith(rights.API) or path.startswith("/sign-in"):
            continue
        for odd in ODD:
            query = "&".join(f"{name}={odd[:400]}" for name in NAMES)
            asked = [f"{_path(path)}?{query}"] if len(odd) < 400 else [f"{_path(path)}?seen={odd}&choice=confirm"]
            if "{" in path and len(odd) < 400:
                asked.append(path.partition("{")[0] + odd)
            for address in asked:
                answer = (boss if path in ("/audit", "/audit/file", "/administration") else browser).get(address)
                there = urlsplit(answer.headers.get("location", ""))
                if answer.status_code >= 500 or there.netloc or "<script>alert" in answer.text \
                        or "a=b" in answer.headers.get("set-cookie", "") or "root:" in answer.text:
                    wrong.append((answer.status_code, address[:80]))
    assert wrong == []


FORMS = {"/queue/views": {"name": "x", "address": "/queue?x"}, "/queue/assign": {"keys": "0" * 32, "assignee": "x"},
         "/conflicts/{key}/decide": {"choice": "confirm", "reason": "x", "seen": "0", "value": "x", "source": "x"},
         "/conflicts/{key}/remark": {"words": "x"}, "/conflicts/{key}/query": {"hospital": "west", "question": "x"},
         "/queue/bulk": {"mark": "x", "choice": "confirm", "reason": "x"}}


@pytest.mark.parametrize("odd", ["\x00", "\u00b2", "9" * 5000, "\r\nset-cookie: a=b", "=1+1", "\ud800"])
def test_odd_forms_are_refused_in_words(desk: Desk, odd: str) -> None:
    """Each field of the forms in turn."""
    browser, key, wrong = desk.browser("dm"), desk.conflict("unit_implausible"), []
    for path, fields in FORMS.items():
        for name in fields:
            sent = urlencode({"token": browser.token, **fields, name: odd.encode("utf-8", "surrogatepass")})
            answer = browser.send("POST", path.replace("{key}", key), content=sent, headers={
                "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"})
            if answer.status_code >= 500 or "a=b" in answer.headers.get("set-cookie", ""):
                wrong.append((answer.status_code, path, name))
    assert wrong == []


def test_a_view_leads_nowhere_else(sqlite_desk: Desk) -> None:
    """No open redirect by the address of a saved view."""
    browser = sqlite_desk.browser("dm")
    for address in ("https://evil.example/", "//evil.example", "/queue?\r\nlocation: //evil", "/queue@evil.example"):
        there = browser.post("/queue/views", {"name": "x", "address": address}).headers.get("location", "/queue")
        assert there.startswith("/queue")
        assert urlsplit(there).netloc == ""
        assert "\n" not in there


@pytest.mark.parametrize("cookie", ["x", "\xff", "a" * 7000, "%00", "' OR 1=1 --"])
def test_a_forged_cookie_is_nobody(sqlite_desk: Desk, cookie: str) -> None:
    """It leads to the sign-in form, also with the token of somebody else's session."""
    stranger = Browser(sqlite_desk)
    stranger.cookies = {"__Host-desk": cookie}
    answer = stranger.send("GET", "/queue", headers={"cookie": f"__Host-desk={cookie}".encode("latin-1")})
    assert answer.status_code in (303, 400)
    stranger.token = sqlite_desk.browser("dm").token
    raw = {"cookie": f"__Host-desk={cookie}".encode("latin-1")}
    assert stranger.send("POST", "/sign-out", data={"token": stranger.token}, headers=raw).status_code in (400, 403)


@pytest.mark.parametrize("length", ["-1", "\xb2", "1, 1", "9" * 30])
def test_a_length_that_is_none_is_refused(sqlite_desk: Desk, length: str) -> None:
    """The server answers 4xx, and goes on serving."""
    where = urlsplit(sqlite_desk.base)
    with socket.create_connection((where.hostname, where.port), timeout=5) as line:
        line.sendall(f"POST /sign-in HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {length}\r\n\r\n"
                     .encode("latin-1"))
        assert line.recv(20).split()[1].startswith(b"4")
    assert json.loads(Browser(sqlite_desk).get("/api/v1/health").text)["status"] == "ok"
