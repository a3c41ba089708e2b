"""A TCP proxy on loopback that stands before a hospital and breaks connections, by a schedule.

It knows no HTTP: an exchange begins when the client speaks and ends when it speaks again, so that a fault can hit
any request of a connection that is kept alive.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from fhir_adapter.sandbox.server import LOOPBACK, Rehearsal

NetKind = Literal["refuse", "reset", "stall", "drip", "truncate", "tls"]
KINDS: tuple[NetKind, ...] = ("refuse", "reset", "stall", "drip", "truncate", "tls")
_ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # TLS alert: fatal, handshake_failure
_PIECE = 65_536
_PATIENCE = 10.0


@dataclass(frozen=True, kw_only=True)
class NetFault:
    """One fault of the network.

    `refuse`: the connection is reset before anything is read. `reset`, `truncate`, `stall`: after `after` bytes of
    the answer the connection is reset, is closed as if all were said, or falls silent for `seconds` and is then
    reset. `drip`: the answer comes in small pieces, spread over `seconds`. `tls`: a fatal TLS alert instead of an
    answer.
    """

    kind: NetKind
    after: int = 100
    seconds: float = 0.2


Schedule = Callable[[int], NetFault | None]
"""The fault of an exchange, counted from 0 over all connections; None: it goes well."""


def listed(faults: Sequence[NetFault | None]) -> Schedule:
    """The faults in this order; afterwards all goes well."""
    return lambda number: faults[number] if number < len(faults) else None


def seeded(seed: int, *, share: float = 0.3, exchanges: int = 50, kinds: Sequence[NetKind] = KINDS) -> Schedule:
    """Faults by chance for that share of the first exchanges; the same seed gives the same."""
    random = Random(seed)  # noqa: S311 - a schedule that can be replayed, no secret
    planned = [
        NetFault(kind=random.choice(kinds), after=random.randrange(2000), seconds=0.05 + random.random() / 5)
        if random.random() < share
        else None
        for _ in range(exchanges)
    ]
    return listed(planned)


@dataclass
class FaultProxy:
    """A running proxy: where it listens, what it stands before, how many exchanges it saw and what it did to them."""

    target: int
    schedule: Schedule
    port: int = 0
    exchanges: int = 0
    struck: list[tuple[int, NetKind]] = field(default_factory=list)

    @property
    def origin(self) -> str:
        """The address to ask instead of the hospital's."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Begins to listen, on the same port as before if there was one."""
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name=f"faultproxy-{self.port}", daemon=True)
        self._thread.start()
        if not ready.wait(_PATIENCE):
            raise RuntimeError("the fault proxy did not start")

    def stop(self) -> None:
        """Closes every connection and the port: from now on the operating system refuses."""
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(_PATIENCE)

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Nobody listens while the block lasts: connections are refused."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve(ready))
        finally:
            self._loop.close()

    async def _serve(self, ready: threading.Event) -> None:
        self._ending = asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await _Line(self, reader, writer).carry()
            _reset(writer)

        server = await asyncio.start_server(accept, LOOPBACK, self.port)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._ending.wait()
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def next_fault(self) -> NetFault | None:
        """The fault of the exchange that begins now."""
        number, self.exchanges = self.exchanges, self.exchanges + 1
        fault = self.schedule(number)
        if fault is not None:
            self.struck.append((number, fault.kind))
        return fault


class _Line:
    """One client's connection."""

    def __init__(self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy, self._reader, self._writer = proxy, reader, writer
        self._fault: NetFault | None = None
        self._sent = 0
        self._answering = True

    async def carry(self) -> None:
        """Carries bytes both ways until one side ends or a fault ends it."""
        first = await self._reader.read(_PIECE)
        if not first or not self._begins():
            return
        there, back = await asyncio.open_connection(LOOPBACK, self._proxy.target)
        try:
            back.write(first)
            up = asyncio.create_task(self._up(back))
            down = asyncio.create_task(self._down(there))
            done, pending = await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            for task in done:
                task.exception()
        finally:
            _reset(back)

    def _begins(self) -> bool:
        """A new exchange; False when its fault ends the connection at once."""
        self._answering, self._sent = False, 0
        self._fault = self._proxy.next_fault()
        if self._fault is not None and self._fault.kind == "tls":
            self._writer.write(_ALERT)
            _end(self._writer)
        return self._fault is None or self._fault.kind not in ("refuse", "tls")

    async def _up(self, back: asyncio.StreamWriter) -> None:
        while piece := await self._reader.read(_PIECE):
            if self._answering and not self._begins():
                return
            back.write(piece)
            await back.drain()

    async def _down(self, there: asyncio.StreamReader) -> None:
        while piece := await there.read(_PIECE):
            self._answering = True
            if not await self._pass_on(piece):
                return
        _end(self._writer)

    async def _pass_on(self, piece: bytes) -> bool:
        """Gives the client these bytes, or as many as the fault lets through; False: the connection is over."""
        fault, writer = self._fault, self._writer
        if fault is None:
            writer.write(piece)
        elif fault.kind == "drip":
            step = max(1, len(piece) // 10)
            for start in range(0, len(piece), step):
                writer.write(piece[start : start + step])
                await writer.drain()
                await asyncio.sleep(fault.seconds / 10)
        else:
            left = fault.after - self._sent
            writer.write(piece[: max(left, 0)])
            self._sent += len(piece)
            if len(piece) >= left:
                await writer.drain()
                if fault.kind == "stall":
                    await asyncio.sleep(fault.seconds)
                if fault.kind == "truncate":
                    _end(writer)
                return False
        await writer.drain()
        return True


def _end(writer: asyncio.StreamWriter) -> None:
    """Closes as if all were said."""
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection with a reset, unless it was closed before."""
    if writer.is_closing():
        return
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.contextmanager
def fault_proxy(port: int, schedule: Schedule) -> Iterator[FaultProxy]:
    """A proxy before whatever listens on this loopback port, until the block ends."""
    proxy = FaultProxy(port, schedule)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


@contextlib.contextmanager
def behind_faults(hospital: Rehearsal, schedule: Schedule) -> Iterator[FaultProxy]:
    """A proxy before a rehearsal hospital, which writes its addresses with the proxy's origin until the block ends."""
    before = hospital.house.origin
    with fault_proxy(hospital.port, schedule) as proxy:
        hospital.reached_at(proxy.origin)
        try:
            yield proxy
        finally:
            hospital.reached_at(before)
