"""Small facts for the endpoints' tests, written as ASCII tables.

A table is a header and rows, cells parted by blanks; `-` is missing, `_` in a text stands for a blank. Lengths are
written in millimetres in a column `mm` and become `size_um`. Subject, fact key, resource and the like are filled in.
"""

from decimal import Decimal
from typing import Any

import pandas as pd

from fhir_adapter.core.concepts import Concepts
from fhir_adapter.core.study import EndpointSettings, Protocol, ProtocolWindow, Radiotherapy, Regimen, Schedule, Trial
from fhir_adapter.endpoints import derive
from fhir_adapter.endpoints.derivation import Derived

FIRST_DOSE = "2023-01-02"
Facts = dict[str, pd.DataFrame]

TERMS = Concepts(lists={}, terms={
    "drug": {
        "tislelizumab": {"class": "study"}, "anlotinib": {"class": "study"}, "dabrafenib": {"class": "anticancer"},
        "paclitaxel": {"class": "anticancer"}, "dexamethasone": {"class": "supportive"},
        "levothyroxine": {"class": "other"},
    },
    "procedure": {"thyroidectomy": {"role": "anticancer"}, "tracheostomy": {"role": "supportive"},
                  "ct_scan": {"role": "other"}},
})

PROTOCOL = Protocol(
    trial=Trial(id="T", study_drugs=("tislelizumab", "anlotinib")),
    regimen={"tislelizumab": Regimen(dose_mg=200, doses_per_cycle=1, cycle_days=21),
             "anlotinib": Regimen(dose_mg=12, doses_per_cycle=14, cycle_days=21)},
    schedule=Schedule(interval_days=42, window_days=7),
    radiotherapy=Radiotherapy(protocol=ProtocolWindow(from_day=-28, to_day=84)),
)

DEFAULTS: dict[str, dict[str, Any]] = {
    "adverse_event": {"term": "Fatigue", "soc": "General"},
    "anticancer_therapy": {"kind": "drug"},
    "drug_administration": {"drug": "tislelizumab", "status": "completed", "given": True, "evidence": "administered"},
    "hospital_stay": {"status": "finished"},
    "lab_result": {"test": "hemoglobin", "status": "final"},
    "lesion": {"role": "target", "node": False},
    "lesion_measurement": {"fragment": "", "state": "measured", "evaluator": "investigator"},
    "medication": {"evidence": "stated"},
    "performance_status": {"scale": "ECOG"},
    "procedure": {"status": "completed"},
    "radiotherapy": {"level": "course", "status": "completed"},
    "response_assessment": {"category": "overall", "criteria": "RECIST 1.1", "evaluator": "investigator"},
    "tumor_assessment": {"evaluator": "investigator", "stated_baseline": False},
    "vital_status": {"status": "dead", "statement": "deceased_date"},
}
_NUMBERS = {"size_um", "grade", "score", "birth_year", "sessions", "fractions", "ordinal"}
_DECIMALS = {"dose_mg", "dose_cgy"}
_TEXTS = {"term", "term_text", "soc", "visit", "evaluator", "criteria"}
_TRUTHS = {"yes": True, "no": False}
_FLAGS = {"given", "node", "serious", "related", "died", "stated_baseline", "irradiated_before"}


def protocol(**parts: Any) -> Protocol:
    """The trial's protocol with parts replaced: a model, or a dict of changed keys of a part."""
    changed = {name: getattr(PROTOCOL, name).model_copy(update=value) if isinstance(value, dict) and name != "endpoints"
               else value for name, value in parts.items()}
    return PROTOCOL.model_copy(update=changed)


def pfs(**changes: Any) -> dict[str, EndpointSettings]:
    """The endpoints' settings with PFS changed."""
    return {"PFS": EndpointSettings(**changes), "OS": EndpointSettings(events=("death",))}


def table(name: str, text: str) -> Facts:
    """One fact table from its ASCII form."""
    lines = [line.split() for line in text.strip().splitlines() if line.strip()]
    header, rows = lines[0], lines[1:]
    found = []
    for number, cells in enumerate(rows, start=1):
        assert len(cells) == len(header), f"{name}: {cells}"
        row: dict[str, Any] = {
            "subject": "S1", "hospital": "west", "fact_key": f"{name}{number:03d}", "resource": f"{name}/{number}",
            "ordinal": 1, "element": "", "position": 0, "standing": "current", "held_by": None, "held_kind": None,
            **DEFAULTS.get(name, {}),
        }
        for column, cell in zip(header, cells, strict=True):
            row.update(_cell(column, cell))
        found.append(row)
    return {name: pd.DataFrame(found).astype(object)}


def _cell(column: str, cell: str) -> dict[str, Any]:
    if column == "mm":
        return _size(cell)
    if cell == "-":
        return {column: None}
    if column in _FLAGS:
        return {column: _TRUTHS[cell]}
    if column in _NUMBERS:
        return {column: int(cell)}
    if column in _DECIMALS:
        return {column: Decimal(cell)}
    return {column: cell.replace("_", " ") if column in _TEXTS else cell}


def _size(cell: str) -> dict[str, Any]:
    if cell in ("too_small", "absent", "not_evaluated", "present", "progressed"):
        return {"state": cell, "size_um": None}
    return {"size_um": int(Decimal(cell) * 1000)}


def facts(*tables: Facts) -> Facts:
    """Several tables together; a table given twice is appended, with fact keys made distinct."""
    found: Facts = {}
    for number, part in enumerate(tables):
        for name, frame in part.items():
            if name in found:
                frame = frame.assign(fact_key=frame["fact_key"] + f"x{number}",
                                     resource=frame["resource"] + f"x{number}")
                found[name] = pd.concat([found[name], frame], ignore_index=True)
            else:
                found[name] = frame
    return found


def treated(first: str = FIRST_DOSE, subject: str = "S1") -> Facts:
    """An enrolled subject with one dose."""
    return facts(
        table("disposition", f"subject event date\n{subject} enrolled 2022-12-28"),
        table("drug_administration", f"subject start_date dose_mg\n{subject} {first} 200"),
    )


def baseline_scan(day: str = "2022-12-20", subject: str = "S1") -> Facts:
    """A scan before treatment, with nothing measured."""
    return table("tumor_assessment", f"subject start_date method\n{subject} {day} CT")


def overall(text: str) -> Facts:
    """Overall responses as the investigator reports them: `date value` a line."""
    return table("response_assessment", "date value\n" + text)


def conclude(*tables: Facts, rules: Protocol = PROTOCOL, cut_off: str | None = None) -> Derived:
    """Derive from several tables."""
    return derive(facts(*tables), rules, TERMS, cut_off=cut_off)


def rows(derived: Derived, name: str, *columns: str, **wanted: Any) -> list[tuple[Any, ...]]:
    """Columns of the rows of a conclusion that have the wanted values."""
    frame = derived.frames[name]
    for column, value in wanted.items():
        frame = frame[pd.Series([cell == value for cell in frame[column]], index=frame.index, dtype=bool)]
    return list(frame[list(columns)].itertuples(index=False, name=None))


def one(derived: Derived, name: str, *columns: str, **wanted: Any) -> Any:
    """The only row with the wanted values: its column, or several as a tuple."""
    found = rows(derived, name, *columns, **wanted)
    assert len(found) == 1, f"{len(found)} rows"
    return found[0][0] if len(columns) == 1 else found[0]


def doubts(derived: Derived) -> list[str]:
    """The kinds of doubt in order."""
    return [str(kind) for kind in derived.doubts["kind"]]
