"""The grader of whole columns against a slow reader of the same limits, value by value, on random values.

The reference knows nothing of arrays, of the missing, of floats: it asks every row of criteria-vX.csv in exact
decimals, with every reference known and the question answered with no and with yes.
"""

from collections import defaultdict
from decimal import Decimal
from random import Random

import pytest

from fhir_adapter.endpoints.lab_criteria import Scale, scales, units_of
from fhir_adapter.endpoints.lab_grading import Amounts, Sample, grade
from tests.endpoints.graded import study

Row = dict[str, str]
References = dict[str, Decimal]


def holds(row: Row, value: Decimal, known: References, plus_unit: Decimal) -> bool:
    """Whether the value lies in the row's set."""
    def limit(number: str) -> Decimal:
        if number in ("LLN", "ULN"):
            return known[number]
        branch = row["branch"]
        if branch in ("ULN", "LLN", "baseline"):
            return Decimal(number) * known[branch]
        start = {"above ULN": known["ULN"], "change": known["baseline"]}.get(branch)
        return Decimal(number) if start is None else start + Decimal(number) * plus_unit

    if row["lower"] and (value < limit(row["lower"]) or (value == limit(row["lower"])
                                                         and row["lower_inclusive"] == "no")):
        return False
    if row["upper"] and (value > limit(row["upper"]) or (value == limit(row["upper"])
                                                         and row["upper_inclusive"] == "no")):
        return False
    return all(condition_holds(one.strip(), value, known) for one in row["condition"].split(";") if one.strip())


def condition_holds(condition: str, value: Decimal, known: References) -> bool:
    """What must hold of the baseline or of the value; questions are asked elsewhere."""
    base, high, low = known["baseline"], known["baseline ULN"], known["baseline LLN"]
    return {
        "baseline<=ULN": base <= high, "baseline>ULN": base > high, "baseline<=5xULN": base <= 5 * high,
        "baseline>5xULN": base > 5 * high, "baseline<LLN": base < low, "baseline>=LLN": base >= low,
        "value>baseline": value > known["baseline"], "value<baseline": value < known["baseline"],
    }.get(condition, condition.startswith(("if ", "unless ")))


def reference_grade(rows: list[Row], value: Decimal, known: References, plus_unit: Decimal, word: str) -> int:
    """The highest grade of the rows that hold; `word` answers the question (`if`: yes, `unless`: no)."""
    return max((int(row["grade"]) for row in rows if holds(row, value, known, plus_unit)
                and not any(other in row["condition"] for other in {"if ", "unless "} - {word + " "})), default=0)


@pytest.mark.parametrize("version", ["5.0", "6.0"])
@pytest.mark.parametrize("rule", ["lower", "higher"])
def test_columns_and_single_values_have_the_same_grades(version: str, rule: str) -> None:
    """300 values of every scale and unit, drawn around the limits, many exactly on one."""
    concepts, random = study()[0], Random(f"{version} {rule}")
    by_key: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in concepts.terms[f"criteria {version}"].values():
        if row["gap_rule"] in ("", rule):
            by_key[row["test"], row["term"]].append(row)
    for test, some in scales(concepts, version, rule, units_of(concepts)).items():
        for scale in some:
            for unit in scale.units:
                rows = [row for row in by_key[test, scale.term]
                        if row["branch"] != "absolute" or row["unit"] in ("", unit)]
                _compare(rows, scale, unit, random)


def _compare(rows: list[Row], scale: Scale, unit: str, random: Random) -> None:
    numbers = sorted({Decimal(row[side]) for row in rows for side in ("lower", "upper")
                      if row[side] not in ("", "LLN", "ULN")} or {Decimal(1)})
    plus_unit = Decimal(10) if rows[0]["term"] == "Hemoglobin increased" else Decimal(1)
    top = max(numbers) * (10 if any(row["branch"] == "above ULN" for row in rows) else 1)
    cases: list[tuple[Decimal, References]] = []
    for _ in range(300):
        uln = Decimal(random.randint(5, 60)) / 2
        known = {"ULN": uln, "LLN": uln / 2, "baseline": uln * Decimal(random.choice(["0.4", "0.5", "1", "1.1", "6"])),
                 "baseline ULN": uln, "baseline LLN": uln / 2}
        exactly = random.choice([*numbers, known["ULN"], known["LLN"], *(known["baseline"] * n for n in numbers),
                                 *(known["ULN"] * n for n in numbers), *(known["LLN"] * n for n in numbers)])
        cases.append((random.choice([exactly, exactly + Decimal("0.01"), abs(exactly - Decimal("0.01")),
                                     Decimal(random.randint(0, 120)) / 100 * top]), known))
    values = Amounts.of([value for value, _ in cases])
    names = cases[0][1]
    found = grade(Sample(value=values, reported=values, references={
        name: Amounts.of([known[name] for _, known in cases]) for name in names}), scale, unit)

    for word, computed in (("unless", found.without), ("if", found.with_)):
        expected = [reference_grade(rows, value, known, plus_unit, word) for value, known in cases]
        assert computed.tolist() == expected, rows[0]["term"]
    assert not found.open.any()
