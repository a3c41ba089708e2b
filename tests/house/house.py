"""The plan of the house, as the house rules read it: its files, its rooms, what each file imports."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "fhir_adapter"


@dataclass(frozen=True)
class Module:
    """One source file of the package."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """Dotted name, with `.__init__` left out."""
        parts = self.path.relative_to(PACKAGE.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def is_package(self) -> bool:
        """Whether this file is a folder's `__init__.py`."""
        return self.path.name == "__init__.py"

    @property
    def room(self) -> str:
        """The folder or file directly below the package; empty for the package's own `__init__`."""
        return room_of(self.name)

    def imports(self) -> Iterator[tuple[str, int, bool]]:
        """Every imported module or name: dotted name, line, and whether it is imported when this file is."""
        for node, at_import in _walk(self.tree, at_import=True):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, node.lineno, at_import
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                for alias in node.names:
                    yield f"{base}.{alias.name}".lstrip("."), node.lineno, at_import

    def _base(self, node: ast.ImportFrom) -> str:
        """What stands after `from`, with leading dots resolved."""
        if not node.level:
            return node.module or ""
        here = self.name.split(".")
        up = node.level - 1 if self.is_package else node.level
        return ".".join([*here[: len(here) - up], *([node.module] if node.module else [])])


def room_of(dotted: str) -> str:
    """The room of a dotted name inside the package."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 else ""


@cache
def modules() -> tuple[Module, ...]:
    """All source files of the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Module(path, text, ast.parse(text, filename=str(path))))
    return tuple(found)


def place(module: Module, line: int) -> str:
    """Where something stands, as an editor understands it."""
    return f"{module.path.relative_to(ROOT)}:{line}"


def _walk(node: ast.AST, at_import: bool) -> Iterator[tuple[ast.AST, bool]]:
    """All nodes below this one, and whether each is run when the module is imported."""
    for child in ast.iter_child_nodes(node):
        runs = at_import and not _is_deferred(child)
        yield child, runs
        yield from _walk(child, runs)


def _is_deferred(node: ast.AST) -> bool:
    """A function's body runs later; what stands under `if TYPE_CHECKING` never does."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return True
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
