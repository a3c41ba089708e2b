"""Tracing: from a conclusion to decisions, facts, element paths, raw versions and URLs, in words."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from fhir_adapter.core.errors import UsageError
from fhir_adapter.steps.comparing import key_of
from fhir_adapter.steps.workspace import Workspace, system_user
from fhir_adapter.store.records import Signature

CONCLUSIONS: dict[str, tuple[str, dict[str, str]]] = {
    "PFS": ("time_to_event", {"endpoint": "PFS"}),
    "OS": ("time_to_event", {"endpoint": "OS"}),
    "DOR": ("time_to_event", {"endpoint": "DOR"}),
    "TTR": ("time_to_event", {"endpoint": "TTR"}),
    "TTP": ("time_to_event", {"endpoint": "TTP"}),
    "IPFS": ("time_to_event", {"endpoint": "iPFS"}),
    "IBOR": ("immune_best_response", {}),
    "IRESPONSE": ("immune_time_point", {}),
    "BOR": ("best_response", {}),
    "RESPONSE": ("time_point", {}),
    "BASELINE": ("baseline", {}),
    "AE": ("ae_episode", {}),
    "LAB": ("lab_toxicity", {}),
    "TREATMENT": ("treatment", {}),
    "EXPOSURE": ("exposure", {}),
    "ALIVE": ("alive_evidence", {}),
    "POPULATION": ("population", {}),
}
"""What can be traced, and where it stands."""

_SHOWN = ("rule", "evaluator", "source", "population", "treatment", "term", "number", "value", "status", "date",
          "first_response_date", "overall", "test", "grade", "role", "doses", "total_mg", "dose_cgy", "included")
_HIDDEN = frozenset({"fact_key", "subject", "hospital", "resource", "ordinal", "element", "position", "standing",
                     "held_by", "held_kind", "lesion", "performer", "part_of", "volume"})


def trace(work: Workspace, endpoint: str, subject: str) -> list[str]:
    """The lines that walk from a subject's value back to where it was said.

    URLs and source ids come from the vault; the look is an audit entry. Raises UsageError for an endpoint or a subject
    that is not there.
    """
    if endpoint.upper() not in CONCLUSIONS:
        raise UsageError(f"{endpoint} cannot be traced; choose from {', '.join(CONCLUSIONS)}.")
    table, wanted = CONCLUSIONS[endpoint.upper()]
    frame = work.trial.frames((table,), [subject])[table]
    for column, value in wanted.items():
        frame = frame[frame[column] == value]
    if frame.empty:
        raise UsageError(f"There is no {endpoint.upper()} of subject {subject}; `fhir-adapter subjects list` shows who "
                         "is there.")
    work.vault.note(Signature(by=system_user(), system_user=system_user(), at=work.clock()), "trace",
                    f"{endpoint.upper()} of {subject}")
    rows: list[Any] = sorted(frame.itertuples(), key=lambda row: not getattr(row, "headline", False))
    tables = sorted({name.partition(":")[0] for row in rows for name in json.loads(row.facts)})
    facts: dict[str, Any] = {}
    for name, stated in work.trial.frames(tables, [subject]).items():
        facts |= {f"{name}:{one.fact_key}": one for one in stated.itertuples()}
    missing = list(_incomplete(work, subject))
    outlook = {(one["endpoint"], one["rule"]): one["may_become"]
               for one in work.trial.rows("outlook", "subject", [subject])}
    lines = [f"{endpoint.upper()} of {subject}"]
    for row in rows:
        lines += _value(row, missing)
        lines += [f"  would be {one['value'] or 'none'} if {one['kind']} {one['conflict'][:12]} turns out: {one['if']}"
                  for one in json.loads(outlook.get(key_of(table, row), "[]"))]
        for name in json.loads(row.facts):
            lines += _fact(work, name.partition(":")[0], facts.get(name))
    return lines


def _value(row: Any, missing: Iterable[str]) -> Iterator[str]:
    shown = [f"{name} {getattr(row, name)}" for name in _SHOWN if _present(getattr(row, name, None))]
    yield ""
    yield ", ".join([*(["headline"] if getattr(row, "headline", False) is True else []), *shown])
    yield f"  why: {row.why}"
    if row.provisional:
        yield f"  provisional: open conflicts of kind {', '.join(json.loads(row.held_kinds)) or 'unknown'}"
    yield from missing


def _incomplete(work: Workspace, subject: str) -> Iterator[str]:
    found = work.trial.frames(("completeness", "subject"))
    known = found["subject"][found["subject"].subject == subject]
    hospitals = json.loads(known.hospitals.iloc[0]) if len(known) else []
    rows = found["completeness"]
    for row in rows[rows.hospital.isin(hospitals) & rows.open_since.notna()].itertuples():
        yield f"  incomplete: {row.type} of {row.hospital} since {row.open_since}"


def _fact(work: Workspace, table: str, row: Any) -> Iterator[str]:
    if row is None:
        return
    values = ", ".join(f"{column} {_plain(value)}" for column, value in row._asdict().items()
                       if column not in _HIDDEN and column != "Index" and _present(value)
                       and not column.endswith(("_precision", "_written")))
    held = f" ({row.standing}: {row.held_kind or row.held_by})" if row.standing != "current" else ""
    yield f"  {table.replace('_', ' ')}{held}: {values}"
    if row.hospital == "decision":
        yield from _decision(work, int(row.ordinal))
        return
    version = next((one for one in work.vault.versions_of([row.resource]) if one.ordinal == row.ordinal), None)
    if version is None:
        yield f"    at {row.element} of record {row.resource}, version {row.ordinal}, {row.hospital}"
        return
    yield f"    at {row.element or 'the record'} of {version.type}/{version.fhir_id}, {row.hospital}, version " \
          f"{version.version_id or row.ordinal}, received {version.received_at}"
    yield f"    {version.url or 'no URL'}, SHA-256 {version.sha256[:16]}..."


def _decision(work: Workspace, number: int) -> Iterator[str]:
    for one in work.vault.decisions():
        if one.number == number:
            yield f"    decision {number} by {one.decided_by} at {one.decided_at}: {one.choice}; reason: {one.reason}"


def _plain(value: Any) -> Any:
    """A whole number without the `.0` that a column with gaps gives it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _present(value: Any) -> bool:
    return not pd.isna(value) and value != ""
