"""The running server: loopback only, a log of what it was asked, and nothing left behind."""

import importlib
import socket
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_adapter.sandbox import Bearer, Rehearsal, Stage, UnexpectedRequests, serve
from tests.sandbox.build import Clock, get, hospital, observation, patient


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("rehearsal")]


def test_it_listens_on_loopback_only_and_stops(tmp_path: Path) -> None:
    """The port is closed and the thread gone after the block, also with a client still connected."""
    before = _threads()  # other tests of this process may keep rehearsal hospitals open
    with httpx.Client() as client:
        with serve(hospital(tmp_path / "west", [patient()]), strict=True) as running:
            assert running.base_url == f"http://127.0.0.1:{running.port}/fhir"
            assert client.get(running.base_url + "/Patient").status_code == 200
            assert len(_threads()) == len(before) + 1
        assert _threads() == before
        with pytest.raises(httpx.TransportError):
            client.get(running.base_url + "/Patient")


def test_a_taken_port_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    """The caller learns it from an OSError."""
    before = _threads()
    folder = hospital(tmp_path / "west", [patient()])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"), serve(folder, stage=Stage(port=taken.getsockname()[1])):
            pass
    assert _threads() == before


def test_requests_are_logged_without_credentials(tmp_path: Path) -> None:
    """Method, path, query and headers; of the credentials only that they were there."""
    folder = hospital(tmp_path / "west", [patient()])
    with serve(folder, auth=Bearer("s3cret"), strict=True) as running:
        get(f"{running.base_url}/Patient?_id=p1&_id=p2", Authorization="Bearer s3cret", Accept="application/fhir+json")

    (seen,) = running.requests
    assert (seen.method, seen.path, seen.values("_id"), seen.status) == ("GET", "/fhir/Patient", ["p1", "p2"], 200)
    assert seen.authorized
    assert seen.headers["accept"] == "application/fhir+json"
    assert "s3cret" not in repr(running.requests)


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    [
        ("GET", "/fhir/Patient?name=x", "unknown parameter of Patient: name"),
        ("GET", "/fhir/Patient?_has:Observation:patient:code=x", "unknown parameter"),
        ("GET", "/fhir/Patient/p1?_summary=true", "unknown parameter of read"),
        ("GET", "/fhir/Patient/_history?_at=2026", "unknown parameter of history"),
        ("GET", "/fhir/Observation?_lastUpdated=soon", "a date has the wrong form"),
        ("GET", "/fhir/Spaceship", "no type"),
        ("GET", "/fhir/Patient/p1/$everything", "nothing is at"),
        ("GET", "/fhir", "nothing is at"),
        ("GET", "/other", "nothing is at"),
        ("POST", "/fhir/Patient/_search", "POST is not offered"),
        ("DELETE", "/fhir/Patient/p1", "DELETE is not offered"),
    ],
)
def test_what_nobody_should_ask_fails_a_strict_block(tmp_path: Path, method: str, path: str, reason: str) -> None:
    """It is answered with an error at once and raised at the end of the block."""
    statuses = []

    def ask() -> None:
        with serve(hospital(tmp_path / "west", [patient()]), strict=True) as running:
            statuses.append(httpx.request(method, running.base_url.removesuffix("/fhir") + path).status_code)

    with pytest.raises(UnexpectedRequests, match=reason):
        ask()
    assert statuses[0] >= 400


def test_an_error_inside_a_strict_block_is_not_hidden(tmp_path: Path) -> None:
    """What the test itself found goes first."""

    def ask() -> None:
        with serve(hospital(tmp_path / "west", []), strict=True) as running:
            get(f"{running.base_url}/Spaceship")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask()


def test_a_lenient_block_only_takes_notes(tmp_path: Path) -> None:
    """As a hospital would."""
    with serve(hospital(tmp_path / "west", [patient()])) as running:
        assert get(f"{running.base_url}/Patient?name=x").status_code == 200

    assert [seen.unexpected for seen in running.unexpected] == ["unknown parameter of Patient: name"]


def test_the_clock_is_the_callers(tmp_path: Path) -> None:
    """The Date header and new versions tell the caller's time."""
    with serve(hospital(tmp_path / "west", [patient()]), stage=Stage(clock=Clock())) as running:
        answer = get(f"{running.base_url}/metadata")
        edited = running.edit(patient("p2"))

    assert answer.headers["date"] == "Wed, 01 Jul 2026 12:00:00 GMT"
    assert edited.data["meta"] == {"versionId": "1", "lastUpdated": "2026-07-01T12:00:00.000Z"}


def test_many_callers_at_once(tmp_path: Path) -> None:
    """Questions and edits from several threads keep every record whole."""
    folder = hospital(tmp_path / "west", [patient(), *(observation(f"o{number}") for number in range(50))])

    def ask(running: Rehearsal) -> None:
        with httpx.Client() as client:
            for number in range(20):
                assert client.get(f"{running.base_url}/Observation?_count=100").json()["total"] == 50
                running.edit(observation(f"o{number}"))

    with serve(folder, strict=True) as running:
        workers = [threading.Thread(target=ask, args=(running,)) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert len(running.requests) == 80
        assert running.record("Observation", "o0")["meta"]["versionId"] == "5"


# --- what it says of itself ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "number"), [("STU3", "3.0.2"), ("R4", "4.0.1"), ("R4B", "4.3.0"), ("R5", "5.0.0")])
def test_the_capability_statement_is_valid_in_its_version(tmp_path: Path, version: Any, number: str) -> None:
    """fhir.resources' model of the version takes it; bundles of both kinds too."""
    package = {"STU3": "fhir.resources.STU3", "R5": "fhir.resources"}.get(version, "fhir.resources.R4B")
    models = {
        name: getattr(importlib.import_module(f"{package}.{name.lower()}"), name)
        for name in ("CapabilityStatement", "Bundle")
    }
    folder = hospital(tmp_path / "any", [patient("p1"), patient("p2")])
    with serve(folder, fhir_version=version) as running:
        running.delete("Patient", "p2")
        answers = [get(f"{running.base_url}/{path}").text for path in ("metadata", "Patient?x=1", "Patient/_history")]

    statement, searchset, history = (
        models["CapabilityStatement" if index == 0 else "Bundle"].model_validate_json(text)
        for index, text in enumerate(answers)
    )
    assert statement.fhirVersion == number
    assert (searchset.type, history.type) == ("searchset", "history")


def test_the_capability_statement_lists_what_is_implemented(tmp_path: Path) -> None:
    """Each listed parameter is accepted by a strict server, and AdverseEvent has no `patient` in R4."""
    example = {"token": "x", "reference": "x", "date": "2026"}
    with serve(hospital(tmp_path / "west", []), strict=True) as running:
        statement = get(f"{running.base_url}/metadata").json()
        types = {one["type"]: {p["name"]: p["type"] for p in one["searchParam"]}
                 for one in statement["rest"][0]["resource"]}  # fmt: skip
        for type_, parameters in types.items():
            for name, kind in parameters.items():
                assert get(f"{running.base_url}/{type_}?{name}={example[kind]}").status_code == 200

    assert "patient" not in types["AdverseEvent"]
    assert {"_id", "_lastUpdated", "patient", "subject"} <= types["Observation"].keys()
    assert "security" not in statement["rest"][0]
