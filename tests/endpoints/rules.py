"""Clinical rules as ASCII tables: one file a rule in `rules/`, with its title, its source, and rows of cases.

A file is: a title, a line `Source: ...`, words, an empty line, a header `in | in -> out | out`, and a case a line with
as many cells. `-` is an empty cell. `test_rules.py` proves every row; `docs/rules.md` is made from the same files.
"""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("rules")


@dataclass(frozen=True)
class Rule:
    """One rule: its name (the file's), title, source, words, the columns in and out, and its cases."""

    name: str
    title: str
    source: str
    words: str
    given: tuple[str, ...]
    expected: tuple[str, ...]
    cases: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


def rules() -> tuple[Rule, ...]:
    """Every rule, by name."""
    return tuple(read(path) for path in sorted(FOLDER.glob("*.txt")))


def read(path: Path) -> Rule:
    """One rule from its file."""
    title, source, *rest = path.read_text(encoding="utf-8").strip().splitlines()
    assert source.startswith("Source: "), f"{path.name}: the second line names the source"
    words = " ".join(line for line in rest if line and " -> " not in line)
    header, *rows = [_halves(line) for line in rest if " -> " in line]
    for given, expected in rows:
        assert (len(given), len(expected)) == (len(header[0]), len(header[1])), f"{path.name}: {given} -> {expected}"
    return Rule(name=path.stem, title=title, source=source.removeprefix("Source: "), words=words, given=header[0],
                expected=header[1], cases=tuple(rows))


def _halves(line: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    given, _, expected = line.partition(" -> ")
    return _cells(given), _cells(expected)


def _cells(text: str) -> tuple[str, ...]:
    return tuple("" if cell.strip() == "-" else cell.strip() for cell in text.split("|"))


def page() -> str:
    """docs/rules.md."""
    lines = [
        "# Rules", "",
        "What the endpoints do, case by case. Every row is a test (`tests/endpoints/test_rules.py`); its expected",
        "value comes from the source named above the table. This page is made from the same files by `make docs`.", "",
    ]
    for rule in rules():
        columns = [*rule.given, *(f"**{name}**" for name in rule.expected)]
        lines += [f"## {rule.title}", "", *([rule.words, ""] if rule.words else []), f"Source: {rule.source}.", "",
                  f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
        lines += [f"| {' | '.join((*given, *expected))} |" for given, expected in rule.cases]
        lines.append("")
    return "\n".join(lines)
