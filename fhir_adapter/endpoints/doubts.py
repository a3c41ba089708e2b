"""Doubts that only the derivation can see: values of a subject that do not fit together."""

import json
from collections.abc import Iterable

import msgspec
import pandas as pd

from fhir_adapter.endpoints.frames import Ground

COLUMNS = ["kind", "subject", "facts", "message", "values", "holds"]


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """One doubt: its kind of conflict, whose it is, the facts in dispute, what is wrong, the values in dispute.

    `holds`: whether the facts are held meanwhile, which makes provisional what rests on them.
    """

    kind: str
    subject: str
    ground: Ground
    message: str
    values: tuple[str, ...] = ()
    holds: bool = True


def frame_of_doubts(doubts: Iterable[Doubt]) -> pd.DataFrame:
    """Doubts as a frame; `facts` and `values` are JSON lists."""
    rows = [
        (doubt.kind, doubt.subject, json.dumps(sorted(doubt.ground.refs)), doubt.message, json.dumps(doubt.values),
         doubt.holds)
        for doubt in doubts
    ]
    return pd.DataFrame(sorted(set(rows)), columns=COLUMNS, dtype=object)
