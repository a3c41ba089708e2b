"""ORR, DCR, CBR by reader and population, with and without irradiated targets. endpoints.md §4, §2.1."""

import pandas as pd

from fhir_adapter.endpoints import rates, summary
from fhir_adapter.endpoints.derivation import Derived
from tests.endpoints.build import PROTOCOL, Facts, baseline_scan, conclude, facts, one, protocol, rows, table, treated

READ = """subject evaluator date value
S1 investigator 2023-02-13 PR
S1 investigator 2023-03-27 PR
S1 investigator 2023-06-19 PD
S1 central_1 2023-02-13 SD
S1 central_1 2023-03-27 PD
S2 investigator 2023-02-13 SD
S2 investigator 2023-06-19 SD
S3 investigator 2023-02-13 SD
S3 investigator 2023-06-18 SD
S4 investigator 2023-02-13 NE"""


def read_twice() -> Derived:
    """Four treated subjects, one of them read centrally too."""
    return conclude(*(part for name in ("S1", "S2", "S3", "S4")
                      for part in (treated(subject=name), baseline_scan(subject=name))),
                    table("response_assessment", READ))


def test_benefit_needs_168_days_of_control() -> None:
    """CBR (24 weeks): the response counts; stable on day 168 counts, on day 167 not. DCR counts both."""
    derived = read_twice()
    whole = summary(derived.frames, PROTOCOL)
    assert (whole.orr_confirmed.x, whole.dcr.x, whole.cbr.x, whole.cbr.n) == (1, 3, 2, 4)
    assert rows(derived, "best_response", "controlled_days", evaluator="investigator", confirmed=True) == [
        (84,), (168,), (167,), (None,)]
    shorter = protocol(response={"benefit_days": 167})
    assert summary(derived.frames, shorter).cbr.x == 3


def test_every_reader_has_rates_and_curves_of_their_own() -> None:
    """Series never mix: by the central reader nobody responded, and S1 progressed twelve weeks earlier."""
    derived = read_twice()
    first, second = summary(derived.frames, PROTOCOL).readers
    assert (first.evaluator, first.orr_confirmed.x, second.evaluator, second.orr_confirmed.x, second.orr_confirmed.n) \
        == ("investigator", 1, "central 1", 0, 4)
    assert one(derived, "time_to_event", "date", "headline", endpoint="PFS", rule="treatment_policy", subject="S1",
               evaluator="central 1") == ("2023-03-27", False)
    assert one(derived, "time_to_event", "date", "headline", endpoint="PFS", rule="treatment_policy", subject="S1",
               evaluator="investigator") == ("2023-06-19", True)
    assert {curve.rule: curve.events for curve in second.curves if curve.endpoint == "PFS"} == {
        "treatment_policy": 1, "table_a": 0}, "the central reader has no baseline of their own"
    assert rows(derived, "time_to_event", "evaluator", endpoint="OS", subject="S1") == [("",)]


def test_discordance_between_readers_is_listed() -> None:
    """S1 is PR for the investigator and SD for the central reader."""
    found = rates.concordance(read_twice().frames["best_response"])
    assert found[["evaluator", "confirmed", "subjects", "agree", "percent"]].to_numpy().tolist() == [
        ["central 1", True, 1, 0, 0.0], ["central 1", False, 1, 0, 0.0]]
    assert found["discordant"].tolist() == [["S1: PR / SD"]] * 2


def test_rates_over_each_population() -> None:
    """The evaluable population leaves out who was only NE."""
    found = rates.table(read_twice().frames, PROTOCOL)
    chosen = found[(found["evaluator"] == "investigator") & found["confirmed"].eq(True) & (found["measure"] == "ORR")]
    assert dict(zip(chosen["population"], zip(chosen["x"], chosen["n"], strict=True), strict=True)) == {
        "screened": (1, 4), "enrolled": (1, 4), "treated": (1, 4), "safety": (1, 4), "evaluable": (1, 3)}


def measured(*more: Facts) -> Derived:
    """A neck target that vanishes under study radiotherapy, and a lung target that stays."""
    return conclude(treated(), table("lesion", """lesion role site
        neck target neck
        lung target lung"""), table("lesion_measurement", """lesion date mm
        neck 2022-12-20 40
        lung 2022-12-20 20
        neck 2023-02-13 10
        lung 2023-02-13 20
        neck 2023-03-27 10
        lung 2023-03-27 20"""), *more)


def test_response_without_irradiated_targets() -> None:
    """60 to 30 mm is PR; the lung lesion alone, outside the field, is stable. Without a field both are the same."""
    field = facts(table("radiotherapy", "site start_date\nneck 2023-01-10"),
                  table("radiotherapy_volume", "volume dose_cgy fractions\nPTV 6000 30"))
    derived, plain = measured(field), measured()
    assert one(derived, "best_response", "value", source="lesions", confirmed=True) == "PR"
    assert one(derived, "best_response", "value", "headline", source="unirradiated", confirmed=True) == ("SD", False)
    assert rows(plain, "best_response", "value", source="unirradiated") == []
    for found, expected in ((derived, 0), (plain, 1)):
        whole = summary(found.frames, PROTOCOL)
        assert (whole.orr_confirmed.x, whole.orr_unirradiated.x) == (1, expected)


def test_nobody_has_no_interval() -> None:
    """n = 0: no value; endpoints.md §4."""
    empty = rates.share({}, frozenset(), rates.RESPONDED)
    assert (empty.share, empty.low, empty.high) == (None, None, None)


def test_time_to_progression_leaves_deaths_out() -> None:
    """A death without progression is an event of PFS, and a censoring at the last evaluable scan of TTP."""
    derived = conclude(treated(), baseline_scan(), table("response_assessment", "date value\n2023-02-13 SD"),
                       table("vital_status", "death\n2023-03-20"))
    found = {name: one(derived, "time_to_event", "date", "status", "reason", endpoint=name, rule="treatment_policy")
             for name in ("PFS", "TTP")}
    assert found == {"PFS": ("2023-03-20", "event", "death"), "TTP": ("2023-02-13", "censored", "last_assessment")}


def test_concordance_without_readers() -> None:
    """Nothing read, nothing compared."""
    assert rates.concordance(conclude(treated()).frames["best_response"]).empty
    assert isinstance(rates.table(conclude(treated()).frames, PROTOCOL), pd.DataFrame)
