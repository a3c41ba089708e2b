"""Every command explains itself and can answer in JSON."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from fhir_adapter.cli.app import app
from tests.cli.conftest import run


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group: how it is typed, and itself."""
    for name, child in getattr(command, "commands", {}).items():
        yield (*path, name), child
        yield from _commands(child, (*path, name))


COMMANDS = dict(_commands(typer.main.get_command(app)))
LEAVES = {path: command for path, command in COMMANDS.items() if not hasattr(command, "commands")}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...]) -> None:
    """`--help` ends with 0 and says what the command is for."""
    ended = run(*path, "--help")

    assert ended.code == 0
    assert " ".join((COMMANDS[path].help or "").split())[:20] in " ".join(ended.out.split())


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_knows_json(path: tuple[str, ...]) -> None:
    """`--json` is offered everywhere."""
    assert "json" in {parameter.name for parameter in LEAVES[path].params}


def test_no_word_at_all_shows_the_help() -> None:
    """Somebody who types the bare name is told what there is."""
    ended = run()

    assert ended.code == 2
    assert "conflicts" in ended.out


@pytest.mark.parametrize("words", [("nonsense",), ("sync", "--nonsense"), ("conflicts", "show"), ("trace", "PFS")])
def test_wrong_words_are_usage_errors(words: tuple[str, ...]) -> None:
    """An unknown command or option, or a missing word: exit code 2."""
    assert run(*words).code == 2


def test_help_says_where_people_stand() -> None:
    """A table's name in brackets would be taken for markup, and vanish from the screen."""
    assert "people" in run("cut", "create", "--help").out
    assert "people" in run("subjects", "erase", "--help").out
