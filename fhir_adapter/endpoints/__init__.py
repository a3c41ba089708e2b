"""Concludes: frames of facts in, frames of conclusions out. Pure; no session, no HTTP, no clock.

`ALL` names the conclusion tables; `derive` fills them; `summary` counts and estimates over them. pandas and lifelines
are loaded only when something is derived.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from fhir_adapter.endpoints.conclusions import ALL, Conclusion

if TYPE_CHECKING:
    import pandas as pd

    from fhir_adapter.core.concepts import Concepts
    from fhir_adapter.core.figures import Subgroup, Summary, Table
    from fhir_adapter.core.study import Protocol
    from fhir_adapter.endpoints.derivation import Derived
    from fhir_adapter.endpoints.held import Open

__all__ = ["ALL", "Conclusion", "ae_summary", "derive", "estimated_subgroups", "report_tables", "subgroups", "summary"]


def derive(
    facts: "dict[str, pd.DataFrame]", protocol: "Protocol", terms: "Concepts", *, cut_off: str | None = None,
    doubted: "Mapping[str, Iterable[Open]] | None" = None,
) -> "Derived":
    """Every conclusion table from the facts that stand, and the doubts found on the way (see `derivation`)."""
    from fhir_adapter.endpoints import derivation

    return derivation.derive(facts, protocol, terms, cut_off=cut_off, doubted=doubted)


def summary(frames: "dict[str, pd.DataFrame]", protocol: "Protocol") -> "Summary":
    """The trial's headline numbers from the tables that `derive` returned (see `headline`)."""
    from fhir_adapter.endpoints import headline

    return headline.summary(frames, protocol)


def subgroups(frames: "dict[str, pd.DataFrame]") -> dict[str, int]:
    """Treated subjects by whether their radiotherapy dose reaches the subgroup's limit."""
    from fhir_adapter.endpoints import headline

    return headline.subgroups(frames["exposure"])


def estimated_subgroups(frames: "dict[str, pd.DataFrame]", protocol: "Protocol") -> "tuple[Subgroup, ...]":
    """PFS and OS by sex, age, BRAF, PD-L1 and delivered radiotherapy dose (see `subgroups`)."""
    from fhir_adapter.endpoints import subgroup_estimates as estimates

    return estimates.subgroups(frames, protocol)


def report_tables(
    frames: "dict[str, pd.DataFrame]", steps: "pd.DataFrame", protocol: "Protocol", cutoff: str
) -> "tuple[Table, ...]":
    """The tables that the page prints; `steps` is the fact table `disposition` (see `printed`)."""
    from fhir_adapter.endpoints import printed

    return printed.tables(frames, steps, protocol, cutoff)


def ae_summary(frames: "dict[str, pd.DataFrame]", name: str = "registered") -> "pd.DataFrame":
    """Participants by worst grade, overall, per organ class and per term (see `ae_tables.ae_summary`)."""
    from fhir_adapter.endpoints import ae_tables

    return ae_tables.ae_summary(frames["ae_episode"], name)
