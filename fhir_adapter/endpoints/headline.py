"""The trial's headline numbers from the conclusion tables.

Rates and curves are over the population that `[population] efficacy` names (default: treated), response rates with
everyone in the denominator, also those never assessed. DCR counts CR, PR, SD and NON-CR/NON-PD of the confirmed best
response. Adverse events are counted among the treated. Source: endpoints.md §4, §8, §9, §10.
"""

from collections import Counter

import pandas as pd

from fhir_adapter.core.figures import AeCounts, Curve, Quantile, Rate, Summary
from fhir_adapter.core.study import Protocol
from fhir_adapter.endpoints.ae_tables import GRADES, SETS
from fhir_adapter.endpoints.estimates import Followed, curve, follow_up, rate

RESPONDED = ("CR", "PR")
CONTROLLED = ("CR", "PR", "SD", "NON-CR/NON-PD")


def summary(frames: dict[str, pd.DataFrame], protocol: Protocol) -> Summary:
    """Populations, response rates, curves and adverse event counts of the tables that `derive` returns."""
    members = {name: _members(frames["population"], name)
               for name in ("screened", "enrolled", "treated", "safety", "evaluable")}
    efficacy = members[protocol.population.efficacy]
    confirmed, unconfirmed = (_best(frames["best_response"], wanted) for wanted in (True, False))
    curves = tuple(_curve(frames["time_to_event"], efficacy, endpoint, rule, protocol) for endpoint, rule in (
        ("PFS", "treatment_policy"), ("PFS", "table_a"), ("OS", ""), ("DOR", "treatment_policy"), ("DOR", "table_a"),
    ))
    return Summary(
        screened=len(members["screened"]), enrolled=len(members["enrolled"]), treated=len(members["treated"]),
        evaluable=len(members["evaluable"]), efficacy=protocol.population.efficacy,
        orr_confirmed=_share(confirmed, efficacy, RESPONDED), orr_unconfirmed=_share(unconfirmed, efficacy, RESPONDED),
        dcr=_share(confirmed, efficacy, CONTROLLED), best_confirmed=_counted(confirmed, efficacy),
        best_unconfirmed=_counted(unconfirmed, efficacy), curves=curves,
        follow_up=_follow_up(frames["time_to_event"], efficacy, protocol),
        adverse_events=tuple(ae_counts(frames["ae_episode"], members["safety"], name) for name in SETS),
    )


def _members(population: pd.DataFrame, name: str) -> frozenset[str]:
    chosen = population[(population["population"] == name) & population["included"].eq(True)]
    return frozenset(chosen["subject"].tolist())


def _best(best: pd.DataFrame, confirmed: bool) -> dict[str, str]:
    """The best response of every subject in the source and by the reader that are analysed."""
    lead = best[best["headline"].eq(True)]
    source = dict(zip(lead["subject"], lead["source"], strict=True))
    mine = best[(best["evaluator"] == "investigator") & best["confirmed"].eq(confirmed)]
    return {subject: value for subject, of, value in zip(mine["subject"], mine["source"], mine["value"], strict=True)
            if source.get(subject) == of}


def _share(best: dict[str, str], members: frozenset[str], values: tuple[str, ...]) -> Rate:
    return rate(sum(best.get(subject) in values for subject in members), len(members))


def _counted(best: dict[str, str], members: frozenset[str]) -> dict[str, int]:
    return dict(sorted(Counter(best.get(subject, "NE") for subject in members).items()))


def _times(frame: pd.DataFrame, members: frozenset[str], endpoint: str, rule: str) -> tuple[list[Followed], int]:
    rows = frame[(frame["endpoint"] == endpoint) & (frame["rule"] == rule) & frame["subject"].isin(list(members))]
    known = rows[rows["status"] != "undetermined"]
    followed = [Followed(int(days), status == "event")
                for days, status in zip(known["days"], known["status"], strict=True)]
    return followed, len(rows) - len(known)


def _curve(frame: pd.DataFrame, members: frozenset[str], endpoint: str, rule: str, protocol: Protocol) -> Curve:
    followed, undetermined = _times(frame, members, endpoint, rule)
    return curve(endpoint, rule, followed, protocol.time_to_event, undetermined)


def _follow_up(frame: pd.DataFrame, members: frozenset[str], protocol: Protocol) -> Quantile:
    return follow_up(_times(frame, members, "OS", "")[0], protocol.time_to_event)


def ae_counts(episodes: pd.DataFrame, members: frozenset[str], name: str) -> AeCounts:
    """Participants with an event of one analysis set, each once, at the worst known grade."""
    rows = episodes[episodes[f"in_{name}"].eq(True) & episodes["subject"].isin(list(members))]
    grades = pd.to_numeric(rows["grade"])
    worst = grades.groupby(rows["subject"]).max()
    labels = Counter("missing" if pd.isna(grade) else str(int(grade)) for grade in worst)
    related = rows["related"].eq(True)
    return AeCounts(
        name=name, n=len(members), any=len(worst), grade_3_or_more=int((worst >= 3).sum()),
        grade_5=int((worst >= 5).sum()), serious=_people(rows, rows["serious"].eq(True)),
        related=_people(rows, related), related_3_or_more=_people(rows, related & (grades >= 3)),
        worst_grade={grade: labels.get(grade, 0) for grade in GRADES},
    )


def _people(rows: pd.DataFrame, chosen: "pd.Series[bool]") -> int:
    return int(rows.loc[chosen, "subject"].nunique())


def subgroups(exposure: pd.DataFrame) -> dict[str, int]:
    """Treated subjects by whether their radiotherapy dose reaches the subgroup's limit."""
    rows = exposure[exposure["treatment"] == "radiotherapy"]
    return dict(sorted(Counter(rows["at_least_subgroup"].tolist()).items()))
