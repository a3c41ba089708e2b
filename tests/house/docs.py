"""Writes the pages that are made from code, so that they cannot drift from it: `make docs`."""

from fhir_adapter import domains, endpoints
from fhir_adapter.core.problems import CODES
from fhir_adapter.core.tables import FACT_COLUMNS, columns_of
from fhir_adapter.review.kinds import KINDS
from fhir_adapter.store.dictionary import Described, data_dictionary
from tests.endpoints.rules import page as rules_page
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


def conflicts_page() -> str:
    """docs/conflicts.md: every kind of conflict, who settles it, what counts meanwhile, what can be chosen."""
    lines = [
        "# Conflicts",
        "",
        "A conflict is open until a signed decision closes it. It never blocks a sync, and nobody disappears:",
        "each kind says what counts meanwhile, and results that rest on it are marked provisional.",
        "`fhir-adapter conflicts list` shows them, `fhir-adapter conflicts show KEY` shows both sides of one.",
        "This page is made from `fhir_adapter/review/kinds.py` by `make docs`.",
        "",
        "| kind | what it is | settled by the | blocks a cut | meanwhile | choices |",
        "|---|---|---|---|---|---|",
        *(
            f"| `{kind.name}` | {kind.title} | {kind.owner.value} | {'yes' if kind.blocking else 'no'} "
            f"| {kind.meanwhile} | {', '.join(kind.choices)} |"
            for kind in KINDS
        ),
        "",
        "## What the choices mean",
        "",
        "| choice | `--value` | effect |",
        "|---|---|---|",
        *(f"| `{name}` | {value} | {effect} |" for name, value, effect in CHOICES),
    ]
    return "\n".join(lines) + "\n"


CHOICES = (
    ("accept", "a fact key, or `hospital\\|Type/id`", "this side holds; the others are overruled"),
    ("exclude", "a fact key, or `hospital\\|Type/id`", "this side does not count; without a value, none of them does"),
    ("override", 'JSON of columns, such as `{"size_um": 19000}`', "a fact signed by a person takes the place"),
    ("confirm", "", "it is right as it stands"),
    ("map_code", "a concept, or `list:concept`; then for whom: nothing, `@study`, `@patient=NAME` or `@record=NAME`",
     "the code means this concept, for past and future records of the hospital"),
    ("unmatched", "", "the code means nothing for this trial; records with it are ignored with that reason"),
    ("join", "", "two subjects are one person; the oldest number stays"),
    ("split", "", "two records are two persons"),
    ("set_role", "prior, study, subsequent, supportive", "what a treatment was for"),
    ("set_level", "treatment, visits, records", "what a withdrawal means: only `records` ends asking"),
    ("defer", "", "seen, and left open"),
)
"""What each choice needs and does."""


def dictionary_page() -> str:
    """docs/data-dictionary.md: every view and table of the trial database, column by column."""
    facts = [Described(one.name, one.title, FACT_COLUMNS + columns_of(one.fact, skip=("element", "index")),
                       ("fact_key",)) for one in domains.ALL]
    conclusions = [Described(one.name, one.title, columns_of(one.record), one.key) for one in endpoints.ALL]
    return data_dictionary(facts, conclusions)


PAGES = {
    "problems.md": problems_page,
    "conflicts.md": conflicts_page,
    "data-dictionary.md": dictionary_page,
    "rules.md": rules_page,
}
"""Every such page below docs/, and who makes it."""


def main() -> None:
    """Writes all such pages."""
    folder = ROOT / "docs"
    folder.mkdir(exist_ok=True)
    for name, made in PAGES.items():
        (folder / name).write_text(made(), encoding="utf-8")


if __name__ == "__main__":
    main()
