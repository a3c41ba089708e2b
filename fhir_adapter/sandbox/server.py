"""Runs a rehearsal hospital: a thread that listens on 127.0.0.1 and a handle for whoever started it."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fhir_adapter.core.study import FhirVersion
from fhir_adapter.sandbox.auth import OPEN, Auth, Guard
from fhir_adapter.sandbox.house import BASE, TOKEN, House, Place
from fhir_adapter.sandbox.life import Life
from fhir_adapter.sandbox.messages import Asked, Reply, http_date
from fhir_adapter.sandbox.persona import PLAIN, Persona
from fhir_adapter.sandbox.reception import Reception
from fhir_adapter.sandbox.requests import Seen, UnexpectedRequests
from fhir_adapter.sandbox.store import Version, load

LOOPBACK = "127.0.0.1"
_PATIENCE = 10.0
_LAST_ANSWERS = 1.0
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Stage:
    """Where and when the rehearsal takes place: the port (0: a free one), the clock, the seed of its own orders."""

    port: int = 0
    clock: Callable[[], datetime] = utc_now
    seed: int = 0


class _Server(uvicorn.Server):
    """Uvicorn that sleeps until it is told to end, instead of looking ten times a second."""

    def end(self) -> None:
        """Ends it, from any thread."""
        self.should_exit = True
        if self.started:
            # The loop is closed already if the server has ended by itself.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._ending.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Remembers its loop, so that another thread can end it."""
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        """Sleeps until the end."""
        await self._ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends as soon as the last answer is out, where uvicorn sleeps a tenth of a second whoever is there."""
        for server in self.servers:
            server.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        until = self._loop.time() + _LAST_ANSWERS
        while (state.connections or state.tasks) and not self.force_exit and self._loop.time() < until:
            await asyncio.sleep(0.001)
        for task in list(state.tasks):
            task.cancel()


class Rehearsal:
    """A running rehearsal hospital."""

    def __init__(self, house: House, listener: socket.socket, annex: socket.socket) -> None:
        self.house = house
        self.reception = Reception(house)
        self.port: int = listener.getsockname()[1]
        self.annex_url = house.place.annex
        self.requests: list[Seen] = []
        self._lock = threading.Lock()
        self.life = Life(house, self._lock)
        self._listeners = [listener, annex]
        app = Starlette(routes=[Route("/{path:path}", self._handle, methods=_METHODS)])
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            loop="asyncio",
            http="h11",
            ws="none",
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._server.run, args=(self._listeners,), name=f"rehearsal-{self.port}")
        self._thread.daemon = True

    def start(self) -> None:
        """Begins to listen.

        Raises:
            RuntimeError: the server did not come up.
        """
        self._thread.start()
        until = time.monotonic() + _PATIENCE
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > until:
                self.stop()
                raise RuntimeError("the rehearsal hospital did not start")
            time.sleep(0.002)

    def stop(self) -> None:
        """Ends the server and its thread; safe to call twice."""
        self._server.end()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            self._server.force_exit = True
            self._thread.join(_PATIENCE)
        for listener in self._listeners:
            listener.close()

    @property
    def base_url(self) -> str:
        """The FHIR base address, as callers reach it."""
        return self.house.base_url

    @property
    def token_url(self) -> str:
        """Where tokens are had."""
        return self.house.guard.token_url

    def reached_at(self, origin: str) -> None:
        """From now on every address that the hospital writes begins with this origin (of a proxy before it)."""
        with self._lock:
            self.house.origin = origin
            self.house.guard.token_url = origin + TOKEN

    @property
    def busiest(self) -> int:
        """The most requests that were being answered at one moment."""
        return self.reception.turnstile.busiest

    @property
    def unexpected(self) -> list[Seen]:
        """The requests that nobody should have made."""
        return [seen for seen in self.requests if seen.unexpected]

    @property
    def persona(self) -> Persona:
        """How it behaves at the moment."""
        return self.house.persona

    def play(self, persona: Persona) -> None:
        """From now on it behaves like this; faults are counted anew."""
        with self._lock:
            self.house.play(persona)

    def record(self, type_: str, id_: str) -> dict[str, Any]:
        """As `life.record`."""
        return self.life.record(type_, id_)

    def edit(self, resource: Mapping[str, Any]) -> Version:
        """As `life.edit`."""
        return self.life.edit(resource)

    def plant(self, body: bytes) -> Version:
        """As `life.plant`."""
        return self.life.plant(body)

    def delete(self, type_: str, id_: str) -> Version:
        """As `life.delete`."""
        return self.life.delete(type_, id_)

    def expire_searches(self) -> None:
        """Every next link given so far answers 410."""
        with self._lock:
            self.reception.pages.places.forget()

    def revoke_tokens(self) -> None:
        """Every access token given so far answers 401."""
        with self._lock:
            self.house.guard.revoke()

    def forget_exports(self) -> None:
        """Every export job is gone; its status answers 404."""
        with self._lock:
            self.reception.exports.forget()

    async def _handle(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = tuple(parse_qsl(request.url.query, keep_blank_values=True))
        annex = (request.scope.get("server") or ("", 0))[1] != self.port
        asked = Asked(request.method, request.url.path, query, headers, await request.body(), annex)
        turnstile = self.reception.turnstile
        turnstile.enter()
        try:
            reply = self._logged(asked, headers)
            if reply.seconds:
                await asyncio.sleep(reply.seconds)
        finally:
            turnstile.leave()
        return self._response(reply)

    def _logged(self, asked: Asked, headers: dict[str, str]) -> Reply:
        with self._lock:
            reply = self._reply(asked)
            authorized = headers.pop("authorization", None) is not None
            self.requests.append(
                Seen(
                    method=asked.method,
                    path=asked.path,
                    query=asked.query,
                    headers=headers,
                    authorized=authorized,
                    status=reply.status,
                    unexpected=reply.unexpected,
                    annex=asked.annex,
                    at=self.house.clock(),
                )
            )
        return reply

    def _reply(self, asked: Asked) -> Reply:
        try:
            return self.reception.answer(asked)
        except Exception as error:  # a fault of our own must not look like a hospital's silence
            text = f"the sandbox itself failed: {type(error).__name__}: {error}"
            return Reply(500, text.encode(), "text/plain", unexpected=text)

    def _response(self, reply: Reply) -> Response:
        headers = {**reply.headers, "Date": http_date(self.house.clock())}
        if reply.cut:
            headers["Content-Length"] = str(len(reply.body) + 1000)
        return Response(reply.body, reply.status, headers, reply.media)


def _listener(port: int) -> socket.socket:
    # Named as TCP, so that asyncio turns off Nagle: else every answer waits 40 ms for a delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def start(
    folder: Path,
    *,
    fhir_version: FhirVersion = "R4",
    auth: Auth = OPEN,
    persona: Persona = PLAIN,
    strict: bool = False,
    stage: Stage = Stage(),
) -> Rehearsal:
    """A rehearsal hospital that runs until its `stop()`; mostly `serve` is what you want.

    Raises:
        OSError: the port is taken.
        ValueError: a line of the folder's NDJSON has no type or no id.
    """
    store = load(folder)
    listener = _listener(stage.port)
    annex = _listener(0)
    here, there = (f"http://{LOOPBACK}:{one.getsockname()[1]}" for one in (listener, annex))
    place = Place(fhir_version, here, there, strict, stage.seed)
    house = House(place, store, Guard(auth, here + TOKEN, stage.clock), persona, stage.clock)
    rehearsal = Rehearsal(house, listener, annex)
    rehearsal.start()
    return rehearsal


@contextlib.contextmanager
def serve(
    folder: Path,
    *,
    fhir_version: FhirVersion = "R4",
    auth: Auth = OPEN,
    persona: Persona = PLAIN,
    strict: bool = False,
    stage: Stage = Stage(),
) -> Iterator[Rehearsal]:
    """Serves `folder` (`<Type>.ndjson`, `history.ndjson`) as a FHIR server at `base_url` until the block ends.

    `strict`: an unknown parameter is answered with 400, and whatever nobody should ask (unknown path, type,
    parameter or method, no or wrong credentials, a bad assertion) fails the block at its end.

    Raises:
        UnexpectedRequests: at the end of a strict block that was left without another error.
        OSError, ValueError: as `start`.
    """
    rehearsal = start(folder, fhir_version=fhir_version, auth=auth, persona=persona, strict=strict, stage=stage)
    try:
        yield rehearsal
    finally:
        rehearsal.stop()
    if strict and rehearsal.unexpected:
        raise UnexpectedRequests(rehearsal.unexpected)


__all__ = ["BASE", "LOOPBACK", "Rehearsal", "Stage", "serve", "start", "utc_now"]
