"""mTLS and a private authority with every kind of [auth], against a TLS server with a throw-away authority."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from fhir_adapter.core.errors import HospitalUnavailable
from fhir_adapter.core.study import Auth, Hospital, Pull, Tls
from fhir_adapter.wire.connection import connect
from tests.wire.hospital import capability


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(key: Any) -> bytes:
    plain = serialization.NoEncryption()
    return bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))


class Authority:
    """A throw-away certificate authority; what it signs lies in a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self._write(name, self._sign(name, self.key.public_key(), is_authority=True), None)

    def _sign(self, name: str, public: Any, *, is_authority: bool = False) -> bytes:
        now = datetime.now(UTC)
        key_id = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        built = (
            x509.CertificateBuilder().subject_name(_name(name)).issuer_name(_name(self.name)).public_key(public)
            .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        )
        return built.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str) -> None:
        """A certificate and its key: `name.pem` and `name.key`."""
        key = ec.generate_private_key(ec.SECP256R1())
        self._write(name, self._sign(name, key.public_key()), _pem(key))

    def _write(self, name: str, certificate: bytes, key: bytes | None) -> None:
        (self.folder / f"{name}.pem").write_bytes(certificate)
        if key is not None:
            (self.folder / f"{name}.key").write_bytes(key)
            (self.folder / f"{name}.key").chmod(0o600)


class Door(ThreadingHTTPServer):
    """A TLS server that wants a certificate, answers /metadata and gives tokens; it keeps what it was shown."""

    shown: list[dict[str, str]]
    forms: list[str]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A refused handshake is what some tests want."""


class _Handler(BaseHTTPRequestHandler):
    server: Door

    def _reply(self, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        self.server.shown.append({name.lower(): value for name, value in self.headers.items()})
        self._reply(capability())

    def do_POST(self) -> None:
        self.server.forms.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self._reply({"access_token": "fresh", "token_type": "bearer", "expires_in": 300, "scope": "system/Patient.rs"})

    def log_message(self, *words: Any) -> None:
        """Says nothing."""


@contextmanager
def _door(folder: Path) -> Iterator[Door]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.load_verify_locations(folder / "authority.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    door = Door(("127.0.0.1", 0), _Handler)
    door.shown, door.forms = [], []
    door.socket = context.wrap_socket(door.socket, server_side=True)
    thread = threading.Thread(target=door.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield door
    finally:
        door.shutdown()
        door.server_close()
        thread.join(5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of one authority, a stranger's, and the secrets of every kind of [auth]."""
    made = tmp_path_factory.mktemp("keys")
    authority = Authority(made)
    authority.issue("server")
    authority.issue("client")
    Authority(made, "stranger").issue("other")
    secrets = {"secret": b"s3cret", "ec.pem": ECKey.generate_key("P-384").as_pem(private=True),
               "rsa.pem": RSAKey.generate_key(2048).as_pem(private=True)}
    for name, value in secrets.items():
        (made / name).write_bytes(value)
        (made / name).chmod(0o600)
    return made


def _auth(kind: str, tls: Tls, token_url: str) -> Auth:
    own: dict[str, Any] = {
        "none": {}, "basic": {"username": "us", "password": "file:secret"}, "bearer": {"token": "file:secret"},
        "client_secret": {"client_id": "us", "client_secret": "file:secret", "token_url": token_url},
        "ES384": {"client_id": "us", "private_key": "file:ec.pem", "token_url": token_url},
        "RS384": {"client_id": "us", "private_key": "file:rsa.pem", "algorithm": "RS384", "token_url": token_url},
    }[kind]
    return Auth(kind="smart_backend" if kind in ("ES384", "RS384") else kind, tls=tls,  # type: ignore[arg-type]
                headers={"Epic-Client-ID": "file:secret", "X-Site": "west"}, **own)


OURS = Tls(certificate="client.pem", key="client.key", authority="authority.pem")


def _connect(folder: Path, door: Door, kind: str, tls: Tls) -> None:
    base = f"https://127.0.0.1:{door.server_address[1]}/r4"
    hospital = Hospital(id="west", name="West hospital", base_url=base, auth=_auth(kind, tls, f"{base}/token"),
                        pull=Pull(rate="1000/s", timeout=timedelta(seconds=2)))
    with connect(hospital, folder=folder, clock=lambda: datetime.now(UTC), sleep=lambda seconds: None,
                 random=Random(7)):
        pass


@pytest.mark.parametrize(("kind", "header"), [
    ("none", None), ("basic", "Basic dXM6czNjcmV0"), ("bearer", "Bearer s3cret"), ("client_secret", "Bearer fresh"),
    ("ES384", "Bearer fresh"), ("RS384", "Bearer fresh"),
])
def test_mtls_and_a_private_authority_go_with_every_auth(folder: Path, kind: str, header: str | None) -> None:
    """Our certificate is shown, the server's is checked against the private authority; extra headers go along."""
    with _door(folder) as door:
        _connect(folder, door, kind, OURS)

    assert door.shown[-1].get("authorization") == header
    assert (door.shown[-1]["epic-client-id"], door.shown[-1]["x-site"]) == ("s3cret", "west")


@pytest.mark.parametrize(("kind", "pem"), [("ES384", "ec.pem"), ("RS384", "rsa.pem")])
def test_assertions_are_signed_and_short(folder: Path, kind: str, pem: str) -> None:
    """SMART Backend Services: signed with our key, for this token address, at most five minutes, a fresh id each."""
    with _door(folder) as door:
        _connect(folder, door, kind, OURS)
        _connect(folder, door, kind, OURS)
        forms = [dict(part.split("=", 1) for part in form.split("&")) for form in door.forms]
    key: Any = (ECKey if kind == "ES384" else RSAKey).import_key((folder / pem).read_bytes())
    claims = [jwt.decode(form["client_assertion"], key, algorithms=[kind]).claims for form in forms]

    assert all(claim["exp"] - claim["iat"] <= 300 for claim in claims)
    assert all(claim["aud"].endswith("/r4/token") for claim in claims)
    assert len(claims) == 2


@pytest.mark.parametrize("tls", [
    Tls(), Tls(certificate="client.pem", key="client.key"), Tls(authority="authority.pem"),
    Tls(certificate="other.pem", key="other.key", authority="authority.pem"),
    Tls(certificate="client.pem", key="client.key", authority="stranger.pem"),
], ids=["nothing", "unknown authority", "no certificate", "another's certificate", "wrong authority"])
def test_without_the_right_papers_nothing_is_said(folder: Path, tls: Tls) -> None:
    """A server that we cannot check gets no request; one that does not know us gives none of its answers."""
    with _door(folder) as door, pytest.raises(HospitalUnavailable):
        _connect(folder, door, "bearer", tls)

    assert door.shown == []
