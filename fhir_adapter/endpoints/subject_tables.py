"""Tables about subjects: populations, who they were, how they went through the study, what else they received.

Every function takes the tables that `derive` returns (and, where it says so, fact frames) and gives a frame of counts.
A percentage is of the population; of nobody it is empty. Who is missing is counted as missing, never left out.
Source: endpoints.md §9, §0.11, §0.18; CONSORT's flow for the dispositions.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pandas as pd

from fhir_adapter.endpoints import rates

Frames = dict[str, pd.DataFrame]
PRIOR_KINDS = ("drug", "radiotherapy", "surgery")
Line = tuple[str, str, int | None, float | None, str | None]
"""Characteristic, level, subjects, percent, value."""
_REASONS = {"end_of_component": "ended", "withdrawal": "withdrew from", "end_of_study": "study ended",
            "lost_to_follow_up": "lost to follow-up"}


def share(x: int, n: int) -> float | None:
    """x of n in percent, to one decimal; None of nobody."""
    return round(100 * x / n, 1) if n else None


def populations(frames: Frames) -> pd.DataFrame:
    """Subjects of every population, and those excluded by reason.

    Out: population, reason (empty: included), subjects.
    """
    rows = frames["population"]
    known = rows.assign(reason=rows["reason"].fillna(""))
    counted = known.groupby(["population", "reason"], sort=False)["subject"].size()
    order = {name: place for place, name in enumerate(rates.POPULATIONS)}
    found = counted.reset_index(name="subjects")
    ranked = found.assign(rank=found["population"].map(order)).sort_values(["rank", "reason"], kind="stable")
    return ranked.drop(columns="rank").reset_index(drop=True)


def excluded(frames: Frames) -> pd.DataFrame:
    """Everybody who is not in a population, with the reason as a code and in words.

    Out: population, subject, reason, why; in the order of populations and subjects.
    """
    rows = frames["population"]
    out = rows[~rows["included"].eq(True)]
    order = {name: place for place, name in enumerate(rates.POPULATIONS)}
    ranked = out.assign(rank=out["population"].map(order)).sort_values(["rank", "subject"], kind="stable")
    return ranked[["population", "subject", "reason", "why"]].reset_index(drop=True)


def characteristics(frames: Frames, population: str = "treated") -> pd.DataFrame:
    """Who the subjects of a population were at the baseline.

    Out: characteristic, level, subjects, percent, value. Numbers have one row `median (range)` with the text in
    `value`; categories one row a level; both a row `missing` when somebody's is not known.
    """
    among = rates.members(frames["population"], population)
    rows = frames["baseline"]
    mine = rows[(rows["evaluator"] == "investigator") & rows["subject"].isin(list(among))]
    mine = mine.set_index("subject").reindex(sorted(among))
    treated = frames["treatment"]
    prior = treated[treated["role"] == "prior"]
    lines: list[Line] = []
    lines += _number("age, years", mine["age"])
    for name, column in (("sex", "sex"), ("ECOG", "ecog"), ("histology", "histology"), ("stage", "stage"),
                         ("BRAF", "braf"), ("PD-L1", "pdl1")):
        lines += _levels(name, mine[column])
    for kind in PRIOR_KINDS:
        had = prior.loc[(prior["kind"] == kind) & prior["subject"].isin(list(among)), "subject"].nunique()
        lines.append((f"prior {kind}", "yes", had, share(had, len(among)), None))
    lines += _number("sum of target diameters, mm", pd.to_numeric(mine["sum_um"]) / 1000)
    targets = pd.to_numeric(mine["targets"])
    lines += _number("target lesions", targets.where(targets > 0))
    return pd.DataFrame(lines, columns=["characteristic", "level", "subjects", "percent", "value"], dtype=object)


def _number(name: str, values: "pd.Series[float]") -> list[Line]:
    known = pd.to_numeric(values).dropna()
    if not len(values):
        return []
    told = f"{known.median():g} ({known.min():g} to {known.max():g})" if len(known) else None
    lines: list[Line] = [(name, "median (range)", len(known), share(len(known), len(values)), told)]
    missing = len(values) - len(known)
    if missing:
        lines.append((name, "missing", missing, share(missing, len(values)), None))
    return lines


def _levels(name: str, values: "pd.Series[Any]") -> list[Line]:
    given: list[Any] = values.tolist()
    counts = Counter("missing" if one is None or one != one else f"{one:g}" if isinstance(one, float) else str(one)
                     for one in given)
    ranked = sorted(counts.items(), key=lambda item: (item[0] == "missing", item[0]))
    lines: list[Line] = [(name, level, count, share(count, len(values)), None) for level, count in ranked]
    return lines


def disposition(frames: Frames, steps: pd.DataFrame) -> pd.DataFrame:
    """How far subjects came, and how their treatment and their study ended.

    In: conclusions, and the fact table `disposition` (current and held facts). Out: step, detail (component, level or
    reason; may be empty), subjects, percent (of the treated; none of who came before). A subject counts once a line.
    """
    count = {name: len(rates.members(frames["population"], name)) for name in ("screened", "enrolled", "treated")}
    lines: list[tuple[str, str, int, float | None]] = [
        (name, "", count[name], share(count[name], count["treated"]) if name == "treated" else None) for name in count]
    treated = rates.members(frames["population"], "treated")
    dead = frames["time_to_event"]
    died = set(dead.loc[(dead["endpoint"] == "OS") & (dead["status"] == "event"), "subject"]) & treated
    wanted = ["subject", "event", "component", "level", "reason"]
    some = steps.reindex(columns=wanted)
    failed = some.loc[some["event"] == "screening_failure", "subject"].nunique()
    lines.insert(1, ("screening failure", "", failed, None))
    ended = some[some["event"].isin(list(_REASONS)) & some["subject"].isin(list(treated))]
    keyed = pd.DataFrame({
        "subject": ended["subject"], "step": ended["event"].map(_REASONS),
        "detail": [", ".join(str(one) for one in row if isinstance(one, str)) for row in zip(
            ended["component"], ended["level"], ended["reason"], strict=True)]}).drop_duplicates()
    counts = keyed.groupby(["step", "detail"])["subject"].nunique().reset_index()
    for step, detail, number in counts.itertuples(index=False):
        lines.append((str(step), str(detail), int(number), share(int(number), count["treated"])))
    over = set(ended.loc[ended["event"].isin(["end_of_study", "lost_to_follow_up"]), "subject"])
    lines.append(("died", "", len(died), share(len(died), count["treated"])))
    going = len(treated - died - over)
    lines.append(("in follow-up", "", going, share(going, count["treated"])))
    return pd.DataFrame(lines, columns=["step", "detail", "subjects", "percent"], dtype=object)


def therapies(frames: Frames, roles: Iterable[str] = ("prior", "subsequent", "supportive", "unknown")) -> pd.DataFrame:
    """What the treated received beside the study: by role, kind and concept; each subject once a line.

    Out: role, kind, therapy (`any` first), subjects, percent (of the treated), provisional (subjects whose role is
    still open).
    """
    treated = rates.members(frames["population"], "treated")
    rows = frames["treatment"]
    rows = rows[rows["subject"].isin(list(treated))]
    lines = []
    for role in roles:
        mine = rows[rows["role"] == role]
        groups = [("any", "any", mine)]
        for kind, some in mine.groupby("kind", sort=True):
            groups.append((str(kind), "any", some))
            named = [(str(kind), str(name) or "not stated", of) for name, of in some.groupby("therapy")]
            groups += sorted(named, key=lambda group: (-group[2]["subject"].nunique(), group[1]))
        for kind, name, some in groups:
            people = some["subject"].nunique()
            lines.append((role, kind, name, people, share(people, len(treated)),
                          some.loc[some["provisional"].eq(True), "subject"].nunique()))
    return pd.DataFrame(lines, columns=["role", "kind", "therapy", "subjects", "percent", "provisional"], dtype=object)
