"""Metrics as Prometheus text in a file, for node_exporter's textfile collector; written anew after each run.

Labels have bounded values: hospitals of the study, resource types, kinds of conflict, names of counts. No identifier,
no address, no text of a record can become one.
"""

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from fhir_adapter.core.runs import CompletenessRow, Counts

_TYPE = re.compile(r"[A-Z][A-Za-z]{0,40}")
_EVERYTHING, _OTHER = "everything", "other"
_PREFIX = "fhir_adapter_"


class HospitalState(msgspec.Struct, frozen=True, kw_only=True):
    """One hospital as of now; what its last run said (None: it has had none) and what waits."""

    hospital: str
    exit_code: int | None = None
    seconds: float | None = None
    ended: datetime | None = None
    counts: Counts = Counts()
    open_windows: Mapping[str, int] = {}
    quarantine: int = 0
    paused_until: datetime | None = None
    due: datetime | None = None


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is measured, at `now`; the run is the last one of this machine."""

    now: datetime
    exit_code: int
    seconds: float
    hospitals: tuple[HospitalState, ...] = ()
    completeness: tuple[CompletenessRow, ...] = ()
    conflicts: Mapping[str, int] = {}
    dropped: int = 0


class _Sheet:
    """The gauges of one file."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry

        self.registry = CollectorRegistry()

    def gauge(self, name: str, meaning: str, labels: tuple[str, ...],
              values: Iterable[tuple[tuple[str, ...], float]]) -> None:
        """One metric with all its values; of several with the same labels the sum."""
        from prometheus_client import Gauge

        made = Gauge(_PREFIX + name, meaning, labels, registry=self.registry)
        for label, value in values:
            (made.labels(*label) if labels else made).inc(value)


def text(state: State) -> bytes:
    """The file's content."""
    from prometheus_client import generate_latest

    sheet = _Sheet()
    sheet.gauge("run_exit_code", "Exit code of the last run (DESIGN 6: 0 whole, 3 incomplete, 5 refused, ...)", (),
                [((), state.exit_code)])
    sheet.gauge("run_duration_seconds", "How long the last run took", (), [((), state.seconds)])
    sheet.gauge("written_timestamp_seconds", "When this file was written: after a run, or when nothing was due", (),
                [((), state.now.timestamp())])
    sheet.gauge("log_dropped_keys", "Keys and values of the last run's log that were not on the allow-list", (),
                [((), state.dropped)])
    sheet.gauge("open_conflicts", "Conflicts that nobody has settled", ("kind",),
                [((kind,), count) for kind, count in sorted(state.conflicts.items())])
    _completeness(sheet, state)
    _hospitals(sheet, state.hospitals)
    return generate_latest(sheet.registry)


def _completeness(sheet: _Sheet, state: State) -> None:
    # several coverage rows may fall on one label: the oldest says since when everything is whole
    asked: dict[tuple[str, str], tuple[float | None, bool]] = {}
    for row in state.completeness:
        if row.declared_gap:
            continue
        key = (row.hospital, _type(row.type))
        at = datetime.fromisoformat(row.whole_as_of).timestamp() if row.whole_as_of else None
        before, was_open = asked.get(key, (at, False))
        asked[key] = (None if at is None or before is None else min(at, before), was_open or bool(row.open_since))
    labels = ("hospital", "type")
    whole = [(key, at) for key, (at, _) in asked.items() if at is not None]
    sheet.gauge("whole_as_of_timestamp_seconds", "When we last had everything; missing if never", labels, whole)
    sheet.gauge("whole_as_of_age_seconds", "How long ago that was when this file was written", labels,
                [(key, state.now.timestamp() - at) for key, at in whole])
    sheet.gauge("incomplete", "1 while something of this type is missing", labels,
                [(key, float(is_open)) for key, (_, is_open) in asked.items()])
    windows = [((one.hospital, _type(type)), float(count)) for one in state.hospitals
               for type, count in one.open_windows.items()]
    sheet.gauge("open_windows", "Questions whose answer was not whole", labels, windows)


def _hospitals(sheet: _Sheet, hospitals: tuple[HospitalState, ...]) -> None:
    label = ("hospital",)
    sheet.gauge("last_run_exit_code", "How a hospital's part of its last run ended", label,
                [((one.hospital,), one.exit_code) for one in hospitals if one.exit_code is not None])
    sheet.gauge("last_run_duration_seconds", "How long a hospital's part of its last run took", label,
                [((one.hospital,), one.seconds) for one in hospitals if one.seconds is not None])
    sheet.gauge("last_run_end_timestamp_seconds", "When the last run in which a hospital was asked ended", label,
                [((one.hospital,), one.ended.timestamp()) for one in hospitals if one.ended is not None])
    sheet.gauge("last_run_records", "What became of the records of a hospital's last run (DESIGN 5.3)",
                ("hospital", "outcome"),
                [((one.hospital, name), getattr(one.counts, name)) for one in hospitals
                 if one.exit_code is not None for name in Counts.__struct_fields__])
    sheet.gauge("quarantine_waiting", "Refused records that nobody has acknowledged", label,
                [((one.hospital,), one.quarantine) for one in hospitals])
    sheet.gauge("paused_until_timestamp_seconds", "Until when a hospital asked to be left alone; 0: it did not", label,
                [((one.hospital,), one.paused_until.timestamp() if one.paused_until else 0.0) for one in hospitals])
    sheet.gauge("next_due_timestamp_seconds", "When a scheduled job asks a hospital next", label,
                [((one.hospital,), one.due.timestamp()) for one in hospitals if one.due is not None])


def _type(written: str) -> str:
    if written == "*":
        return _EVERYTHING
    return written if _TYPE.fullmatch(written) else _OTHER


def write(path: Path, content: bytes) -> None:
    """The whole file or none of it, readable by the collector; raises OSError when it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
