"""What the trial database takes: mapped records, settlings, projections. Frozen values, no sessions."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from fhir_adapter.core.conflicts import Doubt
from fhir_adapter.core.facts import Fact
from fhir_adapter.core.problems import Problem


class MappedRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One version of one record as mapping left it.

    `facts` are (table, fact_key, fact); `more_origins` are (fact_key, resource, ordinal, element) of facts that rest
    on several records; `needs` are the keys of records that were looked at; `patient` is the opaque key of the
    patient whose record it is, `subject` the trial number as which it was mapped.
    """

    resource: str
    ordinal: int
    hospital: str
    type: str
    outcome: str
    reason: str = ""
    is_head: bool
    subject: str | None = None
    patient: str | None = None
    facts: Sequence[tuple[str, str, Fact]] = ()
    problems: Sequence[Problem] = ()
    doubts: Sequence[Doubt] = ()
    needs: Collection[str] = ()
    more_origins: Sequence[tuple[str, str, int, str]] = ()


class Place(msgspec.Struct, frozen=True):
    """Where a cursor stands: the last sequence number worked in, and the digest of the mappings it was done with."""

    seq: int = 0
    digest: str = ""


class Settling(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of settling some subjects, to be written in one transaction.

    `standings`: (table, fact_key, standing, held_by) of facts of these subjects that are not as mapping left them; it
    may also hold the others. `conflicts`: all conflicts of these subjects; and, if `shared`, all that belong to no
    single subject (unmapped codes), for the whole study. Each is a mapping or a Struct with the columns of `conflict`
    (tuples become JSON lists; `values` is written to `values_text`), and `members` with the columns of
    `conflict_item`. `overrides`: rows by table whose origin is a decision (`hospital` is `decision`, `resource` the
    conflict's key, `ordinal` the decision's number). `labels`: (fact_key, label) of lesions.
    `kept`: kinds of conflict that stay as they are (`write_conflicts` writes them).
    """

    subjects: Collection[str]
    standings: Sequence[tuple[str, str, str, str | None]] = ()
    conflicts: Sequence[Any] = ()
    shared: bool = True
    overrides: Mapping[str, Sequence[Mapping[str, Any]]] = {}
    labels: Sequence[tuple[str, str]] = ()
    kept: Collection[str] = ()
