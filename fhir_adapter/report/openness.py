"""What is not settled and what is not whole: conflicts by kind, completeness by type and hospital, the options used."""

import json
from collections import Counter
from typing import Any

import msgspec
from pydantic import BaseModel

from fhir_adapter.core.figures import Completeness
from fhir_adapter.core.study import Protocol
from fhir_adapter.report.context import Context
from fhir_adapter.report.trust import gap, lacking, moment


class KindLine(msgspec.Struct, frozen=True, kw_only=True):
    """The open conflicts of one kind."""

    title: str
    name: str
    owner: str
    blocking: bool
    meanwhile: str
    open: int
    closed: int
    subjects: int
    hospitals: tuple[str, ...]


class Cell(msgspec.Struct, frozen=True):
    """One hospital and type: `state` in a word or two, `look` of its mark (good, warn, bad, none), details in words."""

    state: str
    look: str
    lines: tuple[str, ...] = ()


class Grid(msgspec.Struct, frozen=True):
    """Types down, hospitals across."""

    hospitals: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    incomplete: int
    gaps: int


class Option(msgspec.Struct, frozen=True):
    """One option of the protocol as used, and whether the study's file says it or it is the default."""

    table: str
    key: str
    value: str
    stated: bool


def kind_lines(context: Context) -> tuple[KindLine, ...]:
    """Kinds with open conflicts, blocking first, then the most frequent; closed ones counted beside."""
    open_by_kind = Counter(one.kind for one in context.conflicts)
    lines = []
    for name, count in open_by_kind.items():
        kind = context.kind(name)
        found = [one for one in context.conflicts if one.kind == name]
        lines.append(KindLine(
            title=kind.title if kind else name, name=name, owner=str(kind.owner) if kind else "nobody named",
            blocking=kind.blocking if kind else True, meanwhile=kind.meanwhile if kind else "not described",
            open=count, closed=context.closed.get(name, 0),
            subjects=len({subject for one in found for subject in one.subjects}),
            hospitals=tuple(context.hospital_name(key) for key in sorted({h for one in found for h in one.hospitals})),
        ))
    return tuple(sorted(lines, key=lambda line: (not line.blocking, -line.open, line.title)))


def grid(context: Context) -> Grid:
    """Every type that any hospital is asked for or has declared a gap in."""
    found = {(row.hospital, row.type): row for row in context.completeness}
    keys = sorted({*context.hospitals, *(row.hospital for row in context.completeness)})
    declared = {kind for hospital in context.hospitals.values() for kind in hospital.types
                if gap(hospital, kind) is not None}
    types = sorted({*(row.type for row in context.completeness), *declared})
    lines = tuple((kind, tuple(_cell(context, key, kind, found.get((key, kind))) for key in keys)) for kind in types)
    cells = [cell for _, of_type in lines for cell in of_type]
    return Grid(
        hospitals=tuple((context.hospital_name(key), _how(context, key)) for key in keys),
        rows=lines,
        incomplete=sum(lacking(row) for row in context.completeness),
        gaps=sum(cell.look == "warn" for cell in cells),
    )


def options(protocol: Protocol) -> tuple[Option, ...]:
    """Every option that shapes a result, in the order of trial.toml; the trial's own names are left out."""
    return tuple(one for one in _walk(protocol, "") if not one.table.startswith("trial"))


def _how(context: Context, key: str) -> str:
    hospital = context.hospitals.get(key)
    if hospital is None:
        return ""
    return hospital.pull.mode if hospital.pull.mode == "sheet" else f"{hospital.fhir_version}, {hospital.pull.mode}"


def _cell(context: Context, key: str, kind: str, row: Completeness | None) -> Cell:
    hospital = context.hospitals.get(key)
    declared = gap(hospital, kind) if hospital is not None else None
    if row is None:
        return Cell("declared gap", "warn", (declared,)) if declared else Cell("not asked", "none")
    whole = (f"as of {moment(row.whole_as_of)}",) if row.whole_as_of else ()
    last = f"whole as of {moment(row.whole_as_of)}" if row.whole_as_of else "never whole"
    mode = row.mode.replace("_", " ")
    waiting = (f"{row.quarantined} in quarantine, not acknowledged",) if row.quarantined else ()
    if declared:
        return Cell("declared gap", "warn", (declared, last, *waiting, mode))
    if row.open_since is not None:
        return Cell("open", "bad", (f"since {moment(row.open_since)}", last, *waiting, mode))
    if row.whole_as_of is None:
        return Cell("never whole", "bad", (*waiting, mode))
    return Cell("quarantine", "bad", (*waiting, last, mode)) if waiting else Cell("whole", "good", (*whole, mode))


def _walk(model: BaseModel, table: str) -> list[Option]:
    found = []
    for name in type(model).model_fields:
        value = getattr(model, name)
        stated = name in model.model_fields_set
        path = f"{table}.{name}" if table else name
        if isinstance(value, BaseModel):
            found.extend(_walk(value, path))
        elif isinstance(value, dict):
            for key in value:
                one = value[key]
                found.extend(_walk(one, f"{path}.{key}") if isinstance(one, BaseModel)
                             else [Option(path, key, _written(one), stated)])
        else:
            found.append(Option(table, name, _written(value), stated))
    return found


def _written(value: Any) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False, default=str)
