"""Options that every command knows, and how its answer is printed."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fhir_adapter.core.study import LogLevel
    from fhir_adapter.flow import Workspace

StudyOption = Annotated[Path, typer.Option("--study", help="The study folder (mappings/ and sync/).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
ByOption = Annotated[str, typer.Option("--by", help="Who decides: a name under `people` in settings.toml.")]
HospitalsArgument = Annotated[list[str] | None, typer.Argument(help="Hospitals of the study; none means all.")]
class Level(StrEnum):
    """What `--log-level` takes."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    OFF = "off"


LevelOption = Annotated[
    Level | None,
    typer.Option("--log-level", help="How much is logged, as JSON lines to stderr or to settings.toml's file."),
]
HERE = Path()


@contextmanager
def workspace(study: Path, level: Level | None = None) -> Iterator["Workspace"]:
    """The opened study; its databases are closed at the end. `level` of the log instead of the settings'."""
    from fhir_adapter import flow

    with flow.open_workspace(study, level_of(level)) as opened:
        yield opened


def level_of(chosen: Level | None) -> "LogLevel | None":
    """The same as the settings have it."""
    return None if chosen is None else chosen.value


def say(text: str = "") -> None:
    """A plain line, at once: whoever reads a pipe need not wait for the end."""
    print(text, flush=True)


def as_json(value: Any) -> None:
    """A value as JSON."""
    import msgspec

    print(json.dumps(msgspec.to_builtins(value), ensure_ascii=False, indent=2))


def tell(lines: Iterable[str], json: bool, value: Any = None) -> None:
    """Lines for a person, or the value behind them (the lines themselves, if there is none) as JSON."""
    if json:
        as_json(list(lines) if value is None else value)
        return
    for line in lines:
        say(line)


def yes(held: bool) -> str:
    """A cell that says whether something holds."""
    return "yes" if held else "no"


def table(title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """A table on a terminal, tab-separated lines elsewhere; an empty one says so."""
    if not rows:
        print(f"{title}: none")
        return
    if not sys.stdout.isatty():
        print("\t".join(columns))
        for row in rows:
            print("\t".join("" if cell is None else str(cell) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table

    drawn = Table(*columns, title=title, title_justify="left")
    for row in rows:
        drawn.add_row(*("" if cell is None else str(cell) for cell in row))
    Console().print(drawn)


@contextmanager
def progress() -> Iterator[Any]:
    """A Progress: bars on a terminal, a plain line for each finished step elsewhere."""
    if not sys.stderr.isatty():
        finished: set[str] = set()

        def line(what: str, done: int, total: int) -> None:
            if total and done >= total and what not in finished:
                finished.add(what)
                print(f"{what}: {done}", file=sys.stderr)

        yield line
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()) as bars:
        tasks: dict[str, Any] = {}

        def bar(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total or None)
            bars.update(tasks[what], completed=done, total=total or None)

        yield bar
