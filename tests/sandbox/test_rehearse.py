"""A study's rehearsal hospitals open together, with throw-away keys where the study's files say."""

import socket
import stat
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from fhir_adapter.core.concepts import Concepts
from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.study import Hospital, Protocol, Settings, Study
from fhir_adapter.core.units import Units
from fhir_adapter.sandbox import rehearse
from fhir_adapter.sandbox.auth import ASSERTION_TYPE
from fhir_adapter.sandbox.rehearse import persona_of
from tests.sandbox.build import get, hospital, patient

SYNC = Path(__file__).resolve().parents[2] / "sync"
SHIPPED = {path.stem: tomllib.loads(path.read_text()) for path in sorted((SYNC / "hospitals").glob("*.toml"))}


def study(folder: Path, **hospitals: dict[str, Any]) -> Study:
    """A study of these hospitals; without any, of the shipped ones."""
    read = {name: Hospital(id=name, **content) for name, content in (hospitals or SHIPPED).items()}
    return Study(folder=folder, settings=Settings(), hospitals=read, protocol=Protocol(), concepts=Concepts({}),
                 units=Units(()))  # fmt: skip


@pytest.fixture
def fixtures(tmp_path: Path) -> Path:
    """One patient at each shipped rehearsal hospital."""
    (tmp_path / "fixtures").mkdir()
    for name in ("west", "east", "south"):
        hospital(tmp_path / "fixtures" / name, [patient(name)])
    return tmp_path / "fixtures"


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_the_shipped_hospitals_open(tmp_path: Path, fixtures: Path) -> None:
    """West by a signed assertion, east by its token, south by its secret; the study that comes back asks them."""
    with rehearse(study(tmp_path), fixtures) as rehearsed:
        assert sorted(rehearsed.base_urls) == ["east", "south", "west"]
        moved = rehearsed.study.hospitals
        assert {name: moved[name].base_url for name in rehearsed.base_urls} == rehearsed.base_urls
        assert moved["desk"].base_url == ""
        keys = tmp_path / "data" / "sandbox"
        west, south = rehearsed.hospitals["west"], rehearsed.hospitals["south"]
        form = {"grant_type": "client_credentials", "scope": "system/*.read"}
        key = ECKey.import_key((keys / "west.pem").read_bytes())
        now = int(west.house.clock().timestamp())
        claims = {"iss": "fhir-adapter", "sub": "fhir-adapter", "aud": west.token_url, "exp": now + 60, "jti": "1"}
        assertion = jwt.encode({"alg": "ES384", "kid": key.thumbprint()}, claims, key, algorithms=["ES384"])
        signed = {**form, "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
        secret = (keys / "south.secret").read_text()
        tokens = {
            "west": httpx.post(west.token_url, data=signed).json()["access_token"],
            "east": (keys / "east.token").read_text(),
            "south": httpx.post(south.token_url, data=form, auth=("fhir-adapter", secret)).json()["access_token"],
        }
        for name, base_url in rehearsed.base_urls.items():
            assert get(f"{base_url}/Patient/{name}", **_bearer(tokens[name])).status_code == 200
        versions = [get(f"{rehearsed.base_urls[name]}/metadata").json()["fhirVersion"] for name in sorted(tokens)]
        assert versions == ["5.0.0", "3.0.2", "4.0.1"]


def test_keys_are_private_and_kept(tmp_path: Path, fixtures: Path) -> None:
    """0600 in a folder of 0700; a second rehearsal uses the same."""
    with rehearse(study(tmp_path), fixtures):
        pass
    keys = tmp_path / "data" / "sandbox"
    before = {path.name: path.read_bytes() for path in keys.iterdir()}
    modes = {stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()}
    with rehearse(study(tmp_path), fixtures):
        pass

    assert sorted(before) == ["east.token", "south.secret", "west.pem"]
    assert (modes, stat.S_IMODE(keys.stat().st_mode)) == ({0o600}, 0o700)
    assert {path.name: path.read_bytes() for path in keys.iterdir()} == before


def test_keys_lie_where_the_work_is(tmp_path: Path, fixtures: Path) -> None:
    """The demo works in the current folder, not in the kit."""
    with rehearse(study(tmp_path / "kit"), fixtures, work=tmp_path / "here"):
        pass

    assert (tmp_path / "here" / "data" / "sandbox" / "west.pem").is_file()
    assert not (tmp_path / "kit").exists()


def test_fixed_ports_are_those_of_the_study(tmp_path: Path, fixtures: Path) -> None:
    """A taken one is said with its hospital, and what was opened before is closed again."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    west = {"name": "West", "base_url": f"http://127.0.0.1:{port}/fhir"}
    with rehearse(study(tmp_path, west=west), fixtures, ports="fixed") as rehearsed:
        assert rehearsed.base_urls == {"west": f"http://127.0.0.1:{port}/fhir"}
        again = rehearse(study(tmp_path, west=west), fixtures, ports="fixed")
        with pytest.raises(UsageError, match=f"West: port {port} is taken"), again:
            pass


@pytest.mark.parametrize("reference", ["env:REAL_KEY", "file:/etc/real/key.pem", "file:data/real/key.pem", None])
def test_a_real_secret_is_never_touched(tmp_path: Path, fixtures: Path, reference: str | None) -> None:
    """Only a file in a folder named sandbox may be made or read."""
    auth = {"kind": "smart_backend", "client_id": "us", "private_key": reference}
    west = {"name": "West", "base_url": "http://127.0.0.1:1/fhir", "auth": auth}

    with pytest.raises(UsageError, match="throw-away"), rehearse(study(tmp_path, west=west), fixtures):
        pass
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("base_url", ["https://fhir.west.example/r4", "http://127.0.0.1.west.example/fhir"])
def test_a_real_hospital_is_never_played(tmp_path: Path, fixtures: Path, base_url: str) -> None:
    """Only what lives on loopback."""
    west = {"name": "West", "base_url": base_url}

    with pytest.raises(UsageError, match="no hospital"), rehearse(study(tmp_path, west=west), fixtures):
        pass


@pytest.mark.parametrize("kind", ["none", "basic"])
def test_other_kinds_of_auth(tmp_path: Path, fixtures: Path, kind: str) -> None:
    """An open hospital, and one with a name and a password."""
    auth = {"kind": kind, "username": "us", "password": "file:data/sandbox/west.password"}
    west = {"name": "West", "base_url": "http://127.0.0.1:1/fhir", "auth": auth}
    with rehearse(study(tmp_path, west=west), fixtures) as rehearsed:
        path = tmp_path / "data" / "sandbox" / "west.password"
        login = ("us", path.read_text()) if kind == "basic" else None
        assert httpx.get(f"{rehearsed.base_urls['west']}/Patient", auth=login).status_code == 200


# --- the files that ship -------------------------------------------------------------------------------------------


def test_the_shipped_files_say_what_the_program_reads() -> None:
    """Settings, four hospitals, and the sample that `init` copies: no unknown key, no plain secret."""
    settings = Settings(**tomllib.loads((SYNC / "settings.toml").read_text()))
    sample = Hospital(id="example", **tomllib.loads((SYNC / "hospitals" / "example.toml.sample").read_text()))
    shipped = {name: Hospital(id=name, **content) for name, content in SHIPPED.items()}

    assert sorted(settings.people) == ["adj1", "demo", "dm1", "inv1"]
    assert sorted(shipped) == ["desk", "east", "south", "west"]
    assert {one.fhir_version for one in shipped.values() if one.pull.mode == "search"} == {"R4", "R5", "STU3"}
    assert sample.base_url.startswith("https://")
    for one in (sample, *shipped.values()):
        secrets = (one.auth.private_key, one.auth.token, one.auth.client_secret, one.auth.password)
        assert all(secret.partition(":")[0] in ("file", "env") for secret in secrets if secret)


def test_the_sample_is_ten_lines() -> None:
    """What a new hospital needs; everything else is commented out."""
    lines = (SYNC / "hospitals" / "example.toml.sample").read_text().splitlines()

    assert len([line for line in lines if line and not line.startswith("#")]) <= 10


def test_a_persona_by_its_name() -> None:
    """With quirks on top; an unknown name is said with those there are."""
    assert persona_of("epic", ("Q7",)).paging.lifetime == 60.0
    with pytest.raises(UsageError, match="there are plain, hapi, epic"):
        persona_of("nobody")
    with pytest.raises(UsageError, match="no such quirk"):
        persona_of("plain", ("Q99",))


def test_a_hospital_asked_in_bulk_is_rehearsed_too(tmp_path: Path, fixtures: Path) -> None:
    """With the persona's habits."""
    west = {"name": "West", "base_url": "http://127.0.0.1:1/fhir", "pull": {"mode": "bulk"}}
    with rehearse(study(tmp_path, west=west), fixtures, persona=persona_of("hapi")) as rehearsed:
        assert rehearsed.hospitals["west"].persona.name == "hapi"
