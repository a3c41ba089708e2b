"""Values graded with the study's own limits: small laboratory records in, `lab_toxicity` out."""

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from fhir_adapter.core.concepts import Concepts
from fhir_adapter.core.study import Toxicity
from fhir_adapter.core.units import Units
from fhir_adapter.domains.quantities import Conversion
from fhir_adapter.endpoints import derive
from fhir_adapter.endpoints.derivation import Derived
from fhir_adapter.fhir.elements import Quantity
from fhir_adapter.study import load
from tests.endpoints.build import FIRST_DOSE, Facts, facts, protocol, treated

ROOT = Path(__file__).parents[2]
VITAL = ("systolic", "diastolic", "weight", "temperature")
BEFORE, AFTER = "2022-12-30", "2023-02-01"


@cache
def study() -> tuple[Concepts, Units]:
    """The concepts (with CTCAE's limits) and the units that the repository's own study has."""
    loaded = load(ROOT)
    return loaded.concepts, loaded.units


def lab(test: str, value: str, unit: str | None, **more: Any) -> dict[str, Any]:
    """One result as the mapper would make it: canonical beside as written, limits in the value's unit unless named.

    `low`, `high` are written limits, `limit_unit` their unit; `comparator`, `status`, `date`, `time` as in the fact.
    """
    concepts, units = study()
    name = "vital_sign" if test in VITAL else "lab_result"
    convert = Conversion(units, test, concepts.term(name, test))
    quantity = _quantity(unit)
    limits = _quantity(more.pop("limit_unit", unit))
    row: dict[str, Any] = {"table": name, "test": test, "date": AFTER, "status": "final", "unit": convert.unit or None}
    row["value"], row["value_text"] = convert(_decimal(value), quantity)
    row["unit_text"] = unit
    for side in ("low", "high"):
        if more.get(side) is not None:
            row[side] = convert(_decimal(more.pop(side)), limits)[0]
    return {**row, **more}


def _decimal(text: str) -> Any:
    from decimal import Decimal

    return Decimal(text)


def _quantity(unit: str | None) -> Quantity:
    return Quantity(code=unit, unit=unit)


def results(*rows: dict[str, Any], subject: str = "S1") -> Facts:
    """Fact tables from results."""
    found: dict[str, list[dict[str, Any]]] = {}
    for number, row in enumerate(rows, start=1):
        name = row["table"]
        found.setdefault(name, []).append({
            "subject": subject, "hospital": "west", "fact_key": f"{name}{number:03d}", "resource": f"{name}/{number}",
            "ordinal": 1, "element": "value", "position": 0, "standing": "current", "held_by": None, "held_kind": None,
            **{key: value for key, value in row.items() if key != "table"}})
    return {name: pd.DataFrame(some).astype(object) for name, some in found.items()}


def graded(*rows: dict[str, Any], version: str = "5.0", more: Facts | None = None, **rules: Any) -> Derived:
    """Derive with the study's limits for a subject treated from 2023-01-02 on."""
    asked = protocol(toxicity=Toxicity.model_validate({"ctcae": version, **rules}))
    known = facts(treated(FIRST_DOSE), results(*rows), *([more] if more else []))
    return derive(known, asked, study()[0])


def grades(derived: Derived, date: str = AFTER) -> dict[str, Any]:
    """Grade by term of the values of one day; for one that cannot be graded its reason."""
    frame = derived.frames["lab_toxicity"]
    frame = frame[frame["date"] == date]
    return {term: reason if grade is None else grade
            for term, grade, reason in zip(frame["term"], frame["grade"], frame["reason"], strict=True)}


def one_grade(derived: Derived, term: str, *columns: str, date: str = AFTER) -> Any:
    """Columns of the only row of a term and day."""
    frame = derived.frames["lab_toxicity"]
    frame = frame[(frame["date"] == date) & (frame["term"] == term)]
    assert len(frame) == 1, f"{len(frame)} rows"
    found = tuple(frame[list(columns)].iloc[0].tolist())
    return found[0] if len(columns) == 1 else found
