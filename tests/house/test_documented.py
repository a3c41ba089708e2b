"""What the public meets is explained: names in code, commands, Problem codes."""

import ast
import importlib
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from fhir_adapter.core.problems import CODES
from fhir_adapter.core.study import Config, Hospital
from fhir_adapter.review.kinds import KINDS
from fhir_adapter.wire.sheets import SHEETS
from tests.house.docs import CHOICES
from tests.house.docs import PAGES as MADE
from tests.house.house import PACKAGE, ROOT, Module, modules, place

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _public(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Public classes, functions and methods; what is defined inside a function is nobody's business."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield child
            yield from _public(child)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            is_overload = any(ast.unparse(mark).endswith("overload") for mark in child.decorator_list)
            if not child.name.startswith("_") and not is_overload:
                yield child
        elif isinstance(child, ast.If | ast.Try | ast.With):
            yield from _public(child)


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_public_names_have_docstrings(module: Module) -> None:
    """Every public module, class, function and method says what it is for."""
    silent = [] if ast.get_docstring(module.tree) else [f"{place(module, 1)}: the module"]
    silent += [
        f"{place(module, node.lineno)}: {node.name}" for node in _public(module.tree) if not ast.get_docstring(node)
    ]

    assert silent == []


def _verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command and group of commands: how it is typed, and the command itself."""
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            yield " ".join((*path, name)), child
            yield from _verbs(child, (*path, name))


def _commands() -> dict[str, Any]:
    """The whole command line, or nothing while there is no `cli/app.py` yet."""
    if not (PACKAGE / "cli" / "app.py").is_file():
        return {}
    typer_main = importlib.import_module("typer.main")
    app = importlib.import_module("fhir_adapter.cli.app").app
    return dict(_verbs(typer_main.get_command(app)))


def test_every_command_has_help() -> None:
    """`fhir-adapter VERB --help` says what the verb does."""
    assert [f"fhir-adapter {verb}" for verb, command in _commands().items() if not (command.help or "").strip()] == []


def test_every_command_is_documented() -> None:
    """Each verb is named as it is typed, in the README or below docs/."""
    if not _commands():
        return
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.is_file())
    unnamed = [verb for verb in _commands() if not re.search(rf"fhir-adapter {re.escape(verb)}\b", pages)]

    assert [f"fhir-adapter {verb}" for verb in unnamed] == []


@pytest.mark.parametrize("name", sorted(MADE))
def test_pages_made_from_code_are_up_to_date(name: str) -> None:
    """Problems, conflicts and the data dictionary are what the code says (`make docs` writes them)."""
    page = ROOT / "docs" / name

    assert page.is_file()
    assert page.read_text(encoding="utf-8") == MADE[name]()


def test_problem_codes_are_told_apart() -> None:
    """One name, one meaning."""
    names = [code.name for code in CODES]

    assert len(names) == len(set(names))


def test_every_choice_is_explained() -> None:
    """docs/conflicts.md explains exactly the choices that some kind of conflict offers."""
    assert {name for name, _, _ in CHOICES} == {choice for kind in KINDS for choice in kind.choices}


def test_every_sheet_and_column_is_documented() -> None:
    """docs/supplements.md names each sheet, and below it each of its columns."""
    page = (ROOT / "docs" / "supplements.md").read_text(encoding="utf-8")
    parts = {part.split(".csv", 1)[0]: part for part in page.split("\n## ")[1:]}
    missing = [f"{sheet.name}.{column}" for sheet in SHEETS for column in sheet.columns
               if f"`{column}`" not in parts.get(sheet.name, "")]

    assert missing == []


def _keys(model: type[Config]) -> Iterator[str]:
    """Every key of a part of the configuration, as it is typed in TOML."""
    for name, field in model.model_fields.items():
        inner = [one for one in (field.annotation, *get_args(field.annotation))
                 if isinstance(one, type) and issubclass(one, Config)]
        yield name
        for one in inner:
            yield from _keys(one)


def test_every_key_of_a_hospital_is_documented() -> None:
    """docs/hospitals.md names every key that a hospital's file may have."""
    page = (ROOT / "docs" / "hospitals.md").read_text(encoding="utf-8")

    assert [key for key in _keys(Hospital) if key != "id" and not re.search(rf"\b{key}\b", page)] == []
