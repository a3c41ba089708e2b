"""Every option of endpoints.md §14 is a setting with its default, and stands in mappings/trial.toml."""

import tomllib
from typing import Any

import pytest

from fhir_adapter.core.protocol import Protocol
from tests.endpoints.rules import rules
from tests.house.house import ROOT

OPTIONS = """
    response.criteria                    "RECIST 1.1"
    response.source                      "auto"
    response.timepoint_days              14
    response.strict                      false
    response.confirmation                true
    response.confirm_days                28
    response.sd_min_days                 35
    response.cr_then_pr                  "pd"
    response.max_ne_between              1
    response.accept_sd_between           false
    endpoints.PFS.start                  "first_dose"
    endpoints.PFS.pfs_rule               "treatment_policy"
    endpoints.PFS.discontinuation        "continue"
    endpoints.PFS.clinical_progression   false
    time_to_event.day_one_counts         true
    time_to_event.days_per_month         30.4375
    time_to_event.cutoff_policy          "drop"
    time_to_event.km_ci                  "log-log"
    time_to_event.median_tie             "midpoint"
    time_to_event.landmark_days          90
    population.efficacy                  "treated"
    toxicity.ctcae                       "5.0"
    toxicity.teae_window_days            30
    toxicity.extended_window_days        90
    toxicity.missing_relatedness         "unknown"
    toxicity.lab_symptom_policy          "worst_case"
    toxicity.v5_gap_rule                 "lower"
    radiotherapy.dose_levels             ["course", "phase", "fraction"]
    radiotherapy.subgroup_gy             60
    radiotherapy.alpha_beta              10
"""
STATED = tomllib.loads((ROOT / "mappings" / "trial.toml").read_text(encoding="utf-8"))


def found(tree: Any, path: str) -> Any:
    """The value at a path."""
    for name in path.split("."):
        tree = tree[name]
    return tree


@pytest.mark.parametrize("line", OPTIONS.strip().splitlines())
def test_option(line: str) -> None:
    """The default is that of §14; the shipped study states it."""
    path, value = line.split(maxsplit=1)
    expected = tomllib.loads(f"value = {value}")["value"]
    assert found(Protocol().model_dump(mode="json"), path) == expected
    assert found(STATED, path) == expected


ONE_VALUE = ("response.criteria",)
"""Options that can say only one thing yet."""


def test_every_option_has_a_rule() -> None:
    """Some row of some rule sets it to another value than its default (docs/rules.md)."""
    said = {cell.partition("=")[0] for rule in rules() for given, _ in rule.cases for cell in given if "=" in cell}
    schedule = {name for rule in rules() for name in rule.given}
    assert {"interval", "window", "steps"} <= schedule
    names = [line.split()[0] for line in OPTIONS.strip().splitlines()]
    assert [name for name in [*names, "radiotherapy.protocol"]
            if name not in ONE_VALUE and name.rpartition(".")[2] not in said] == []


def test_the_schedule_has_no_default() -> None:
    """`table_a` refuses to run without; the shipped study states both, and the window of study radiotherapy."""
    assert (Protocol().schedule.interval_days, Protocol().schedule.window_days) == (None, None)
    assert {"interval_days", "window_days"} <= set(STATED["schedule"])
    assert set(STATED["radiotherapy"]["protocol"]) == {"from_day", "to_day"}
