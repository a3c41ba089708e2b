"""Programs at the JSON interface: tokens, what each may, and whether every answer is what the OpenAPI document says."""

import hashlib
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from fhir_adapter import desk as story
from fhir_adapter.core.desk import BY_TOKEN, GRANTS, Right, Role
from fhir_adapter.core.errors import UsageError
from fhir_adapter.web import guard
from fhir_adapter.web.rights import API, ROUTES
from tests.web.conftest import Desk

PROGRAM_ROUTES = {route: right for route, right in ROUTES.items() if route[1].startswith(API)}


def _token(desk: Desk, role: Role = Role.REVIEWER, days: int = 30) -> str:
    return story.add_token(desk.work, "bot", role, days)[1]


def _asked(desk: Desk, token: str, method: str, path: str, **more: Any) -> httpx.Response:
    return httpx.request(method, desk.base + path, headers={"authorization": f"Bearer {token}"}, timeout=60, **more)


def test_each_token_meets_exactly_its_rights(sqlite_desk: Desk) -> None:
    """Every JSON route, every role that a token can have: 403 without the right; 401 without a token or by a cookie."""
    wrong = list[tuple[str, str, str, int]]()
    tokens = {role: _token(sqlite_desk, role) for role in BY_TOKEN}
    for (method, path), right in PROGRAM_ROUTES.items():
        if right is Right.ANYONE:
            continue
        filled = re.sub(r"{(\w+)}", lambda found: {"key": "0" * 32, "number": "999999"}[found.group(1)], path)
        for role, token in tokens.items():
            answer = _asked(sqlite_desk, token, method, filled)
            if (answer.status_code == 403) != (right not in GRANTS[role] and right is not Right.SIGNED_IN):
                wrong.append((method, path, role, answer.status_code))
        expected = 200 if right is Right.SIGNED_IN else 401
        if sqlite_desk.browser("dm").send(method, filled).status_code != expected:
            wrong.append((method, path, "a session's cookie", expected))
        if httpx.request(method, sqlite_desk.base + filled).status_code != 401:
            wrong.append((method, path, "nobody", 401))

    assert wrong == []
    assert len(PROGRAM_ROUTES) == 8


def test_a_token_is_shown_once_and_kept_as_a_hash(sqlite_desk: Desk) -> None:
    """It acts as its account in its own role until it ends, is revoked, or the account is closed."""
    work, runs = sqlite_desk.work, "/api/v1/runs"
    number, token = story.add_token(work, "bot", Role.SERVICE, 30)
    with work.vault.database.reading() as transaction:
        kept = transaction.rows("SELECT * FROM bearer")
    assert token not in repr(kept) + repr(work.vault.audit_entries())
    assert hashlib.sha256(token.encode()).hexdigest() in repr(kept)
    assert _asked(sqlite_desk, token, "GET", runs).status_code == 200
    assert _asked(sqlite_desk, token[:-1], "GET", runs).status_code == 401
    then = work.clock() + timedelta(days=30)
    assert work.vault.bearer_of(hashlib.sha256(token.encode()).hexdigest(), then) is None

    story.revoke_token(work, number)
    assert _asked(sqlite_desk, token, "GET", runs).status_code == 401
    other = _token(sqlite_desk)
    assert _asked(sqlite_desk, other, "GET", runs).status_code == 200
    story.change_user(work, "bot", {"state": "disabled"})
    assert _asked(sqlite_desk, other, "GET", runs).status_code == 401
    assert [one.action for one in work.vault.audit_entries()].count("token made") == 2


def test_only_service_accounts_have_tokens_and_none_a_persons_judgement(sqlite_desk: Desk) -> None:
    """Neither a person's account nor an investigator's, adjudicator's or administrator's role."""
    for name, role, days in (("dm", Role.REVIEWER, 30), ("bot", Role.INVESTIGATOR, 30), ("bot", Role.ADJUDICATOR, 30),
                             ("bot", Role.ADMINISTRATOR, 30), ("nobody", Role.SERVICE, 30), ("bot", Role.SERVICE, 400)):
        with pytest.raises(UsageError):
            story.add_token(sqlite_desk.work, name, role, days)


def test_a_program_reads_decides_and_takes_back(desk: Desk) -> None:
    """The trail names the token's account; who comes late gets 409, who may not 403, what is missing 422."""
    token, key = _token(desk), desk.conflict("unit_implausible")
    page = _asked(desk, token, "GET", "/api/v1/conflicts?kind=unit_implausible&size=1").json()
    assert (page["total"], len(page["conflicts"])) == (2, 1)
    rest = _asked(desk, token, "GET", f"/api/v1/conflicts?kind=unit_implausible&after={page['after']}").json()
    assert {page["conflicts"][0]["key"]} | {one["key"] for one in rest["conflicts"]} >= {key}
    assert rest["after"] is None
    shown = _asked(desk, token, "GET", f"/api/v1/conflicts/{key}").json()
    wish = {"choice": "confirm", "reason": "as the rule of the import says", "seen": shown["conflict"]["seen"],
            "fingerprint": shown["fingerprint"]}
    made = _asked(desk, token, "POST", f"/api/v1/conflicts/{key}/decisions", json=wish)
    assert (made.status_code, made.json()["proposal"]) == (201, None)
    (number,) = made.json()["decisions"]

    assert _asked(desk, token, "POST", f"/api/v1/conflicts/{key}/decisions", json=wish).status_code == 409
    other = desk.conflict("grades_disagree")
    assert _asked(desk, token, "POST", f"/api/v1/conflicts/{other}/decisions", json=wish).status_code == 403
    assert _asked(desk, token, "POST", f"/api/v1/conflicts/{key}/decisions", json={**wish, "x": 1}).status_code == 422
    assert _asked(desk, token, "GET", f"/api/v1/conflicts/{key}").json()["conflict"]["state"] == "closed"
    undone = _asked(desk, token, "POST", f"/api/v1/decisions/{number}/undo", json={"reason": "a mistake"})
    assert undone.status_code == 201
    assert [one.actor for one in desk.work.vault.audit_entries() if one.action == "decide"] == ["bot", "bot"]
    assert desk.work.vault.verify_audit() == []


def test_a_program_of_one_hospital_sees_that_hospital(sqlite_desk: Desk) -> None:
    """Conflicts of others are not there for it."""
    sqlite_desk.work.vault.change_account("bot", {"hospitals": '["east"]'}, sqlite_desk.work.signed("dm1"))
    token, key = _token(sqlite_desk), sqlite_desk.conflict("unit_implausible")
    found = _asked(sqlite_desk, token, "GET", "/api/v1/conflicts?state=all&size=200").json()["conflicts"]

    assert found
    assert all("east" in one["hospitals"] for one in found)
    assert _asked(sqlite_desk, token, "GET", f"/api/v1/conflicts/{key}").status_code == 404


def test_wrong_tokens_from_one_address_end(sqlite_desk: Desk) -> None:
    """After twenty in five minutes; a right one works all the while."""
    token = _token(sqlite_desk)
    codes = [_asked(sqlite_desk, f"fhad_{number}", "GET", "/api/v1/runs").status_code for number in range(21)]

    assert codes == [401] * 20 + [429]
    assert _asked(sqlite_desk, token, "GET", "/api/v1/runs").status_code == 200


def test_the_document_describes_the_json_routes_alone(sqlite_desk: Desk) -> None:
    """No page is in it; the strict policy is; it is not for strangers."""
    answer = sqlite_desk.browser("dm").get("/api/v1/openapi.json")
    described = {(method.upper(), path) for path, methods in answer.json()["paths"].items() for method in methods}

    assert described == set(PROGRAM_ROUTES) - {("GET", "/api/v1/openapi.json")}
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
def test_every_answer_is_what_the_document_says(sqlite_desk: Desk, mode: GenerationMode,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    """schemathesis makes requests from the document, fitting and not: status, type and shape are those described."""
    monkeypatch.setattr(guard, "ATTEMPTS", 1_000_000)  # it tries wrong tokens by the hundred
    token = _token(sqlite_desk)
    described = _asked(sqlite_desk, token, "GET", "/api/v1/openapi.json").json()
    real = sqlite_desk.conflict("unit_implausible")
    schema, asked = schemathesis.openapi.from_dict(described), dict[str, int]()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        keys = {"key": real} if mode is GenerationMode.POSITIVE and "{key}" in operation.path else None

        @settings(max_examples=25, deadline=None, derandomize=True, database=None, phases=(Phase.generate,),
                  suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode, path_parameters=keys))
        def ask(case: Any) -> None:
            answer = case.call_and_validate(
                base_url=sqlite_desk.base, headers={"Authorization": f"Bearer {token}"},
                excluded_checks=[positive_data_acceptance])  # what fits is for the conflict to say
            asked[case.operation.label] = asked.get(case.operation.label, 0) + 1
            assert answer.status_code != 500

        if mode is GenerationMode.POSITIVE or operation.path not in ("/api/v1/health", "/api/v1/runs"):  # take nothing
            ask()

    assert sqlite_desk.work.vault.verify_audit() == []
    assert len(asked) == (7 if mode is GenerationMode.POSITIVE else 5)
