"""Compares a trial database with golden files, which come from the generator's latent truth, not from the adapter."""

import json
from collections import Counter
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pandas as pd

from fhir_adapter.steps.reporting import conclusions, summarise
from fhir_adapter.steps.workspace import Workspace

GOLDEN = Path(__file__).parents[2] / "fixtures" / "golden"


def read(variant: str, name: str) -> Any:
    """One golden file."""
    return json.loads((GOLDEN / variant / f"{name}.json").read_text(encoding="utf-8"))


def fact_differences(work: Workspace, variant: str, *, by_value: bool = False) -> list[str]:
    """Facts that are expected and missing, or there and not expected, over the columns that the truth knows.

    `by_value`: 1.10 as written equals 1.1, for a server that rewrites decimals (servers.md, trap 7).
    """
    found: list[str] = []
    for table, rows in read(variant, "facts").items():
        names = sorted({name for row in rows for name in row})
        frame = work.trial.frames((table,), standings=("current", "held"))[table]
        actual = Counter(_plain(row, names, by_value) for row in frame.to_dict("records"))
        expected = Counter(_plain(row, names, by_value) for row in rows)
        found += [f"{table}: missing {row} x{count}" for row, count in sorted((expected - actual).items(), key=str)]
        found += [f"{table}: unexpected {row} x{count}" for row, count in sorted((actual - expected).items(), key=str)]
    return found


def conflict_differences(work: Workspace, variant: str) -> list[str]:
    """Conflicts by kind, subjects, hospitals and state."""
    frames = work.trial.frames(("conflict", "conflict_item"))
    identities = {work.vault.key(one.hospital, "Patient", one.patient): one.subject for one in work.vault.identities()}
    actual: Counter[str] = Counter()
    for row in frames["conflict"].to_dict("records"):
        items = frames["conflict_item"]
        keys = items[items.conflict_key == row["key"]].resource
        subjects = {row["subject"]} - {None} | {identities[key] for key in keys if key in identities}
        actual[_conflict(row["kind"], subjects, json.loads(row["hospitals"]), row["state"])] += 1
    expected = Counter(
        _conflict(row["kind"], row["subjects"], row["hospitals"], row["state"]) for row in read(variant, "conflicts"))
    return [f"missing {one} x{count}" for one, count in sorted((expected - actual).items())] + [
        f"unexpected {one} x{count}" for one, count in sorted((actual - expected).items())]


def _conflict(kind: str, subjects: Any, hospitals: Any, state: str) -> str:
    return f"{kind} {sorted(subjects)} {sorted(hospitals)} {state}"


def endpoint_differences(work: Workspace, variant: str) -> list[str]:
    """Response, progression, survival and adverse events, subject by subject."""
    frames = conclusions(work)
    found: list[str] = []
    for subject, expected in read(variant, "endpoints")["subjects"].items():
        actual = subject_endpoints(frames, subject)
        found += [f"{subject}: {name} is {actual[name]}, expected {value}"
                  for name, value in expected.items() if actual[name] != value]
    return found


def subject_endpoints(frames: dict[str, pd.DataFrame], subject: str) -> dict[str, Any]:
    """The endpoints of one subject in the golden files' shape."""
    own = {name: frame[frame.subject == subject] for name, frame in frames.items()}
    best = own["best_response"][own["best_response"].headline.astype(bool)]
    by_rule = own["best_response"][own["best_response"].evaluator.isin(set(best.evaluator) or {"investigator"})]
    times, treated = own["time_to_event"], own["population"].query("population == 'treated'")

    def bor(confirmed: bool, column: str = "value") -> Any:
        rows = by_rule[(by_rule.confirmed.astype(bool) == confirmed) & by_rule.source.isin(set(best.source))]
        return None if rows.empty else _none(rows[column].iloc[0])

    def time(endpoint: str, rule: str) -> dict[str, Any]:
        rows = times[(times.endpoint == endpoint) & (times.rule == rule) & times.evaluator.isin(("", "investigator"))]
        return {"date": _none(rows.date.iloc[0]), "status": rows.status.iloc[0]} if len(rows) else {}

    episodes = own["ae_episode"]
    registered = episodes[episodes.in_registered.eq(True)] if len(episodes) else episodes
    terms = {term: _grade(rows.grade) for term, rows in registered.groupby("term")} if len(registered) else {}
    return {
        "treated": bool(treated.included.iloc[0]) if len(treated) else False,
        "bor_unconfirmed": bor(False), "bor_confirmed": bor(True),
        "first_response_date": bor(True, "first_response_date"),
        "pfs": {rule: time("PFS", rule) for rule in ("treatment_policy", "table_a")}, "os": time("OS", ""),
        "ae": {"participant": len(registered) > 0, "worst_grade": _grade(registered.grade) if len(registered) else None,
               "terms": terms},
    }


def summary_differences(work: Workspace, variant: str) -> list[str]:
    """The trial's headline numbers; medians in days."""
    expected, made = read(variant, "endpoints")["summary"], summarise(work)
    pfs, survival = made.curve("PFS", "treatment_policy"), made.curve("OS", "")
    registered = next(one for one in made.adverse_events if one.name == "registered")
    actual = {
        "enrolled": made.enrolled, "treated": made.treated,
        "orr_confirmed": [made.orr_confirmed.x, made.orr_confirmed.n],
        "orr_unconfirmed": [made.orr_unconfirmed.x, made.orr_unconfirmed.n],
        "pfs_median_days": pfs.median.days if pfs else None,
        "os_median_days": survival.median.days if survival else None,
        "ae_worst_grade": {grade: count for grade, count in registered.worst_grade.items() if count},
    }
    return [f"{name} is {actual[name]}, expected {value}" for name, value in expected.items()
            if name in actual and actual[name] != value]


def _grade(grades: "pd.Series[Any]") -> int | None:
    known = grades.dropna()
    return int(known.max()) if len(known) else None


def _none(value: Any) -> Any:
    return None if pd.isna(value) else value


def _plain(row: dict[Any, Any], names: list[str], by_value: bool) -> tuple[tuple[str, str], ...]:
    return tuple((name, _value(row.get(name)) if by_value and name.endswith("_text") else _text(row.get(name)))
                 for name in names)


def _value(written: Any) -> str:
    try:
        return _text(Decimal(written))
    except (InvalidOperation, TypeError):
        return _text(written)


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float | Decimal):
        return format(Decimal(str(value)).normalize(), "f")
    return str(value)
