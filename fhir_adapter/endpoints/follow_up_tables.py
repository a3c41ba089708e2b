"""Tables about follow-up: reasons for censoring, last contact, deaths, reported against computed responses.

Source: endpoints.md §6, §7, §2.4, §0.4.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fhir_adapter.core.study import Protocol
from fhir_adapter.endpoints import rates
from fhir_adapter.endpoints.frames import day
from fhir_adapter.endpoints.subject_tables import Frames, share

WITHIN = 30
"""Deaths so many days after the last study treatment are counted apart."""


def endings(frames: Frames, population: str = "treated") -> pd.DataFrame:
    """How the clocks of a population ended: events, censorings and undetermined ones by reason.

    Out: endpoint, rule, evaluator, status, reason, subjects, percent (of the clocks of that line's endpoint).
    """
    among = rates.members(frames["population"], population)
    rows = frames["time_to_event"]
    rows = rows[rows["subject"].isin(list(among))]
    keys = ["endpoint", "rule", "evaluator"]
    counted = rows.groupby([*keys, "status", "reason"])["subject"].size().reset_index(name="subjects")
    whole = counted.groupby(keys)["subjects"].transform("sum")
    order = counted["status"].map({"event": 0, "censored": 1, "undetermined": 2})
    percent = pd.Series([share(x, n) for x, n in zip(counted["subjects"], whole, strict=True)], dtype=object)
    found = counted.assign(percent=percent, rank=order)
    found = found.sort_values([*keys, "rank", "subjects", "reason"], ascending=[True, True, True, True, False, True])
    return found.drop(columns="rank").reset_index(drop=True)


def last_contacts(frames: Frames, cutoff: str, protocol: Protocol) -> pd.DataFrame:
    """Months from the last proof of life to the cut-off, of everybody treated who is not known to be dead.

    In: the cut-off as `YYYY-MM-DD`. Out: subject, last_alive, kind (of the latest proof), months; longest first. Who
    has no proof at all stands first, with nothing in the other columns.
    """
    rows = frames["time_to_event"]
    alive = rows[(rows["endpoint"] == "OS") & (rows["status"] != "event")]
    proofs = frames["alive_evidence"]
    latest = proofs[proofs["latest"].eq(True)].drop_duplicates("subject").set_index("subject")
    found = alive[["subject"]].assign(last_alive=alive["subject"].map(latest["date"]),
                                      kind=alive["subject"].map(latest["kind"]))
    end = day(cutoff) or 0
    numbers = [np.nan if not isinstance(text, str) else
               round(max(0, end - (day(text) or end)) / protocol.time_to_event.days_per_month, 1)
               for text in found["last_alive"].tolist()]
    found = found.assign(months=numbers)
    return found.sort_values(["months", "subject"], ascending=[False, True], na_position="first", ignore_index=True)


def contact_summary(contacts: pd.DataFrame) -> pd.DataFrame:
    """How long ago the last contacts were: up to 3 months, to 6, to 12, longer, never; and the median.

    In: `last_contacts`. Out: months, subjects, percent.
    """
    known = contacts["months"].dropna()
    bins = pd.cut(known, [-1, 3, 6, 12, np.inf], labels=["up to 3", "over 3 to 6", "over 6 to 12", "over 12"])
    counts = bins.value_counts(sort=False)
    lines = [(str(name), int(count), share(int(count), len(contacts))) for name, count in counts.items()]
    never = len(contacts) - len(known)
    lines.append(("no contact", never, share(never, len(contacts))))
    told = f"{known.median():.1f}" if len(known) else "none"
    return pd.DataFrame([*lines, (f"median {told}", len(known), None)], columns=["months", "subjects", "percent"],
                        dtype=object)


def deaths(frames: Frames) -> pd.DataFrame:
    """Deaths of the treated by stated cause, and of these within 30 days after the last study treatment.

    The last treatment is the latest dose, stated period or fraction of any component. Out: cause (`any` first; `not
    stated`), subjects, percent (of the treated), within_30_days, imputed (deaths whose date is not known to the day).
    """
    treated = rates.members(frames["population"], "treated")
    rows = frames["time_to_event"]
    dead = rows[(rows["endpoint"] == "OS") & (rows["status"] == "event") & rows["subject"].isin(list(treated))]
    last = _last_treatments(frames["exposure"])
    soon = [subject in last and (day(date) or 0) - last[subject] <= WITHIN
            for subject, date in zip(dead["subject"], dead["date"], strict=True)]
    found = dead.assign(cause=dead["cause"].fillna("not stated"), soon=soon, partial=dead["imputed"].notna())
    groups = [("any", found), *((str(cause), some) for cause, some in found.groupby("cause", sort=True))]
    lines = [(cause, len(some), share(len(some), len(treated)), int(some["soon"].sum()), int(some["partial"].sum()))
             for cause, some in groups]
    return pd.DataFrame(lines, columns=["cause", "subjects", "percent", "within_30_days", "imputed"], dtype=object)


def _last_treatments(exposure: pd.DataFrame) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for subject, text in zip(exposure["subject"].tolist(), exposure["last_date"].tolist(), strict=True):
        number = day(text) if isinstance(text, str) else None
        if number is not None:
            found[subject] = max(number, found.get(subject, number))
    return found


def concordance(frames: Frames) -> pd.DataFrame:
    """Responses as reported against those computed from lesions, time point by time point.

    Out: evaluator, subject, date, reported, computed, agree; only time points that have both.
    """
    rows = frames["time_point"]
    rows = rows[(rows["number"] > 0) & rows["overall"].notna()]
    keys = ["evaluator", "subject", "number"]
    told, made = (rows[rows["source"] == source].set_index(keys) for source in ("reported", "lesions"))
    both = told[["date", "overall"]].join(made[["overall"]], how="inner", rsuffix="_computed").reset_index()
    both = both.rename(columns={"overall": "reported", "overall_computed": "computed"})
    both["agree"] = both["reported"] == both["computed"]
    return both[["evaluator", "subject", "date", "reported", "computed", "agree"]].sort_values(
        ["evaluator", "subject", "date"], ignore_index=True)


def concordance_summary(pairs: pd.DataFrame) -> pd.DataFrame:
    """How often reported and computed agree, and which differences there are.

    In: `concordance`. Out: evaluator, reported (`any` first), computed, time_points, percent (of the reader's).
    """
    lines: list[tuple[str, str, str, int, float | None]] = []
    for reader, some in pairs.groupby("evaluator", sort=True):
        agree = int(some["agree"].sum())
        lines.append((str(reader), "any", "the same", agree, share(agree, len(some))))
        differ = some[~some["agree"].astype(bool)].groupby(["reported", "computed"]).size()
        ranked = differ.sort_values(ascending=False, kind="stable").reset_index(name="count")
        lines += [(str(reader), str(one), str(other), int(count), share(int(count), len(some)))
                  for one, other, count in ranked.itertuples(index=False)]
    return pd.DataFrame(lines, columns=["evaluator", "reported", "computed", "time_points", "percent"], dtype=object)
