"""What is concluded by iRECIST, beside RECIST and never instead of it, column by column."""

from typing import Annotated

import msgspec

from fhir_adapter.core.facts import column
from fhir_adapter.endpoints.conclusion_columns import SOURCES, Evaluator, Facts, HeldKinds, Provisional, Subject, Why

RESPONSES = ("iCR", "iPR", "iSD", "NON-iCR/NON-iUPD", "iUPD", "iCPD", "NE", "NED")
_Source = Annotated[
    str, column("computed from lesions, or as the reader reports iRECIST", codes=SOURCES)
]


class ImmuneTimePoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The iRECIST response of one tumour assessment of one reader."""

    subject: Subject
    evaluator: Evaluator
    number: Annotated[int, column("time point, as in time_point")]
    source: _Source
    date: Annotated[str, column("first scan")]
    value: Annotated[str | None, column("response; empty when the scan is disregarded", codes=RESPONSES)] = None
    disregarded: Annotated[
        str | None, column("why it is disregarded", codes=("too_early", "after_icpd"))
    ] = None
    progression_date: Annotated[str | None, column("day on which an iUPD counts; empty without one")] = None
    categories: Annotated[
        str, column("what progressed: target, non_target, new_lesion; a JSON list, empty as reported")
    ] = "[]"
    first_iupd: Annotated[
        str | None, column("first iUPD of the block that this iUPD or iCPD belongs to", source="endpoints.md §0.10")
    ] = None
    late: Annotated[bool, column("confirmed later than eight weeks after the first iUPD")] = False
    new_sum_um: Annotated[
        int | None, column("sum of the new targets; never added to the sum of the targets", unit="um")
    ] = None
    why: Why
    provisional: Provisional
    held_kinds: HeldKinds
    facts: Facts


class ImmuneBestResponse(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The best iRECIST response of one reader, confirmed and unconfirmed."""

    subject: Subject
    evaluator: Evaluator
    confirmed: Annotated[bool, column("whether iCR and iPR need confirmation")]
    source: _Source
    value: Annotated[str, column("best response up to the confirmed progression", codes=RESPONSES)]
    date: Annotated[str | None, column("first assessment that gives the value")] = None
    first_response_date: Annotated[str | None, column("first iCR or iPR that counts; empty for others")] = None
    why: Why
    provisional: Provisional
    held_kinds: HeldKinds
    facts: Facts
