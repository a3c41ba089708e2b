"""Every subject's endpoints with the reason in words: the listing behind the numbers."""

import msgspec

from fhir_adapter.report import words
from fhir_adapter.report.conclusions import Frames, Row, best_responses, kinds_of, rows, subjects, times, whole
from fhir_adapter.report.context import Context

_POPULATIONS = ("screened", "enrolled", "treated", "safety", "evaluable")


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One conclusion about one subject."""

    name: str
    value: str
    date: str
    days: str
    reason: str
    why: str
    provisional: bool
    kinds: tuple[str, ...]


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One subject: populations, who they were at the start, and their endpoints."""

    number: str
    populations: str
    excluded: str
    about: str
    endpoints: tuple[Endpoint, ...]


def listing(frames: Frames, context: Context, rules: tuple[str, ...]) -> tuple[Subject, ...]:
    """Subjects by number; those without any conclusion on an endpoint lack its line."""
    confirmed, unconfirmed = best_responses(frames, confirmed=True), best_responses(frames, confirmed=False)
    curves = [(f"PFS, {words.RULES[rule]}", times(frames, "PFS", rule)) for rule in rules]
    curves += [(name, times(frames, name)) for name in ("OS", "DOR", "TTR")]
    belongs: dict[str, list[Row]] = {}
    for row in rows(frames, "population"):
        belongs.setdefault(row["subject"], []).append(row)
    start = {row["subject"]: row for row in reversed(rows(frames, "baseline"))}
    found = []
    for number in subjects(frames):
        lines = []
        for name, responses in (("Best response, confirmed", confirmed), ("Best response, unconfirmed", unconfirmed)):
            if number in responses:
                lines.append(_response(name, responses[number], context))
        lines += [_time(name, of_subject[number], context) for name, of_subject in curves if number in of_subject]
        member = {row["population"] for row in belongs.get(number, []) if row["included"]}
        found.append(Subject(
            number=number,
            populations=", ".join(name for name in _POPULATIONS if name in member) or "no population",
            excluded="; ".join(
                f"not {row['population']}: {words.reason(row['reason']) or row['why']}"
                for row in belongs.get(number, []) if not row["included"]
            ),
            about=_about(start.get(number, {})),
            endpoints=tuple(lines),
        ))
    return tuple(found)


def _response(name: str, row: Row, context: Context) -> Endpoint:
    change = whole(row["best_change_permille"])
    extra = [words.reason(row["reason"])] if row["reason"] else []
    if change is not None:
        extra.append(f"best change {change / 10:+.1f} %".replace("-", "−"))
    return Endpoint(
        name=name, value=row["value"], date=row["date"] or "", days="", reason=", ".join(extra), why=row["why"],
        provisional=bool(row["provisional"]), kinds=_titles(row, context),
    )


def _time(name: str, row: Row, context: Context) -> Endpoint:
    days = whole(row["days"])
    per_month = context.protocol.time_to_event.days_per_month
    imputed = f", {row['imputed']} imputed" if row["imputed"] else ""
    return Endpoint(
        name=name, value=row["status"], date=f"{row['date'] or ''}{imputed}",
        days="" if days is None else f"{days} d ({words.months(days, per_month)} mo)",
        reason=words.reason(row["reason"]), why=row["why"], provisional=bool(row["provisional"]),
        kinds=_titles(row, context),
    )


def _titles(row: Row, context: Context) -> tuple[str, ...]:
    return tuple(kind.title if (kind := context.kind(name)) else name for name in kinds_of(row))


def _about(row: Row) -> str:
    said = []
    if row.get("age") is not None:
        said.append(f"{whole(row['age'])} years")
    if row.get("sex"):
        said.append(row["sex"])
    if row.get("ecog") is not None:
        said.append(f"ECOG {whole(row['ecog'])}")
    if row.get("sum_um") is not None:
        said.append(f"sum {int(row['sum_um']) / 1000:g} mm")
    if row.get("first_dose"):
        said.append(f"first dose {row['first_dose']}")
    return ", ".join(said)
