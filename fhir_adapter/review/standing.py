"""What each fact counts for before anyone decided: current, superseded by a newer version, or retracted."""

import pandas as pd

from fhir_adapter.core.conflicts import Standing


def base_standing(frame: pd.DataFrame, origins: pd.DataFrame) -> "pd.Series[str]":
    """The standing of each fact of one table from the versions of its record alone.

    `origins`: one row per version: resource, ordinal, is_head, outcome, reason. The head's facts are current. When the
    head is deleted or entered in error, the facts of the last version before it are retracted; all older ones are
    superseded. A record whose newest version is unreadable keeps the facts of no older one: they are superseded.
    """
    heads = origins[origins.is_head.astype(bool)].set_index("resource")
    head_ordinal = frame.resource.map(heads.ordinal)
    gone = frame.resource.map(heads.reason.isin(("deleted", "entered_in_error"))).eq(True)
    last_stated = frame.groupby("resource").ordinal.transform("max")
    standing = pd.Series(Standing.SUPERSEDED.value, index=frame.index, dtype=object)
    standing[frame.ordinal == head_ordinal] = Standing.CURRENT.value
    standing[gone & (frame.ordinal == last_stated)] = Standing.RETRACTED.value
    return standing
