"""iRECIST from facts: time points, best response, iPFS beside PFS. Cases W40, W44; endpoints.md §3, §0.10."""

from typing import Any, Literal

import pytest

from fhir_adapter.core.protocol import Immune
from fhir_adapter.endpoints.derivation import Derived
from tests.endpoints.build import Facts, baseline_scan, conclude, one, protocol, rows, table, treated


def measured(text: str, *more: Facts, **rules: Any) -> Derived:
    """One target T and whatever is new."""
    return conclude(treated(), table("lesion", "lesion role site\nT target lung\nN1 new liver\nN2 new liver"),
                    table("lesion_measurement", "lesion date mm\nT 2022-12-20 50\n" + text), *more,
                    rules=protocol(**rules))


def line(derived: Derived) -> list[tuple[Any, ...]]:
    """Date and value of every iRECIST time point."""
    return rows(derived, "immune_time_point", "date", "value")


def ends(derived: Derived, endpoint: str, rule: str = "treatment_policy") -> Any:
    """How PFS or iPFS ended."""
    return one(derived, "time_to_event", "date", "status", "reason", endpoint=endpoint, rule=rule)


GROWN = "T 2023-02-13 62\n"


def test_w40_confirmed_progression_is_dated_at_the_first_iupd() -> None:
    """W40: iUPD, iCPD; iBOR iCPD; the event of iPFS is 2023-02-13."""
    derived = measured(GROWN + "T 2023-03-20 68")
    assert line(derived) == [("2023-02-13", "iUPD"), ("2023-03-20", "iCPD")]
    assert one(derived, "immune_best_response", "value", confirmed=True) == "iCPD"
    assert ends(derived, "iPFS") == ("2023-02-13", "event", "progression")
    assert one(derived, "immune_time_point", "first_iupd", "categories", value="iCPD") == ("2023-02-13", '["target"]')


@pytest.mark.parametrize(("names", "second"), [(("Symptom visit",), "iCPD"), ((), None)])
def test_an_early_scan_for_a_new_symptom(names: tuple[str, ...], second: str | None) -> None:
    """§3: a scan two weeks after the iUPD confirms only if made for a new symptom and showing another new lesion."""
    derived = conclude(
        treated(), table("lesion", "lesion role site\nT target lung\nN1 new liver"),
        table("lesion_measurement", "lesion date mm visit\nT 2022-12-20 50 -\nT 2023-02-13 62 week_6\n"
              "T 2023-02-27 62 symptom_visit\nN1 2023-02-27 12 symptom_visit"),
        rules=protocol(irecist=Immune(symptom_visits=names)))
    assert [value for _, value in line(derived)] == ["iUPD", second]


def test_w44_new_targets_are_summed_by_themselves() -> None:
    """W44: 12 to 18 mm of a new target; the sum of the targets stays 58 and 57 mm."""
    derived = measured("T 2023-02-13 48\nN1 2023-02-13 12\nT 2023-03-23 47\nN1 2023-03-23 18")
    assert rows(derived, "immune_time_point", "value", "new_sum_um") == [("iUPD", 12000), ("iCPD", 18000)]
    assert rows(derived, "time_point", "sum_um", source="lesions") == [(50000,), (48000,), (47000,)]


def test_a_progression_that_is_not_confirmed_is_no_event_of_ipfs() -> None:
    """PFS ends at the first PD; iPFS goes on: iUPD, iSD, iSD. RECIST stays what it was."""
    derived = measured(GROWN + "T 2023-03-27 52\nT 2023-05-08 52")
    assert [value for _, value in line(derived)] == ["iUPD", "iSD", "iSD"]
    assert ends(derived, "PFS") == ("2023-02-13", "event", "progression")
    assert ends(derived, "iPFS") == ("2023-05-08", "censored", "last_assessment")
    assert one(derived, "best_response", "value", confirmed=True) == "PD"
    assert one(derived, "immune_best_response", "value", confirmed=True) == "iSD"


@pytest.mark.parametrize(("pending", "expected"), [
    ("event", ("2023-02-13", "event", "progression")), ("censor", ("2023-02-13", "censored", "last_assessment"))])
def test_an_iupd_that_nothing_follows(pending: Literal["event", "censor"], expected: tuple[str, ...]) -> None:
    """§0.10: no later assessment exists, or all later ones are iUPD: the event, by option a censoring."""
    derived = measured(GROWN, irecist=Immune(pending=pending))
    assert ends(derived, "iPFS") == expected
    assert ends(measured(GROWN + "T 2023-03-27 63"), "iPFS") == ("2023-02-13", "event", "progression")


@pytest.mark.parametrize(("day", "status"), [("2023-03-01", "event"), ("2023-04-01", "censored")])
def test_clinical_progression_after_an_iupd(day: str, status: str) -> None:
    """Not clinically stable before the next scan: the iUPD counts, also when that scan resets it; later it does not."""
    stopped = table("disposition", f"event date\nclinical_progression {day}")
    assert ends(measured(GROWN + "T 2023-03-27 52", stopped), "iPFS")[1] == status


def test_death_is_an_event_of_ipfs() -> None:
    """Any cause, when no iUPD counts before."""
    derived = measured(GROWN + "T 2023-03-27 52", table("vital_status", "death\n2023-04-20"))
    assert ends(derived, "iPFS") == ("2023-04-20", "event", "death")


def test_whom_nobody_assessed_stays_in_the_denominator() -> None:
    """§3, §4, §6: dead before any scan is an event of iPFS and NE, as of PFS; nobody is left out for dying early."""
    derived = conclude(treated(), baseline_scan(), table("vital_status", "death\n2023-02-20"))
    assert ends(derived, "iPFS") == ends(derived, "PFS") == ("2023-02-20", "event", "death")
    assert rows(derived, "immune_best_response", "value") == [("NE",), ("NE",)]


def test_what_the_reader_reports_goes_first() -> None:
    """iRECIST as reported: SD, iUPD, iPR; RECIST beside it says PD at the second scan."""
    derived = conclude(treated(), baseline_scan(), table("response_assessment", """date value criteria
        2023-02-13 SD RECIST_1.1
        2023-03-27 PD RECIST_1.1
        2023-03-27 iUPD iRECIST
        2023-05-08 PR RECIST_1.1
        2023-05-08 iPR iRECIST"""))
    assert rows(derived, "immune_time_point", "value", "source") == [
        ("iSD", "reported"), ("iUPD", "reported"), ("iPR", "reported")]
    assert ends(derived, "PFS")[:2] == ("2023-03-27", "event")
    assert ends(derived, "iPFS")[:2] == ("2023-05-08", "censored")


def test_without_lesions_nothing_is_known_after_the_first_progression() -> None:
    """RECIST as reported ends at the PD, which is an iUPD that nothing follows."""
    derived = conclude(treated(), baseline_scan(), table("response_assessment", """date value
        2023-02-13 SD
        2023-03-27 PD
        2023-05-08 PD"""))
    assert line(derived) == [("2023-02-13", "iSD"), ("2023-03-27", "iUPD")]
    assert ends(derived, "iPFS")[:2] == ("2023-03-27", "event")


def test_before_progression_both_are_the_same() -> None:
    """§3: CR, PR, SD, NE with an i; nobody with RECIST only gets another number of rows."""
    derived = measured("T 2023-02-13 40\nT 2023-03-27 30\nT 2023-05-08 not_evaluated\nT 2023-06-19 0")
    assert [value for _, value in line(derived)] == ["iSD", "iPR", "NE", "iCR"]
    assert rows(derived, "time_point", "overall", source="lesions")[1:] == [("SD",), ("PR",), ("NE",), ("CR",)]


def test_at_most_two_new_targets_in_an_organ() -> None:
    """A third new liver lesion counts by growth, not in the sum of new targets; 9 mm is not measurable."""
    derived = conclude(
        treated(), table("lesion", "lesion role site\nT target lung\n" + "\n".join(
            f"{name} new {site}" for name, site in (("A", "liver"), ("B", "liver"), ("C", "liver"), ("D", "lung")))),
        table("lesion_measurement", "lesion date mm\n" + "\n".join(
            f"{name} {day} {size}" for day, sizes in (
                ("2022-12-20", {"T": 50}), ("2023-02-13", {"T": 50, "A": 20, "B": 15, "C": 12, "D": 9})
            ) for name, size in sizes.items())))
    assert one(derived, "immune_time_point", "new_sum_um") == 35000
