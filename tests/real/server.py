"""A server by other hands (sekmet-fhir, R4) on loopback, its loader, and its editor.

`start(folder, door)` runs it in a process of its own with a database in `folder`; `REAL_SERVER_BIN` names the folder
of its command (`make test-real` installs it). The adapter under test comes through the door that `auth` describes;
the loader has a bearer token of its own, so that nothing it does depends on what is tested.
"""

import csv
import json
import os
import secrets
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
from joserfc.jwk import ECKey

from fhir_adapter.core.study import Auth

Door = Literal["open", "smart"]
Record = tuple[str, str]
"""Type and id."""

FHIR_JSON = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
CLIENT = "adapter"
SCOPE = "system/*.rs"
TOKEN_SECONDS = 3
_START = 60.0
_WORKERS = 4


class RealServerMissing(Exception):
    """The server's program is not installed."""


class RealServerRefused(AssertionError):
    """The server did not take what it should take."""


@dataclass(frozen=True)
class Write:
    """One PUT (with a body) or DELETE (without)."""

    type: str
    id: str
    body: bytes | None


@dataclass
class RealServer:
    """A running server: `base_url` and `auth` for the adapter, `load`, `apply` and `ids` for the test."""

    base_url: str
    auth: Auth
    key: ECKey
    client: httpx.Client = field(repr=False)
    log: Path

    @property
    def token_url(self) -> str:
        """Where tokens are had."""
        return str(self.client.get(f"{self.base_url}/.well-known/smart-configuration").json()["token_endpoint"])

    def load(self, folder: Path, leave_out: Iterable[Record] = (), *, history: bool = True) -> Counter[str]:
        """Writes a hospital's NDJSON by PUT, what is referred to first; older versions before newer, deletions last.

        Returns the number of live records by type. With `history=False` only the current versions.

        Raises:
            RealServerRefused: a record was not taken; the text says which and why.
        """
        without = set(leave_out)
        chains = {one: writes for one, writes in read_hospital(folder, history).items() if one not in without}
        for level in levels({one: writes[-1].body or writes[0].body or b"{}" for one, writes in chains.items()}):
            with ThreadPoolExecutor(_WORKERS) as workers:
                list(workers.map(self._put_all, (chains[one] for one in level)))
        gone = [writes[-1] for writes in chains.values() if writes[-1].body is None]
        for write in gone:
            self.write(write)
        return Counter(type_ for (type_, _), writes in chains.items() if writes[-1].body is not None)

    def apply(self, edits: Path | Iterable[Mapping[str, Any]]) -> int:
        """Applies edits in their order: `{"method": "PUT" | "DELETE", "type", "id", "resource"?}`; returns how many."""
        listed = json.loads(edits.read_text(encoding="utf-8")) if isinstance(edits, Path) else list(edits)
        for edit in listed:
            body = json.dumps(edit["resource"]).encode() if edit["method"] == "PUT" else None
            self.write(Write(edit["type"], edit["id"], body))
        return len(listed)

    def write(self, write: Write) -> None:
        """One PUT or DELETE that must succeed."""
        address = f"{self.base_url}/{write.type}/{write.id}"
        method = "DELETE" if write.body is None else "PUT"
        answer = self.client.request(method, address, content=write.body)
        if answer.status_code >= 300:
            raise RealServerRefused(f"{write.type}/{write.id}: {answer.status_code} {answer.text[:500]}")

    def ids(self, type_: str) -> set[str]:
        """The ids of all live records of a type; sorted by id, so that pages do not drift."""
        found: set[str] = set()
        for page in self.pages(f"{type_}?_sort=_id&_count=500"):
            found |= {entry["resource"]["id"] for entry in page.get("entry", ())}
        return found

    def pages(self, question: str) -> Iterator[dict[str, Any]]:
        """Every page of an answer, by the next links as they come."""
        address: str | None = f"{self.base_url}/{question}"
        while address is not None:
            answer = self.client.get(address)
            answer.raise_for_status()
            page: dict[str, Any] = answer.json()
            yield page
            address = next((str(one["url"]) for one in page.get("link", ()) if one["relation"] == "next"), None)

    def _put_all(self, writes: list[Write]) -> None:
        for write in writes:
            if write.body is not None:
                self.write(write)


# --- fixtures as writes --------------------------------------------------------------------------------------------


def read_hospital(folder: Path, history: bool = True) -> dict[Record, list[Write]]:
    """Every record of a hospital's folder with its versions, oldest first."""
    dated: dict[Record, list[tuple[str, int, Write]]] = {}
    for path in sorted(folder.glob("*.ndjson")):
        for line in path.read_bytes().splitlines():
            if path.name != "history.ndjson":
                data = json.loads(line)
                meta = data.get("meta", {})
                version = Write(data["resourceType"], data["id"], line)
            elif history:
                meta = json.loads(line)
                body = None if meta.get("deleted") else json.dumps(meta["resource"]).encode()
                version = Write(meta["type"], meta["id"], body)
            else:
                continue
            number = str(meta.get("versionId", "1"))
            order = (int(number) if number.isdigit() else 0, version)
            dated.setdefault((version.type, version.id), []).append((meta.get("lastUpdated", ""), *order))
    return {one: [write for *_, write in sorted(rows, key=lambda row: row[:2])] for one, rows in dated.items()}


def levels(records: Mapping[Record, bytes]) -> list[list[Record]]:
    """Records in layers: whatever a record refers to stands in an earlier layer (circles are cut)."""
    wanted = {one: {other for other in _references(json.loads(body)) if other in records and other != one}
              for one, body in records.items()}  # fmt: skip
    depth: dict[Record, int] = {}

    def depth_of(one: Record, above: frozenset[Record]) -> int:
        if one not in depth:
            below = [depth_of(other, above | {one}) for other in wanted[one] if other not in above]
            depth[one] = 1 + max(below, default=-1)
        return depth[one]

    layered: dict[int, list[Record]] = {}
    for one in records:
        layered.setdefault(depth_of(one, frozenset()), []).append(one)
    return [layered[number] for number in sorted(layered)]


def _references(value: Any) -> Iterator[Record]:
    if isinstance(value, dict):
        reference = value.get("reference")
        if isinstance(reference, str) and reference.count("/") == 1:
            type_, id_ = reference.split("/")
            yield type_, id_
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def invalid_records(table: Path, hospital: str, *, only_refused: bool = False) -> set[Record]:
    """The planted defects of fixtures/invalid.csv (hospital, type, id, valid_fhir, what) at one hospital.

    `only_refused`: without those that are valid FHIR all the same (`valid_fhir` yes), which a server takes.
    """
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["hospital"] == hospital]
    return {(row["type"], row["id"]) for row in rows if not (only_refused and row["valid_fhir"] == "yes")}


# --- the process ---------------------------------------------------------------------------------------------------


def program() -> Path:
    """The server's command.

    Raises:
        RealServerMissing: it is not installed; `make test-real` does it.
    """
    path = Path(os.environ.get("REAL_SERVER_BIN", ".venv-real/bin")) / "sekmet"
    if not path.is_file():
        raise RealServerMissing("sekmet-fhir is not installed: `make test-real` installs it (REAL_SERVER_BIN names it)")
    return path


@contextmanager
def start(folder: Path, door: Door = "open") -> Iterator[RealServer]:
    """A fresh, empty server with its database in `folder`, until the block ends.

    `smart`: private_key_jwt with ES384, and tokens that live for three seconds.
    """
    command = program()
    folder.mkdir(parents=True, exist_ok=True)
    key = ECKey.generate_key("P-384")
    loader = secrets.token_urlsafe(16)
    port = _free_port()
    base_url = f"http://127.0.0.1:{port}/fhir"
    settings = _settings(port, base_url)
    if door == "smart":
        settings["server_auth"] = _doors(key, loader)
    # JSON is YAML; the data folder is relative to the working folder.
    (folder / "settings.yaml").write_text(json.dumps(settings), encoding="utf-8")
    log = folder / "server.log"
    with (
        log.open("wb") as output,
        _process([str(command), "serve"], folder, output) as process,
        httpx.Client(headers={**FHIR_JSON, "Authorization": f"Bearer {loader}"}, timeout=60) as client,
    ):
        _wait(client, f"{base_url}/metadata", process, log)
        yield RealServer(base_url, _auth(door, key, folder), key, client, log)


def _settings(port: int, base_url: str) -> dict[str, Any]:
    """As in facts/servers.md: on loopback (its default is everywhere), and without data of its own."""
    return {
        "base_url": base_url,
        "host": "127.0.0.1",
        "port": port,
        "data_dir": "data",
        "log_inbound": False,
        "simulator": {"enabled": False},
    }


def _doors(key: ECKey, loader: str) -> dict[str, Any]:
    registered = {**key.as_dict(private=False), "kid": key.thumbprint(), "alg": "ES384", "use": "sig"}
    client = {"client_id": CLIENT, "scopes": SCOPE, "jwks": {"keys": [registered]}}
    return {
        "types": ["smart", "bearer"],
        "tokens": [loader],
        "token_lifetime": TOKEN_SECONDS,
        "smart_clients": [client],
    }


def _auth(door: Door, key: ECKey, folder: Path) -> Auth:
    """What a hospital's file would say under [auth]."""
    if door == "open":
        return Auth()
    path = folder / "adapter.pem"
    path.touch(mode=0o600)
    path.write_bytes(key.as_pem(private=True))
    return Auth(kind="smart_backend", client_id=CLIENT, private_key=f"file:{path}", algorithm="ES384", scope=SCOPE)


@contextmanager
def _process(command: list[str], folder: Path, output: Any) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, "SEKMET_CONFIG": "settings.yaml"}
    environment.pop("PYTHONPATH", None)
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _wait(client: httpx.Client, address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _START
    while time.monotonic() < until and process.poll() is None:
        if _answers(lambda: client.get(address)):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the real server did not start: {log.read_text(errors='replace')[-2000:]}")


def _answers(ask: Callable[[], httpx.Response]) -> bool:
    try:
        return ask().status_code == 200
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
