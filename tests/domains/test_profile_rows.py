"""Every row of the page on FHIR profiles (facts/profiles.md) has a test, or a reason why it has none.

The list stands in profile_rows.csv: section, the row's first cell, the test that shows it, codes that it names with the
concept that each must lead to (`list system code concept`), or the reason. Its rows are held against the page where the
page is beside this checkout.
"""

import csv
import re
from functools import cache
from pathlib import Path

import pytest

from fhir_adapter.core.concepts import Code
from tests.domains.study_words import study
from tests.house.house import ROOT

PAGE = ROOT.parent / "shared" / "facts" / "profiles.md"
SECTION = re.compile(r"#+ (\d+(\.\d+)?)")
RULE = re.compile(r"\|[-| ]+\|")


@cache
def rows() -> list[dict[str, str]]:
    """The list."""
    with Path(__file__).with_name("profile_rows.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rows_of_the_page() -> list[tuple[str, str]]:
    """Section and first cell of every row of its tables; header rows and the table of sources are none."""
    found, section = [], ""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if match := SECTION.match(line):
            section = match[1]
        if section and line.startswith("|") and not RULE.fullmatch(line) and not RULE.fullmatch(following):
            found.append((section, line.strip("|").split("|")[0].strip()))
    return found


@pytest.mark.skipif(not PAGE.is_file(), reason="the page is not beside this checkout")
def test_the_list_has_every_row_of_the_page() -> None:
    """A row that is added there asks for a test here."""
    assert [(row["section"], row["row"]) for row in rows()] == rows_of_the_page()


def test_every_row_has_a_test_or_a_reason() -> None:
    """One of the two, and the test is there."""
    wrong = []
    for row in rows():
        path, _, name = row["shown_by"].partition("::")
        there = bool(path) and f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8")
        if there == bool(row["reason"]):
            wrong.append(f"{row['section']} {row['row']}: {row['shown_by'] or 'neither test nor reason'}")
    assert wrong == []


def test_codes_mean_what_the_row_says() -> None:
    """Laboratory tests, vital signs, reasons, RECIST values: each code of a row leads to its concept."""
    concepts, wrong, count = study().concepts, [], 0
    for row in rows():
        for written in filter(None, row["codes"].split("; ")):
            name, system, code, concept = written.split(" ")
            match = concepts.find(name, "any", (Code(system, code),))
            count += 1
            if (match.concept.replace(" ", "_") or match.found) != concept:
                wrong.append((row["row"], written, match.found, match.concept))
    assert wrong == []
    assert count > 100


def test_codes_that_collide_are_told_apart_by_their_system() -> None:
    """CDC race codes have the numbers of laboratory tests (profiles.md §2)."""
    for code in ("2028-9", "1751-7", "1994-3", "1995-0", "2000-8", "3016-3"):
        assert study().concepts.find("lab_result", "any", (Code("http://loinc.org", code),)).found == "mapped"
        race = Code("urn:oid:2.16.840.1.113883.6.238", code)
        assert study().concepts.find("lab_result", "any", (race,)).found == "unknown"
