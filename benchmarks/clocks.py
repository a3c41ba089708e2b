"""Processor time of this program and of the PostgreSQL server that works for it (Linux: /proc)."""

import os
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def _stat(process: Path) -> list[str]:
    return (process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


class Clock:
    """Processor seconds since some beginning; with a server's process id its and its children's are added."""

    def __init__(self, server: int | None = None) -> None:
        self.server = server

    def now(self) -> float:
        """The sum so far."""
        return time.process_time() + (self._of_server() if self.server is not None else 0.0)

    def _of_server(self) -> float:
        """Of the postmaster, its ended children, and those that run; one that ends meanwhile counts once."""
        while True:
            ended = self._of_postmaster()
            running = 0
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    fields = _stat(process)
                except OSError:
                    continue
                if fields[1] == str(self.server):
                    running += int(fields[11]) + int(fields[12])
            if self._of_postmaster() == ended:
                return (ended + running) / TICKS

    def _of_postmaster(self) -> int:
        return sum(int(text) for text in _stat(Path(f"/proc/{self.server}"))[11:15])


class Stopwatch:
    """Processor and wall time of a block."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.cpu = self.wall = 0.0

    def __enter__(self) -> "Stopwatch":
        self._cpu, self._wall = self.clock.now(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall = time.perf_counter() - self._wall
        self.cpu = self.clock.now() - self._cpu
