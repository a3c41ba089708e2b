"""Metrics: readable by Prometheus' own parser, bounded in their labels, never half written."""

import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fhir_adapter.core.runs import CompletenessRow, Counts
from fhir_adapter.jobs import metrics
from fhir_adapter.jobs.metrics import HospitalState, State
from tests.jobs.build import HOUR, NOW, ROOT


def _row(type: str, whole_as_of: str | None, open_since: str | None = None) -> CompletenessRow:
    return CompletenessRow(hospital="west", type=type, mode="full_reread", whole_as_of=whole_as_of,
                           open_since=open_since)


def _state() -> State:
    rows = (_row("Patient", (NOW - HOUR).isoformat()), _row("Observation", None, NOW.isoformat()),
            _row("*", None, NOW.isoformat()), _row("Patient/zz-1", (NOW - HOUR).isoformat()))
    west = HospitalState(hospital="west", exit_code=3, seconds=12.5, ended=NOW, open_windows={"Observation": 2},
                         counts=Counts(fetched=5, new=5, mapped=4, quarantined=1), quarantine=1,
                         paused_until=NOW + HOUR, due=NOW + 2 * HOUR)
    return State(now=NOW, exit_code=3, seconds=13.0, hospitals=(west, HospitalState(hospital="east")),
                 completeness=rows, conflicts={"partial_date": 2}, dropped=1)


def _read(content: bytes) -> dict[tuple[str, tuple[str, ...]], float]:
    return {(sample.name.removeprefix("fhir_adapter_"), tuple(value for _, value in sorted(sample.labels.items()))):
            sample.value for family in text_string_to_metric_families(content.decode()) for sample in family.samples}


def test_everything_an_operator_alerts_on_is_there() -> None:
    """Ages, gaps, counts, quarantine, conflicts, exit codes, durations, pauses: by hospital and type."""
    found = _read(metrics.text(_state()))

    assert found["whole_as_of_age_seconds", ("west", "Patient")] == 3600
    assert ("whole_as_of_age_seconds", ("west", "Observation")) not in found, "never whole: no age, not age 0"
    assert found["incomplete", ("west", "Observation")] == found["incomplete", ("west", "everything")] == 1
    assert found["open_windows", ("west", "Observation")] == 2
    assert [found["last_run_records", ("west", name)] for name in ("fetched", "mapped", "quarantined")] == [5, 4, 1]
    assert found["quarantine_waiting", ("west",)] == 1
    assert found["open_conflicts", ("partial_date",)] == 2
    assert (found["run_exit_code", ()], found["last_run_exit_code", ("west",)]) == (3, 3)
    assert (found["run_duration_seconds", ()], found["last_run_duration_seconds", ("west",)]) == (13, 12.5)
    assert found["paused_until_timestamp_seconds", ("west",)] == (NOW + HOUR).timestamp()
    assert found["next_due_timestamp_seconds", ("west",)] == (NOW + 2 * HOUR).timestamp()
    assert (found["log_dropped_keys", ()], found["written_timestamp_seconds", ()]) == (1, NOW.timestamp())
    assert ("last_run_exit_code", ("east",)) not in found, "never asked is not exit code 0"


def test_labels_are_bounded() -> None:
    """A type that looks like anything but a type has no label of its own: no identifier can become one."""
    text = metrics.text(_state())

    assert b"zz-1" not in text
    assert b'type="other"' in text


def test_every_metric_is_documented() -> None:
    """docs/jobs.md names each."""
    page = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")

    assert [name for name, _ in _read(metrics.text(_state())) if f"| `{name}` |" not in page] == []


def test_the_file_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readable by the collector; a write that fails leaves the old file and nothing beside it."""
    place = tmp_path / "metrics" / "x.prom"
    metrics.write(place, b"one 1\n")
    assert stat.S_IMODE(place.stat().st_mode) == 0o644

    def refuse(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="no space left"):
        metrics.write(place, b"two 2\n")

    assert place.read_bytes() == b"one 1\n"
    assert [one.name for one in place.parent.iterdir()] == ["x.prom"]


def test_a_gap_hides_behind_no_neighbour() -> None:
    """Two coverage rows under one label: the older age, and open if either is."""
    rows = (_row("odd 1", NOW.isoformat()), _row("odd 2", (NOW - timedelta(days=1)).isoformat(), NOW.isoformat()))
    found = _read(metrics.text(State(now=NOW, exit_code=0, seconds=0, completeness=rows)))

    assert found["whole_as_of_age_seconds", ("west", "other")] == 86400
    assert found["incomplete", ("west", "other")] == 1
