"""Writes the pages that are made from code, so that they cannot drift from it: `make docs`."""

from fhir_adapter.core.problems import CODES
from tests.house.house import ROOT


def problems_page() -> str:
    """docs/problems.md: every Problem code, what it means and what to do."""
    lines = [
        "# Problems",
        "",
        "A Problem is something refused or doubted about one record, as a value; it never stops a run.",
        "`fhir-adapter problems list` shows them, each with its Origin.",
        "This page is made from `fhir_adapter/core/problems.py` by `make docs`.",
        "",
        "| code | what it means | what to do |",
        "|---|---|---|",
        *(f"| `{code.name}` | {code.meaning} | {code.remedy} |".replace("\n", " ") for code in CODES),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes all such pages."""
    page = ROOT / "docs" / "problems.md"
    page.parent.mkdir(exist_ok=True)
    page.write_text(problems_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
