"""The trial's headline numbers from the conclusion tables.

Rates and curves are over the population that `[population] efficacy` names (default: treated), response rates with
everyone in the denominator, also those never assessed (`rates`); DCR and CBR go by the confirmed best response. Adverse
events are counted among the treated. Source: endpoints.md §4, §8, §9, §10.
"""

from collections import Counter

import pandas as pd

from fhir_adapter.core.figures import AeCounts, ByReader, Curve, Quantile, Summary
from fhir_adapter.core.study import Protocol
from fhir_adapter.endpoints import rates
from fhir_adapter.endpoints.ae_tables import GRADES, SETS
from fhir_adapter.endpoints.conclusion_columns import EVALUATORS
from fhir_adapter.endpoints.estimates import Followed, curve, follow_up

INVESTIGATOR = EVALUATORS[0]
RULES = ("treatment_policy", "table_a")
CURVES = (*(("PFS", rule) for rule in RULES), ("OS", ""),
          *((endpoint, rule) for endpoint in ("DOR", "TTP", "iPFS") for rule in RULES))
"""Endpoint and rule of every curve of the summary."""


def summary(frames: dict[str, pd.DataFrame], protocol: Protocol) -> Summary:
    """Populations, response rates, curves and adverse event counts of the tables that `derive` returns."""
    members = {name: rates.members(frames["population"], name) for name in rates.POPULATIONS}
    efficacy = members[protocol.population.efficacy]
    best = frames["best_response"]
    by_reader = tuple(_by_reader(frames, reader, efficacy, protocol) for reader in rates.readers(best))
    mine, rough = (rates.of_reader(best, INVESTIGATOR, efficacy, protocol, confirmed=one) for one in (True, False))
    counts = (_counted(rates.best(best, INVESTIGATOR, confirmed=wanted), efficacy) for wanted in (True, False))
    curves = tuple(_curve(frames["time_to_event"], efficacy, (endpoint, rule, INVESTIGATOR if rule else ""), protocol)
                   for endpoint, rule in CURVES)
    return Summary(
        screened=len(members["screened"]), enrolled=len(members["enrolled"]), treated=len(members["treated"]),
        evaluable=len(members["evaluable"]), efficacy=protocol.population.efficacy,
        orr_confirmed=mine["ORR"], orr_unconfirmed=rough["ORR"], dcr=mine["DCR"], cbr=mine["CBR"],
        orr_unirradiated=mine["ORR without irradiated targets"], readers=by_reader,
        best_confirmed=next(counts), best_unconfirmed=next(counts), curves=curves,
        follow_up=_follow_up(frames["time_to_event"], efficacy, protocol),
        adverse_events=tuple(ae_counts(frames["ae_episode"], members["safety"], name) for name in SETS),
    )


def _by_reader(frames: dict[str, pd.DataFrame], reader: str, members: frozenset[str], protocol: Protocol) -> ByReader:
    confirmed, unconfirmed = (rates.of_reader(frames["best_response"], reader, members, protocol, confirmed=wanted)
                              for wanted in (True, False))
    return ByReader(
        evaluator=reader, orr_confirmed=confirmed["ORR"], orr_unconfirmed=unconfirmed["ORR"], dcr=confirmed["DCR"],
        cbr=confirmed["CBR"], curves=tuple(
            _curve(frames["time_to_event"], members, (endpoint, rule, reader), protocol)
            for endpoint in ("PFS", "TTP") for rule in RULES))


def _counted(best: pd.DataFrame, members: frozenset[str]) -> dict[str, int]:
    found = rates.values(best)
    return dict(sorted(Counter(found.get(subject, "NE") for subject in members).items()))


def _times(frame: pd.DataFrame, members: frozenset[str], which: tuple[str, str, str]) -> tuple[list[Followed], int]:
    endpoint, rule, reader = which
    rows = frame[(frame["endpoint"] == endpoint) & (frame["rule"] == rule) & (frame["evaluator"] == reader)
                 & frame["subject"].isin(list(members))]
    known = rows[rows["status"] != "undetermined"]
    followed = [Followed(int(days), status == "event")
                for days, status in zip(known["days"], known["status"], strict=True)]
    return followed, len(rows) - len(known)


def _curve(frame: pd.DataFrame, members: frozenset[str], which: tuple[str, str, str], protocol: Protocol) -> Curve:
    followed, undetermined = _times(frame, members, which)
    return curve(which[0], which[1], followed, protocol.time_to_event, undetermined)


def _follow_up(frame: pd.DataFrame, members: frozenset[str], protocol: Protocol) -> Quantile:
    return follow_up(_times(frame, members, ("OS", "", ""))[0], protocol.time_to_event)


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
