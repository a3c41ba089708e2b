"""A module over 400 lines or a function over 60 is a sign that a room wants a wall."""

import ast

import pytest

from tests.house.house import Module, modules, place

MODULE_LINES = 400
FUNCTION_LINES = 60  # without the docstring: telling the rule, its units and its source must not cost room
ARGUMENTS = 6

# Exceptions, each with its reason: module name -> why.
LONG_MODULES: dict[str, str] = {
    "fhir_adapter.store.migrations.trial.versions.0001_first": "a frozen revision lists every table",
    "fhir_adapter.store.migrations.vault.versions.0001_first": "the same",
}
# module name + ":" + function name -> why.
LONG_FUNCTIONS: dict[str, str] = {
    "fhir_adapter.store.migrations.trial.versions.0001_first:upgrade": "a frozen revision lists every index",
}
MANY_ARGUMENTS: dict[str, str] = {}

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "base", "common", "misc"}


def _functions(module: Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    whole = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        whole -= (first.end_lineno or first.lineno) - first.lineno + 1
    return whole


def _is_typer_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A command's parameters are its options on the command line, not a signature that code calls."""
    marks = [ast.unparse(mark) for mark in function.decorator_list]
    marked = any(".command" in mark or ".callback" in mark for mark in marks)
    given = [a.annotation for a in (*function.args.args, *function.args.kwonlyargs) if a.annotation is not None]
    return marked or any(ast.unparse(one).endswith(("StudyOption", "JsonOption")) for one in given)


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_module_is_short(module: Module) -> None:
    """At most 400 lines, or an exception with its reason."""
    assert len(module.text.splitlines()) <= MODULE_LINES or module.name in LONG_MODULES


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_functions_are_short(module: Module) -> None:
    """At most 60 lines besides the docstring, or an exception with its reason."""
    long = [
        f"{place(module, function.lineno)}: {function.name} has {_lines(function)} lines"
        for function in _functions(module)
        if _lines(function) > FUNCTION_LINES and f"{module.name}:{function.name}" not in LONG_FUNCTIONS
    ]

    assert long == []


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_functions_have_few_arguments(module: Module) -> None:
    """More than six means that a value is missing; make it."""
    many = []
    for function in _functions(module):
        names = [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
        count = len([name for name in names if name not in ("self", "cls")])
        if count > ARGUMENTS and not _is_typer_command(function):
            where = f"{place(module, function.lineno)}: {function.name} takes {count}"
            many.append((f"{module.name}:{function.name}", where))

    assert [where for key, where in many if key not in MANY_ARGUMENTS] == []


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_module_is_a_noun_of_the_trade(module: Module) -> None:
    """No drawer for odds and ends."""
    assert not EMPTY_NAMES & set(module.name.split("."))


def test_no_exception_outlives_its_reason() -> None:
    """An exception for something that is short by now is taken out of the lists above."""
    by_name = {module.name: module for module in modules()}
    functions = {
        f"{module.name}:{function.name}": _lines(function) for module in modules() for function in _functions(module)
    }
    stale = [name for name in LONG_MODULES if len(by_name[name].text.splitlines()) <= MODULE_LINES]
    stale += [name for name in LONG_FUNCTIONS if functions.get(name, 0) <= FUNCTION_LINES]
    stale += [name for name in MANY_ARGUMENTS if name not in functions]

    assert stale == []
    assert all([*LONG_MODULES.values(), *LONG_FUNCTIONS.values(), *MANY_ARGUMENTS.values()])
