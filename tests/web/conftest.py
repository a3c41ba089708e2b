"""The desk as people meet it: uvicorn on loopback over a synced study, asked by httpx; both databases.

Each test has databases of its own, copied from a study that was synced once.
"""

import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn

from fhir_adapter import flow
from fhir_adapter.core.desk import Account, Role
from fhir_adapter.steps.accounts import hash_password
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.records import Signature
from fhir_adapter.web.app import create_app
from tests.databases import BACKENDS, Databases, postgres_databases, sqlite_databases
from tests.flow.conftest import Hall, hall, hospitals
from tests.promises.conftest import hurried

__all__ = ["hospitals"]

PASSWORD = "correct horse battery staple"
ACCOUNTS = (
    Account(name="dm", printed="Dana Manager", role=Role.REVIEWER, sees_raw=True),
    Account(name="dm2", printed="Dora Manager", role=Role.REVIEWER),
    Account(name="view", printed="Vera Viewer", role=Role.VIEWER),
    Account(name="site", printed="Sam Coordinator", role=Role.COORDINATOR, hospitals=("west",)),
    Account(name="inv", printed="Ines Investigator", role=Role.INVESTIGATOR, hospitals=("east", "west", "south")),
    Account(name="inveast", printed="Egon Investigator", role=Role.INVESTIGATOR, hospitals=("east",)),
    Account(name="map", printed="Max Mapper", role=Role.MAPPER),
    Account(name="adj", printed="Ada Adjudicator", role=Role.ADJUDICATOR),
    Account(name="adj2", printed="Abe Adjudicator", role=Role.ADJUDICATOR),
    Account(name="boss", printed="Bea Administrator", role=Role.ADMINISTRATOR),
    Account(name="aud", printed="Aud Auditor", role=Role.AUDITOR),
    Account(name="bot", printed="A program", role=Role.SERVICE),
)


class Browser:
    """A person at the desk: cookies as a browser on loopback keeps them, and the token of their forms."""

    def __init__(self, desk: "Desk", name: str = "") -> None:
        self.base, self.client, self.cookies, self.token = desk.base, desk.client, dict[str, str](), ""
        if name:
            self.sign_in(name)

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request, as it is said, with the cookies."""
        headers = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
                   **more.pop("headers", {})}
        answer = self.client.request(method, path, headers=headers, **more)
        self.client.cookies.clear()  # what a person keeps is kept here, not in the client that all share
        for said in answer.headers.get_list("set-cookie"):
            name, _, rest = said.partition("=")
            value = rest.partition(";")[0].strip('"')
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return answer

    def get(self, path: str, **more: Any) -> httpx.Response:
        """A page; what token its forms carry is remembered."""
        answer = self.send("GET", path, **more)
        found = re.search(r'name="token" value="([^"]+)"', answer.text)
        self.token = found.group(1) if found else self.token
        return answer

    def post(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
        """A form of the desk, sent from its own page."""
        headers = {"sec-fetch-site": "same-origin", "origin": self.base, **more.pop("headers", {})}
        return self.send("POST", path, data={"token": self.token, **(data or {})}, headers=headers, **more)

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        """Through the form."""
        self.get("/sign-in")
        answer = self.post("/sign-in", {"name": name, "password": password})
        if answer.status_code == 303:
            self.get("/help")
        return answer


class Desk:
    """A running desk and the study behind it."""

    def __init__(self, work: Workspace, base: str, client: httpx.Client) -> None:
        self.work, self.base, self.client = work, base, client
        self._signed: dict[str, Browser] = {}

    def browser(self, name: str = "") -> Browser:
        """Somebody who is signed in, once for each name (nobody, if none is named)."""
        if not name:
            return Browser(self)
        if name not in self._signed:
            self._signed[name] = Browser(self, name)
        return self._signed[name]

    def conflict(self, kind: str) -> str:
        """The key of the first open conflict of a kind."""
        return min(str(one["key"]) for one in self.work.trial.all_rows("conflict")
                   if one["kind"] == kind and one["state"] == "open")


@contextmanager
def served(work: Workspace) -> Iterator[Desk]:
    """The desk over a study, on a free port of loopback, until the block ends."""
    config = uvicorn.Config(create_app(work), host="127.0.0.1", port=0, log_level="error", ws="none",
                            access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        base = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        with httpx.Client(base_url=base, timeout=60) as client:
            yield Desk(work, base, client)
    finally:
        server.should_exit = True
        thread.join(timeout=20)


class Shelf:
    """A synced study on each backend, made when it is first asked for, to be copied."""

    def __init__(self, stack: ExitStack, shown: Hall, folder: Path, request: pytest.FixtureRequest) -> None:
        self._stack, self._hall, self._folder, self._request = stack, shown, folder, request
        self._made: dict[str, Databases] = {}

    def template(self, backend: str) -> Databases:
        """Its databases, closed."""
        if backend not in self._made:
            made = sqlite_databases(self._folder) if backend == "sqlite" else self._stack.enter_context(
                postgres_databases(self._request.getfixturevalue("_postgres").url()))
            with self._hall.workspace(made) as opened:
                work = hurried(opened)
                flow.sync(work, [])
                secret = hash_password(PASSWORD)
                by = Signature(by="test", system_user="test", at=work.clock())
                for account in ACCOUNTS:
                    work.vault.add_account(account, secret, by)
            self._made[backend] = made
        return self._made[backend]

    @contextmanager
    def copy(self, backend: str, folder: Path) -> Iterator[Workspace]:
        """A study of one test."""
        template = self.template(backend)
        with ExitStack() as stack:
            if backend == "sqlite":
                copied = sqlite_databases(folder)
                for before, after in ((template.vault, copied.vault), (template.trial, copied.trial)):
                    shutil.copy(before.removeprefix("sqlite:///"), after.removeprefix("sqlite:///"))
            else:
                server = self._request.getfixturevalue("_postgres").url()
                name = urlsplit(template.vault).path.lstrip("/")
                copied = stack.enter_context(postgres_databases(server, template=name))
            yield hurried(stack.enter_context(self._hall.workspace(copied)))


@pytest.fixture(scope="session")
def shelf(request: pytest.FixtureRequest, hospitals: Hall, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Synced studies of both backends."""
    request.getfixturevalue("_postgres")
    with ExitStack() as stack:
        yield Shelf(stack, hospitals, tmp_path_factory.mktemp("desk"), request)


@pytest.fixture(params=BACKENDS)
def desk(request: pytest.FixtureRequest, shelf: Shelf, tmp_path: Path) -> Iterator[Desk]:
    """A running desk of this test alone, on SQLite and on PostgreSQL."""
    with shelf.copy(request.param, tmp_path) as work, served(work) as running:
        yield running


@pytest.fixture
def sqlite_desk(shelf: Shelf, tmp_path: Path) -> Iterator[Desk]:
    """The same on SQLite alone, for what does not depend on the database."""
    with shelf.copy("sqlite", tmp_path) as work, served(work) as running:
        yield running


@pytest.fixture
def own_hall(tmp_path: Path) -> Iterator[Hall]:
    """Rehearsal hospitals of this test alone, which it may edit and close."""
    with hall(tmp_path / "hall") as opened_hall:
        yield opened_hall
