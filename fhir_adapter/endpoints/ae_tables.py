"""Adverse event tables: participants, each once at the worst grade, never events.

CTCAE versions never stand in one count: every table has a column `ctcae` and counts each version by itself. A missing
grade is its own column; it neither raises nor lowers the worst grade. Source: endpoints.md §10.
"""

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

GRADES = ("1", "2", "3", "4", "5", "missing")
SETS = ("registered", "teae", "extended")
LEADING_TO = {"withdrawn": "leading to stop", "reduced": "leading to reduction", "rate_reduced": "leading to reduction",
              "interrupted": "leading to interruption"}
"""Actions taken with a component, as rows of the standard table."""


def of_set(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows of `ae_episode` that belong to an analysis set.

    Raises:
        KeyError: `name` is none of `registered`, `teae`, `extended`.
    """
    return frame[frame[f"in_{name}"].eq(True)]


def ae_summary(frame: pd.DataFrame, name: str = "registered") -> pd.DataFrame:
    """Participants by worst grade: overall, per organ class, per term; by frequency, then by name.

    In: the table `ae_episode`; `name` is `registered`, `teae` or `extended`. Out: ctcae, level (overall, soc, term),
    soc, term, participants, one column per grade `1` to `5` and `missing`. An organ class is not the sum of its terms.
    """
    columns = ["ctcae", "level", "soc", "term", "participants", *GRADES]
    events = of_set(frame, name)
    if len(events) == 0:
        return pd.DataFrame({column: pd.Series(dtype=object) for column in columns})
    parts: list[pd.DataFrame] = []
    levels: tuple[tuple[str, list[str]], ...] = (
        ("overall", ["ctcae"]), ("soc", ["ctcae", "soc"]), ("term", ["ctcae", "soc", "term"]))
    for level, keys in levels:
        worst = events.assign(grade=pd.to_numeric(events["grade"])).groupby([*keys, "subject"], as_index=False)[
            "grade"].max()
        label = worst["grade"].astype("Int64").astype("string").fillna("missing")
        counted = worst.assign(label=label, one=1, **{key: "" for key in ("soc", "term") if key not in keys})
        table = counted.pivot_table(index=["ctcae", "soc", "term"], columns="label", values="one", aggfunc="sum",
                                    fill_value=0)
        table = table.reindex(columns=list(GRADES), fill_value=0).astype("int64")
        parts.append(table.assign(participants=table.sum(axis=1), level=level).reset_index())
    whole: pd.DataFrame = pd.concat(parts, ignore_index=True)[columns]
    whole["rank"] = whole["level"].map({"overall": 0, "soc": 1, "term": 2})
    whole = whole.sort_values(["ctcae", "rank", "participants", "soc", "term"],
                              ascending=[True, True, False, True, True])
    return whole.drop(columns="rank").reset_index(drop=True)


def standard_rows(frame: pd.DataFrame, name: str = "registered", safety: Iterable[str] | None = None) -> pd.DataFrame:
    """Participants with any event, with grade 3 or more, and so on, and with events that changed a treatment.

    In: the table `ae_episode`; the analysis set; the safety population that is the denominator (without it `n` and
    `percent` stay empty; participants outside it are not counted). Out: ctcae, row, component (only where an event led
    to a change), participants, n, percent.
    """
    events = of_set(frame, name)
    members = None if safety is None else frozenset(safety)
    if members is not None:
        events = events[events["subject"].isin(list(members))]
    lines: list[tuple[str, str, str, int]] = []
    for version, some in events.groupby("ctcae", sort=True):
        lines += [(str(version), row, "", people) for row, people in _overall(some)]
        lines += [(str(version), row, component, people) for row, component, people in _changes(some)]
    found = pd.DataFrame(lines, columns=["ctcae", "row", "component", "participants"], dtype=object)
    size = None if members is None else len(members)
    percent: list[Any] = [round(100 * one / size, 1) if size else None for one in found["participants"].tolist()]
    return found.assign(n=size, percent=percent)


def _overall(some: pd.DataFrame) -> list[tuple[str, int]]:
    grade = pd.to_numeric(some["grade"])
    related, serious, immune = (some[column].eq(True) for column in ("related", "serious", "immune_related"))
    rows = [("any", grade.isna() | grade.notna()), ("grade >= 3", grade >= 3), ("grade 5", grade == 5),
            ("fatal", some["fatal"].eq(True)), ("serious", serious), ("related", related),
            ("related, grade >= 3", related & (grade >= 3)), ("related and serious", related & serious)]
    if some["immune_related"].notna().any():
        rows.append(("immune-related", immune))
    return [(name, int(some.loc[chosen, "subject"].nunique())) for name, chosen in rows]


def _changes(some: pd.DataFrame) -> list[tuple[str, str, int]]:
    """Participants by what an event led to, for each component and (empty component) for any of them."""
    people: dict[tuple[str, str], set[str]] = {}
    for subject, actions in zip(some["subject"].tolist(), some["actions"].tolist(), strict=True):
        for one in json.loads(actions):
            component, _, action = one.rpartition(":")
            if action in LEADING_TO:
                for name in ("", component):
                    people.setdefault((LEADING_TO[action], name), set()).add(subject)
    order = list(dict.fromkeys(LEADING_TO.values()))
    return [(row, component, len(who)) for (row, component), who in sorted(
        people.items(), key=lambda item: (order.index(item[0][0]), item[0][1]))]


def all_sets(frame: pd.DataFrame, safety: Iterable[str]) -> pd.DataFrame:
    """The standard rows with the participants and percent of each analysis set beside each other.

    In: as `standard_rows`. Out: ctcae, row, component (`any` of them, where an event led to a change), and for each set
    `x of n (percent %)`; a row that no set has is left out.
    """
    members, keys = frozenset(safety), ["ctcae", "row", "component"]
    lines: dict[tuple[str, str, str], dict[str, str]] = {}
    for name in SETS:
        rows: Iterable[Any] = standard_rows(frame, name, members).itertuples()
        for row in rows:
            component = row.component or ("any" if row.row in LEADING_TO.values() else "")
            told = f"{row.participants} of {row.n} ({row.percent} %)" if row.n else str(row.participants)
            lines.setdefault((row.ctcae, row.row, component), {})[name] = told
    nobody = f"0 of {len(members)} (0.0 %)" if members else "0"
    return pd.DataFrame([(*key, *(told.get(name, nobody) for name in SETS)) for key, told in lines.items()],
                        columns=[*keys, *SETS], dtype=object)
