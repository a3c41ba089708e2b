"""What the rules read and write: fact tables with the columns they need, days as numbers, and the ground of a value."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import msgspec
import pandas as pd

from fhir_adapter.core.concepts import Concepts
from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.study import Protocol

_COMMON = ("fact_key", "subject", "hospital", "resource", "element", "position", "standing", "held_kind")
_READER = ("visit", "evaluator", "performer")
_PERIOD = ("start_date", "end_date")
_RESULT = ("test", "date", "time", "status", "comparator", "value", "unit", "value_text", "unit_text")

COLUMNS: dict[str, tuple[str, ...]] = {
    "adverse_event": ("term", "term_text", "soc", "ctcae", "grade", "onset", "end_date", "serious", "outcome"),
    "ae_action": ("component", "action"),
    "ae_causality": ("component", "relatedness", "related", "record"),
    "ae_seriousness": ("criterion",),
    "anticancer_therapy": ("kind", "therapy", "stated_role", "record", "status", *_PERIOD),
    "biomarker": ("marker", "result", "value", "date"),
    "demographic": ("sex", "birth_year"),
    "diagnosis": ("concept", "histology", "onset", "stage"),
    "disposition": ("event", "date", "component", "level", "state", "reason"),
    "drug_administration": ("drug", "status", "given", "evidence", "dose_mg", "start_date_written", *_PERIOD),
    "hospital_stay": ("status", "died", *_PERIOD),
    "lab_result": (*_RESULT, "low", "high"),
    "lesion": ("lesion", "label", "role", "site", "node", "irradiated_before"),
    "lesion_measurement": ("lesion", "fragment", "date", "axis", "state", "size_um", "method", *_READER),
    "medication": ("concept", "drug_class", "evidence", *_PERIOD),
    "performance_status": ("scale", "score", "date"),
    "procedure": ("concept", "status", *_PERIOD),
    "radiotherapy": ("level", "part_of", "status", "sessions", "technique", "derived_class", "site", *_PERIOD),
    "radiotherapy_volume": ("volume", "dose_cgy", "fractions"),
    "response_assessment": ("category", "value", "criteria", "date", "end_date", "lesion", *_READER),
    "tumor_assessment": ("stated_baseline", "method", *_PERIOD, *_READER),
    "vital_sign": _RESULT,
    "vital_status": ("status", "death", "statement", "cause"),
}
"""The columns that rules read, by fact table; a table or column that is not given is read as empty."""

Row = Any
"""One fact as a named tuple; its fields are the columns of its table and `table`."""


class Ground(msgspec.Struct, frozen=True, gc=False):
    """What a value rests on: facts (`table:fact_key`) and the kinds of open conflicts that hold them."""

    refs: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()

    def __or__(self, other: "Ground") -> "Ground":
        """Both together."""
        return Ground(self.refs | other.refs, self.held | other.held)

    def doubted(self, *kinds: str) -> "Ground":
        """The same facts, with more reasons for doubt."""
        return Ground(self.refs, self.held.union(kinds))

    def told(self, why: str) -> dict[str, Any]:
        """The four columns that end every conclusion."""
        return {
            "why": why,
            "provisional": bool(self.held),
            "held_kinds": _listed(self.held),
            "facts": _listed(self.refs),
        }


def _listed(names: frozenset[str]) -> str:
    """A sorted JSON list of names of our own (tables, keys, kinds): nothing in them is to be escaped."""
    return '["' + '", "'.join(sorted(names)) + '"]' if names else "[]"


NOTHING = Ground()


def together(grounds: Iterable[Ground]) -> Ground:
    """All grounds as one."""
    parts = tuple(grounds)
    return Ground(frozenset().union(*(part.refs for part in parts)), frozenset().union(*(part.held for part in parts)))


class Trial(msgspec.Struct, frozen=True):
    """What a derivation works on: prepared fact tables, the protocol and what concepts mean."""

    tables: dict[str, pd.DataFrame]
    protocol: Protocol
    terms: Concepts

    @classmethod
    def of(cls, facts: dict[str, pd.DataFrame], protocol: Protocol, terms: Concepts) -> "Trial":
        """Tables with every column that rules read, missing ones empty, and None for everything missing."""
        return cls({name: _prepared(facts.get(name), columns) for name, columns in COLUMNS.items()}, protocol, terms)

    def rows(self, table: str) -> Iterator[Row]:
        """The facts of a table as named tuples, in the order of subject and fact key."""
        yield from self.tables[table].itertuples(index=False, name="Fact")

    @property
    def subjects(self) -> list[str]:
        """Everyone of whom a fact is known."""
        return sorted({subject for frame in self.tables.values() for subject in frame["subject"].tolist()})


def _prepared(frame: pd.DataFrame | None, columns: tuple[str, ...]) -> pd.DataFrame:
    wanted = [*_COMMON, *columns]
    if frame is None or frame.empty:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in wanted})
    plain: Any = frame.reindex(columns=wanted).astype(object)
    found: pd.DataFrame = plain.where(plain.notna(), None)
    return found[found["subject"].notna()].sort_values(["subject", "fact_key"], kind="stable")


def lots(facts: dict[str, pd.DataFrame], at_once: int) -> Iterator[dict[str, pd.DataFrame]]:
    """The facts of so many subjects after the other, in the order of subjects; all at once if they are not more."""
    subjects = sorted({subject for frame in facts.values() if "subject" in frame
                       for subject in frame["subject"].dropna().unique().tolist()})
    if len(subjects) <= at_once:
        yield facts
        return
    number = {subject: place // at_once for place, subject in enumerate(subjects)}
    parts = {name: dict(list(frame.groupby(frame["subject"].map(number)))) for name, frame in facts.items()
             if "subject" in frame}
    for lot in range((len(subjects) - 1) // at_once + 1):
        yield {name: of.get(lot, facts[name].iloc[:0]) for name, of in parts.items()}


def ground(table: str, row: Row) -> Ground:
    """The ground that one fact gives."""
    return Ground(frozenset([f"{table}:{row.fact_key}"]), frozenset([row.held_kind] if row.held_kind else []))


def frame_of(record: type[msgspec.Struct], rows: Iterable[msgspec.Struct]) -> pd.DataFrame:
    """Conclusions as a frame with the record's columns, also when there is none."""
    names = list(record.__struct_fields__)
    return pd.DataFrame([msgspec.structs.astuple(row) for row in rows], columns=names, dtype=object)


@lru_cache(maxsize=65536)
def day(text: str | None) -> int | None:
    """The number of a full date; None for a missing or partial one."""
    if text is None or len(text) != 10:
        return None
    found = PartialDate(text, text).day
    return found.toordinal() if found is not None else None


@lru_cache(maxsize=65536)
def first_day(text: str | None) -> int | None:
    """The number of the first day that a date can be."""
    return None if text is None else PartialDate(text, text).earliest.toordinal()


@lru_cache(maxsize=65536)
def last_day(text: str | None) -> int | None:
    """The number of the last day that a date can be."""
    return None if text is None else PartialDate(text, text).latest.toordinal()


@lru_cache(maxsize=65536)
def written(number: int) -> str:
    """A day number as `YYYY-MM-DD`."""
    from datetime import date

    return date.fromordinal(number).isoformat()


def written_or_none(number: int | None) -> str | None:
    """A day number as `YYYY-MM-DD`; None stays None."""
    return None if number is None else written(number)


def millimetres(micrometres: int) -> str:
    """`48 mm`, `7.5 mm`."""
    whole, rest = divmod(abs(micrometres), 1000)
    sign = "-" if micrometres < 0 else ""
    return f"{sign}{whole}{'.' + f'{rest:03d}'.rstrip('0') if rest else ''} mm"
