"""The views and their dictionary."""

from typing import Any

import pandas as pd
import pytest

from fhir_adapter import domains, endpoints
from fhir_adapter.core.tables import FACT_COLUMNS, columns_of
from fhir_adapter.store.dictionary import Described, data_dictionary
from fhir_adapter.store.trial import Settling, Trial
from fhir_adapter.store.view_list import ALL
from fhir_adapter.store.views import View
from tests.databases import Databases
from tests.store.build import TRIAL_LEASE, dead, lab, record, tables, trial
from tests.store.test_trial import conflict

TAIL: dict[str, Any] = {"why": "w", "provisional": True, "held_kinds": '["x"]', "facts": "[]"}


def look(opened: Trial, view: str) -> list[dict[str, Any]]:
    """All rows of a view."""
    with opened.database.reading() as transaction:
        cursor = transaction.connection.exec_driver_sql(f"SELECT * FROM {view}")
        return [dict(row) for row in cursor.mappings()]


def test_every_view_is_there_with_its_documented_columns(database_urls: Databases) -> None:
    """Names and order are those of the dictionary; the views need no row to be asked."""
    with trial(database_urls) as opened, opened.database.reading() as transaction:
        found = {view.name: list(transaction.connection.exec_driver_sql(f"SELECT * FROM {view.name}").keys())
                 for view in ALL}

    assert found == {view.name: [column.name for column in view.columns] for view in ALL}
    assert len(ALL) == 8


def test_v_lab_shows_current_and_held_facts_with_exact_numbers(database_urls: Databases) -> None:
    """13.20 stays 13.20 with a floating-point neighbour; superseded facts are not shown; held ones say by what."""
    with trial(database_urls) as opened:
        opened.write_mapping(TRIAL_LEASE, "west", [
            record("r1", ("lab_result", lab()), is_head=False), record("r1", ("lab_result", lab("14.10")), ordinal=2),
            record("r2", ("lab_result", lab("1")))], None)
        opened.write_settling(TRIAL_LEASE, Settling(
            subjects=["ATC-001"], standings=[("lab_result", "r2-1-0", "held", "c1")],
            conflicts=[conflict("c1", kind="unit_unknown")]))
        opened.project(TRIAL_LEASE, {"completeness": [
            {"hospital": "west", "type": "Observation", "mode": "m", "whole_as_of": "2026", "declared_gap": ""}]})
        rows = sorted(look(opened, "v_lab"), key=lambda row: str(row["fact_key"]))

    assert [str(row["value"]) for row in rows] == ["14.10", "1"]
    assert [row["value_real"] for row in rows] == [14.1, 1.0]
    assert [(row["standing"], bool(row["provisional"]), row["held_kind"]) for row in rows] == [
        ("current", False, None), ("held", True, "unit_unknown")]
    assert {row["whole_as_of"] for row in rows} == {"2026"}


def test_v_subject_and_v_time_to_event_keep_a_disputed_death(database_urls: Databases) -> None:
    """An open conflict never makes an event vanish: it is shown, held and provisional (endpoints.md §0)."""
    event = {"subject": "ATC-001", "endpoint": "OS", "rule": "", "headline": True, "evaluator": "", "source": None,
             "start": "2024-01-01", "date": "2024-05-06", "status": "event", "days": 127, "reason": "death",
             "imputed": None, "cause": None, **TAIL}
    with trial(database_urls) as opened:
        opened.project(TRIAL_LEASE, {
            "subject": [{"subject": "ATC-001", "hospitals": '["west"]'}],
            "completeness": [
                {"hospital": "west", "type": "Patient", "mode": "m", "whole_as_of": "2026-02", "declared_gap": ""},
                {"hospital": "west", "type": "Observation", "mode": "m", "whole_as_of": None, "open_since": "2026-01",
                 "declared_gap": ""}]})
        opened.write_conclusions(TRIAL_LEASE, ["ATC-001"], {"time_to_event": pd.DataFrame([event])})
        subjects, events = look(opened, "v_subject"), look(opened, "v_time_to_event")

    assert [(row["subject"], row["os_status"], row["os_date"], row["standing"]) for row in subjects] == [
        ("ATC-001", "event", "2024-05-06", "held")]
    assert [(row["cnsr"], row["standing"], bool(row["provisional"]), row["whole_as_of"], row["open_since"])
            for row in events] == [(0, "held", True, None, "2026-01")]


def test_v_exposure_puts_drug_and_radiation_side_by_side(database_urls: Databases) -> None:
    """One row a dose and one a volume, each with its unit."""
    from decimal import Decimal

    from fhir_adapter.core.dates import read_date
    from fhir_adapter.domains.drug_administration import DrugAdministration
    from fhir_adapter.domains.radiotherapy_volume import RadiotherapyVolume

    dose = DrugAdministration(element="effectiveDateTime", drug="tislelizumab", status="completed", given=True,
                              evidence="administered", start_date=read_date("2024-01-02"), dose_mg=Decimal("200"))
    volume = RadiotherapyVolume(element="extension", volume="ptv", dose_cgy=Decimal("6000"))
    with trial(database_urls) as opened:
        opened.write_mapping(TRIAL_LEASE, "west", [record("r1", ("drug_administration", dose)),
                                                   record("r2", ("radiotherapy_volume", volume))], None)
        rows = look(opened, "v_exposure")

    assert [(row["treatment"], row["dose_real"], row["dose_unit"]) for row in rows] == [
        ("tislelizumab", 200.0, "mg"), ("radiotherapy", 6000.0, "cGy")]


def test_an_unchanged_death_stays_in_the_fact_frames(database_urls: Databases) -> None:
    """Facts outside the views are read as tables; their standing is a closed list that the database checks."""
    with trial(database_urls) as opened:
        opened.write_mapping(TRIAL_LEASE, "west", [record("r1", ("vital_status", dead()))], None)

        assert [row["standing"] for row in opened.all_rows("vital_status")] == ["current"]


@pytest.mark.parametrize("view", ALL, ids=lambda view: view.name)
def test_view_columns_are_described(view: View) -> None:
    """Every column has a meaning and one expression a branch; names are unique; no SAS abbreviations but CNSR."""
    names = [column.name for column in view.columns]

    assert len(names) == len(set(names))
    assert all(column.meaning for column in view.columns)
    assert {len(column.sql) for column in view.columns} == {len(view.branches)}
    assert {"standing", "provisional", "whole_as_of", "open_since"} <= set(names)


def test_the_dictionary_names_every_column_of_every_table() -> None:
    """Views first, then facts, conclusions, and the store's own tables."""
    facts = [Described(one.name, one.title, FACT_COLUMNS + columns_of(one.fact, skip=("element", "index")),
                       ("fact_key",)) for one in domains.ALL]
    conclusions = [Described(one.name, one.title, columns_of(one.record), one.key) for one in endpoints.ALL]
    page = data_dictionary(facts, conclusions)

    for table in (*tables().kinds_by_table, *(view.name for view in ALL)):
        assert f"### {table}" in page
    assert "| `dose_mg` | dose in milligrams" in page
    assert page == data_dictionary(facts, conclusions)
