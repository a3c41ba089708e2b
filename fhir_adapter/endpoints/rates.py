"""Response rates: who responded, whose disease was controlled, who had clinical benefit, by reader and population.

ORR counts CR and PR; DCR also SD and NON-CR/NON-PD; CBR counts of these two only those who were still so after
`benefit_days`. The denominator is the whole population, also who was never assessed. `unirradiated`: the ORR when
targets in a field of study radiotherapy are left out; who has none in a field counts as analysed. The interval is
Clopper and Pearson's. Source: endpoints.md §4, §2.1, §2.5.
"""

from collections.abc import Mapping

import pandas as pd

from fhir_adapter.core.figures import Rate
from fhir_adapter.core.study import Protocol
from fhir_adapter.endpoints.conclusion_columns import EVALUATORS, UNIRRADIATED
from fhir_adapter.endpoints.estimates import rate

RESPONDED = ("CR", "PR")
CONTROLLED = ("CR", "PR", "SD", "NON-CR/NON-PD")
POPULATIONS = ("screened", "enrolled", "treated", "safety", "evaluable")


def members(population: pd.DataFrame, name: str) -> frozenset[str]:
    """The subjects of a population."""
    chosen = population[(population["population"] == name) & population["included"].eq(True)]
    return frozenset(chosen["subject"].tolist())


def best(frame: pd.DataFrame, reader: str, *, confirmed: bool) -> pd.DataFrame:
    """The analysed row of `best_response` of every subject of one reader, by subject."""
    mine = frame[(frame["evaluator"] == reader) & frame["chosen"].eq(True) & frame["confirmed"].eq(confirmed)]
    return mine.set_index("subject")


def unirradiated(frame: pd.DataFrame, reader: str, *, confirmed: bool) -> dict[str, str]:
    """The best response of every subject without targets in a field of study radiotherapy."""
    other = frame[(frame["evaluator"] == reader) & (frame["source"] == UNIRRADIATED) & frame["confirmed"].eq(confirmed)]
    return values(best(frame, reader, confirmed=confirmed)) | dict(zip(other["subject"], other["value"], strict=True))


def values(rows: pd.DataFrame) -> dict[str, str]:
    """The best response by subject of rows that `best` gives."""
    return dict(zip(rows.index, rows["value"], strict=True))


def benefited(rows: pd.DataFrame, days: int) -> frozenset[str]:
    """Who had clinical benefit: a response, or controlled for so many days."""
    stable = rows["value"].isin(CONTROLLED) & (pd.to_numeric(rows["controlled_days"]) >= days)
    return frozenset(rows.index[rows["value"].isin(RESPONDED) | stable].tolist())


def share(found: Mapping[str, str], among: frozenset[str], counted: tuple[str, ...]) -> Rate:
    """How many of a population have one of the responses; nobody leaves the denominator."""
    return rate(sum(found.get(subject) in counted for subject in among), len(among))


def of_reader(frame: pd.DataFrame, reader: str, among: frozenset[str], protocol: Protocol, *,
              confirmed: bool) -> dict[str, Rate]:
    """ORR, DCR, CBR and the ORR without irradiated targets of one reader in one population."""
    rows = best(frame, reader, confirmed=confirmed)
    found = values(rows)
    return {
        "ORR": share(found, among, RESPONDED), "DCR": share(found, among, CONTROLLED),
        "CBR": rate(len(benefited(rows, protocol.response.benefit_days) & among), len(among)),
        "ORR without irradiated targets": share(unirradiated(frame, reader, confirmed=confirmed), among, RESPONDED),
    }


def readers(frame: pd.DataFrame) -> list[str]:
    """Who read anything, the investigator first."""
    found = set(frame["evaluator"])
    return [reader for reader in EVALUATORS if reader in found]


def table(frames: dict[str, pd.DataFrame], protocol: Protocol) -> pd.DataFrame:
    """Every rate over every population.

    In: the tables that `derive` returns. Out: population, evaluator, measure (ORR, DCR, CBR, ORR without irradiated
    targets), confirmed, x, n, share, low, high (shares from 0 to 1; empty for nobody).
    """
    lines = []
    for population in POPULATIONS:
        among = members(frames["population"], population)
        for reader in readers(frames["best_response"]):
            for confirmed in (True, False):
                rated = of_reader(frames["best_response"], reader, among, protocol, confirmed=confirmed)
                lines += [(population, reader, measure, confirmed, one.x, one.n, one.share, one.low, one.high)
                          for measure, one in rated.items()]
    return pd.DataFrame(lines, columns=["population", "evaluator", "measure", "confirmed", "x", "n", "share", "low",
                                        "high"], dtype=object)


def concordance(frame: pd.DataFrame) -> pd.DataFrame:
    """Where the investigator and another reader have another best response, and how often they agree.

    In: `best_response`. Out: evaluator, confirmed, subjects (read by both), agree, percent (empty for nobody), and
    discordant: a list of `subject: investigator's / the other's`, by subject.
    """
    lines = []
    for reader in readers(frame):
        for confirmed in (True, False) if reader != EVALUATORS[0] else ():
            mine = best(frame, EVALUATORS[0], confirmed=confirmed)["value"]
            both = pd.concat([mine, best(frame, reader, confirmed=confirmed)["value"]], axis=1, join="inner",
                             keys=["mine", "other"]).sort_index()
            differ = both[both["mine"] != both["other"]]
            agree = len(both) - len(differ)
            lines.append((reader, confirmed, len(both), agree, round(100 * agree / len(both), 1) if len(both) else None,
                          [f"{subject}: {one} / {other}" for subject, one, other in differ.itertuples()]))
    return pd.DataFrame(lines, columns=["evaluator", "confirmed", "subjects", "agree", "percent", "discordant"],
                        dtype=object)
