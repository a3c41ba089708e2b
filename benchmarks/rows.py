"""One measurement as a row of the table: what was measured, what it gave, what it must give."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Row:
    """A measured value beside its target; `met` None where nobody has set one."""

    what: str
    value: str
    target: str = ""
    met: bool | None = None
    note: str = ""

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """As printed."""
        return self.what, self.value, self.target or "-", {None: "-", True: "met", False: "MISSED"}[self.met], self.note


HEAD = ("measured", "value", "target", "", "how")


def markdown(rows: Iterable[Row]) -> str:
    """The table as Markdown."""
    lines = ["| " + " | ".join(HEAD) + " |", "| --- | ---: | ---: | --- | --- |"]
    lines += ["| " + " | ".join(row.cells) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def aligned(rows: Sequence[Row]) -> str:
    """The table for a terminal."""
    table = [HEAD, *(row.cells for row in rows)]
    widths = [max(len(line[place]) for line in table) for place in range(len(HEAD) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in table
    )


def interleaved(actions: Sequence[Callable[[], float]], rounds: int) -> list[list[float]]:
    """Every action once a round, so that a busy moment of the machine hits all of them; their times by action."""
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for place, action in enumerate(actions):
            times[place].append(action())
    return times


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of per-round ratios."""
    return median(one / other for one, other in zip(over, under, strict=True))
