"""Edit checks as the study ships them: each is broken by one case and held by its neighbour, within its tolerance."""

from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from fhir_adapter import domains, study
from fhir_adapter.core.checks import Check, DefaultRule
from fhir_adapter.core.conflicts import Decision
from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.tables import FACT_COLUMNS, columns_of
from fhir_adapter.review import overdue
from fhir_adapter.review.checks import RULES, broken
from fhir_adapter.review.settling import settle
from tests.house.house import ROOT

STUDY = study.load(ROOT)
FACTS = {domain.name: domain.fact for domain in domains.ALL}
Row = tuple[str, dict[str, Any]]


def frames(*rows: Row) -> dict[str, pd.DataFrame]:
    """Fact frames of one subject; each row a record of its own unless it names one."""
    made: dict[str, list[dict[str, Any]]] = {}
    for number, (table, values) in enumerate(rows):
        common = {"subject": "S1", "hospital": "west", "element": "e", "standing": "current", "ordinal": 1,
                  "fact_key": f"{table}-{number}", "resource": f"r-{number}"}
        made.setdefault(table, []).append({**common, **values})
    return {
        table: pd.DataFrame(listed, columns=[spec.name for spec in FACT_COLUMNS + columns_of(
            FACTS[table], skip=("element", "index"))]).astype(object)
        for table, listed in made.items()
    }


def named(*rows: Row) -> dict[str, int]:
    """The checks that these facts break, by their message, and how many facts each names."""
    return {one.message: len(one.members) for one in broken(frames(*rows), STUDY.checks, STUDY.protocol)}


def dose(start: str, **values: Any) -> Row:
    """A study drug as given."""
    return ("drug_administration", {"drug": "tislelizumab", "given": True, "evidence": "administered",
                                    "start_date": start, **values})


def lesion(key: str, **values: Any) -> Row:
    """A target lesion."""
    return ("lesion", {"lesion": key, "role": "target", "site": "lung", "node": False, **values})


def size(key: str, day: str, um: int, **values: Any) -> Row:
    """A measured diameter."""
    return ("lesion_measurement", {"lesion": key, "date": day, "size_um": um, "state": "measured", "method": "CT",
                                   **values})


def step(event: str, day: str, **values: Any) -> Row:
    """A step through the study."""
    return ("disposition", {"event": event, "date": day, **values})


EVENT = {"term": "Fatigue", "grade": 1, "onset": "2024-03-05", "outcome": "resolved"}
COURSE = ("radiotherapy", {"level": "course", "resource": "c", "status": "completed"})
PHASES = (("radiotherapy", {"level": "phase", "resource": "p1", "part_of": "c", "status": "completed"}),
          ("radiotherapy", {"level": "phase", "resource": "p2", "part_of": "c", "status": "completed"}))


def volume(record: str, cgy: int) -> Row:
    """What one volume received."""
    return ("radiotherapy_volume", {"resource": record, "volume": "v", "dose_cgy": Decimal(cgy)})


def each(record: str, cgy: int, fraction: int, count: int | None) -> Row:
    """What one volume received, with the dose of one fraction."""
    return ("radiotherapy_volume", {"resource": record, "dose_cgy": Decimal(cgy), "fraction_cgy": Decimal(fraction),
                                    "fractions": count})


CASES: list[tuple[str, list[Row], list[Row]]] = [
    ("An adverse event ends before it begins.", [("adverse_event", {**EVENT, "end_date": "2024-03-04"})],
     [("adverse_event", {**EVENT, "end_date": "2024-03"})]),
    ("An adverse event begins after the death.",
     [("adverse_event", EVENT), ("vital_status", {"status": "dead", "death": "2024-03-04"})],
     [("adverse_event", EVENT), ("vital_status", {"status": "dead", "death": "2024-03"})]),
    ("A laboratory result is dated after the subject withdrew the use of records.",
     [("lab_result", {"date": "2024-03-05"}), step("withdrawal", "2024-03-04", level="records")],
     [("lab_result", {"date": "2024-03-05"}), step("withdrawal", "2024-03-04", level="treatment")]),
    ("A study drug was given before consent.", [dose("2024-03-04"), step("consent", "2024-03-05")],
     [dose("2024-03-04", drug="dexamethasone"), step("consent", "2024-03-05")]),
    ("A study drug was given before enrolment.", [dose("2024-03-04"), step("enrolled", "2024-03-05")],
     [dose("2024-03-04"), step("enrolled", "2024-03-04")]),
    ("A dose is higher than the regimen has it.", [dose("2024-03-04", dose_mg=Decimal(240))],
     [dose("2024-03-04", dose_mg=Decimal(220)),
      dose("2024-04-04", drug="anlotinib", dose_mg=Decimal(168), end_date="2024-04-17")]),
    ("Two doses of a study drug lie closer together than its cycle allows.", [dose("2024-03-04"), dose("2024-03-15")],
     [dose("2024-03-04"), dose("2024-03-18"), dose("2024-03-18")]),
    ("There are more than five target lesions.", [lesion(str(n), site=str(n // 2)) for n in range(6)],
     [lesion(str(n), site=str(n // 2)) for n in range(5)]),
    ("There are more than two target lesions in one organ.", [lesion(str(n)) for n in range(3)],
     [lesion("0"), lesion("1"), lesion("1"), lesion("2", site="liver")]),
    ("A target lesion is shorter than 10 mm at baseline.", [lesion("1"), size("1", "2024-01-02", 9_900)],
     [lesion("1"), size("1", "2024-01-02", 10_000), size("1", "2024-03-02", 4_000)]),
    ("The short axis of a target node is less than 15 mm at baseline.",
     [lesion("1", node=True), size("1", "2024-01-02", 14_900)],
     [lesion("1", node=True), size("1", "2024-01-02", 15_000)]),
    ("A lesion is measured by another method than before.",
     [size("1", "2024-01-02", 20_000), size("1", "2024-03-02", 20_000, method="MRI")],
     [size("1", "2024-01-02", 20_000), size("1", "2024-03-02", 20_000, method=None)]),
    ("The phases of a course do not add up to its dose.",
     [COURSE, *PHASES, volume("c", 6600), volume("p1", 5000), volume("p2", 1000)],
     [COURSE, *PHASES, volume("c", 6600), volume("p1", 5000), volume("p2", 1400)]),
    ("Fractions times the dose of one fraction are not the dose.",
     [("radiotherapy", {"resource": "d", "sessions": 5}), each("d", 6000, 1200, 6)],
     [("radiotherapy", {"resource": "d", "sessions": 5}), each("d", 6000, 1200, None), each("c", 6000, 200, 29),
      each("e", 6000, 1200, None)]),
    ("A performance status of 5 says that the subject is dead and no record says so.",
     [("performance_status", {"scale": "ECOG", "score": 5})],
     [("performance_status", {"scale": "ECOG", "score": 5}), ("vital_status", {"status": "dead"})]),
    ("A thyroid cancer without the histology of the trial.", [("diagnosis", {"concept": "thyroid_cancer"})],
     [("diagnosis", {"concept": "thyroid_cancer"}),
      ("diagnosis", {"concept": "thyroid_cancer", "histology": "anaplastic"})]),
    ("Hospitals give one person different years of birth or another sex.",
     [("demographic", {"sex": "male", "birth_year": 1960}), ("demographic", {"sex": "male", "birth_year": 1961})],
     [("demographic", {"sex": "male", "birth_year": 1960}), ("demographic", {"sex": "unknown"})]),
    ("An adverse event has no grade.", [("adverse_event", {**EVENT, "grade": None})], [("adverse_event", EVENT)]),
    ("A target lesion was not measured when the others were.",
     [lesion("1"), lesion("2", site="liver"), size("1", "2024-01-02", 20_000), size("2", "2024-01-02", 20_000),
      size("1", "2024-03-02", 20_000)],
     [lesion("1"), lesion("2", site="liver"), size("1", "2024-01-02", 20_000), size("2", "2024-01-02", 20_000),
      size("1", "2024-03-02", 20_000), size("2", "2024-03-12", 0, state="absent")]),
]


@pytest.mark.parametrize(("message", "wrong", "right"), CASES, ids=[case[0] for case in CASES])
def test_a_check_is_broken_and_held(message: str, wrong: list[Row], right: list[Row]) -> None:
    """What breaks it is one dispute that names facts and holds none; what lies within its tolerance is none."""
    found = list(broken(frames(*wrong), STUDY.checks, STUDY.protocol))

    assert message in [one.message for one in found]
    assert not any(one.holds for one in found)
    assert message not in named(*right)


@pytest.mark.parametrize(("rule", "tolerance", "wrong", "right"), [
    ("ae_outcome", 0, [("adverse_event", {"end_date": "2024-03-05"})],
     [("adverse_event", {"end_date": "2024-03-05", "outcome": "resolved"})]),
    ("baseline_ecog", 28, [dose("2024-03-30"), ("performance_status", {"scale": "ECOG", "date": "2024-03-01"})],
     [dose("2024-03-30"), ("performance_status", {"scale": "ECOG", "date": "2024-03-02"})]),
    ("laboratory_per_dose", 7, [dose("2024-03-30"), ("lab_result", {"date": "2024-03-22"})],
     [dose("2024-03-30"), ("lab_result", {"date": "2024-03-23"})]),
])
def test_checks_that_are_shipped_off(rule: str, tolerance: int, wrong: list[Row], right: list[Row]) -> None:
    """They would flood the queue of a hospital that documents elsewhere; a study turns them on."""
    check = Check(name=rule, kind="expected_not_received", rule=rule, tolerance=Decimal(tolerance), message="m")

    assert len(list(broken(frames(*wrong), (check,), STUDY.protocol))) == 1
    assert list(broken(frames(*right), (check,), STUDY.protocol)) == []


def test_every_rule_is_shipped_and_every_shipped_check_is_tried() -> None:
    """A rule without a row, or a row without a case here, would be a promise that nobody keeps."""
    text = (ROOT / "mappings" / "checks.csv").read_text(encoding="utf-8")
    told = {case[0] for case in CASES}
    trivial = {"A drug ends before it begins.", "A course of radiotherapy ends before it begins.",
               "A stay in hospital ends before it begins.",
               "A scan is dated after the subject withdrew the use of records."}  # the rule of another row, elsewhere

    assert [rule for rule in (*RULES, *overdue.RULES) if f",{rule}," not in text] == []
    assert {one.message for one in STUDY.checks if one.rule in RULES} == told | trivial  # others: test_overdue.py


def test_a_row_that_means_nothing_is_said() -> None:
    """An unknown rule, kind or column stops with the row's name."""
    for kind, rule in (("method_changed", "magic"), ("magic", "histology")):
        check = Check(name="x", kind=kind, rule=rule, message="m")
        with pytest.raises(UsageError, match=r"checks\.csv: x"):
            list(broken({}, (check,), STUDY.protocol))


def test_a_default_rule_overrules_by_name_and_a_person_goes_before_it() -> None:
    """DESIGN §5.7: defaults come from named rules, are shown as such, and are reversible."""
    rule = DefaultRule(name="patient_first", kind="death_dates_disagree", table="vital_status", column="statement",
                       value="deceased_date", note="the hospital's own")
    facts = frames(("vital_status", {"status": "dead", "death": "2024-03-04", "statement": "deceased_date"}),
                   ("vital_status", {"status": "dead", "death": "2024-03-09", "statement": "sheet"}))
    heads = pd.DataFrame([{"resource": f"r-{n}", "ordinal": 1, "is_head": True, "outcome": "mapped", "reason": None}
                          for n in range(2)])
    ruled = settle(facts, heads, (), (), (rule,))
    open_ = settle(facts, heads, (), ())
    (conflict,) = ruled.conflicts

    assert (conflict.state, conflict.decided_by) == ("closed", None)
    assert "rule patient_first" in conflict.message
    assert list(ruled.frames["vital_status"].standing) == ["current", "overruled"]
    assert list(ruled.frames["vital_status"].held_by) == [None, "rule patient_first"]
    assert open_.conflicts[0].state == "open"
    deferred = Decision(number=1, conflict_key=conflict.key, kind=conflict.kind, fingerprint=conflict.fingerprint,
                        choice="defer", value="", reason="r", decided_by="inv1", system_user="u", decided_at="t")
    again = settle(facts, heads, (), (deferred,), (rule,))
    assert again.conflicts[0].state == "open"
    assert list(again.frames["vital_status"].standing) == ["held", "held"]


def test_a_partial_date_breaks_nothing_that_one_of_its_days_would_keep() -> None:
    """Only what is certain is asked."""
    assert named(dose("2024-03"), step("enrolled", "2024-03-20")) == {}
    assert named(dose("2024-02"), step("enrolled", "2024-03-20")) != {}
