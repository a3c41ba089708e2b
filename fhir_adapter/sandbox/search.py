"""Search over the current versions: parameters as this FHIR version has them, and nothing else."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fhir_adapter.sandbox.messages import Pairs
from fhir_adapter.sandbox.parameters import Parameter, parameters
from fhir_adapter.sandbox.persona import Persona
from fhir_adapter.sandbox.store import Version

Test = Callable[[Version], bool]

SORTS = ("_id", "_lastUpdated", "-_id", "-_lastUpdated")
_QUIET = {"_format", "_pretty", "_total"}  # accepted, and of no effect here
_WHEN = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d))?)?)?")
_PREFIXES = ("eq", "ne", "ge", "gt", "le", "lt")


class BadValue(ValueError):
    """A parameter that this server knows has a value that it cannot read."""


class Refused(BadValue):
    """The value is legal; this hospital does not want it."""


@dataclass
class Query:
    """A search that was understood: its tests, its order, and what of it was applied or unknown.

    `unknown` is in no list of this FHIR version; `dropped` is, but this hospital does not have it.
    """

    type: str
    count: int
    offset: int = 0
    sort: str = ""
    count_only: bool = False
    tests: list[Test] = field(default_factory=list)
    applied: list[tuple[str, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    @property
    def dated(self) -> bool:
        """Whether it names a span of time."""
        return any(name == "_lastUpdated" or "date" in name or "effective" in name for name, _ in self.applied)


def read_query(type_: str, pairs: Pairs, version: str, persona: Persona) -> Query:
    """What is asked.

    Raises:
        BadValue: a known parameter has an unreadable value.
        Refused: it asks for several patients where that is refused.
    """
    known = parameters(version, type_)
    query = Query(type_, persona.default_count)
    for name, value in pairs:
        if persona.ignores(type_, name) or name in _QUIET or (name == "_sort" and not persona.paging.heeds_sort):
            continue
        if name == "_lastUpdated" and persona.lacks_last_updated(type_):
            query.dropped.append(name)
            continue
        if not _control(query, name, value, persona):
            if name == "_id":
                query.tests.append(_id_test(value))
            elif name == "_lastUpdated":
                query.tests.append(_instant_test(value))
            elif name in known:
                query.tests.append(_test(known[name], value, persona))
            else:
                query.unknown.append(name)
                continue
        query.applied.append((name, value))
    if persona.asking.oracle_rules and any(name == "_lastUpdated" for name, _ in query.applied):
        query.sort = "-_lastUpdated"  # quirk Q18: with _lastUpdated the newest come first
    return query


def _control(query: Query, name: str, value: str, persona: Persona) -> bool:
    """Whether this is a parameter of the answer's form, and then its effect."""
    if name == "_count":
        query.count = _count(value, persona.max_count)
    elif name == "_sort" and value in SORTS:
        query.sort = value
    elif name == "_summary" and value == "count":
        query.count_only = True
    elif name == "_offset" and persona.paging.style == "offset" and value.isdigit():
        query.offset = int(value)
    else:
        return False
    return True


def find(heads: Iterable[Version], query: Query, seed: object) -> tuple[Version, ...]:
    """The records that pass every test, in the order asked for; without one in an order of the server's own.

    Equal times stand in the server's own order too, so that another `seed` is another order among them.
    """
    found = [head for head in heads if all(test(head) for test in query.tests)]
    if query.sort.endswith("_id"):
        found.sort(key=lambda one: one.id)
    else:
        found.sort(key=lambda one: hashlib.sha256(f"{seed}|{one.type}|{one.id}".encode()).digest())
        if query.sort.endswith("_lastUpdated"):
            found.sort(key=lambda one: one.last_updated)
    if query.sort.startswith("-"):
        found.reverse()
    return tuple(found)


def _count(value: str, most: int) -> int:
    if not value.isdigit() or int(value) < 1:
        raise BadValue("_count is not a positive number")
    return min(int(value), most)


def _id_test(value: str) -> Test:
    wanted = frozenset(part.rsplit("/", 1)[-1] for part in value.split(","))
    return lambda version: version.id in wanted


def _instant_test(value: str) -> Test:
    prefix, start, end = _range(value)
    if prefix == "ne":
        raise BadValue("_lastUpdated takes eq, ge, gt, le and lt here")
    return lambda version: _compare(prefix, (version.last_updated, version.last_updated), (start, end))


def _test(parameter: Parameter, value: str, persona: Persona) -> Test:
    if parameter.kind == "date":
        prefix, start, end = _range(value)
        return lambda version: any(_compare(prefix, span, (start, end)) for span in _spans(version, parameter))
    wanted = value.split(",")
    if parameter.kind == "reference":
        people = parameter.name in ("patient", "subject", "individual")
        if people and len(wanted) > 1 and persona.refuses_patient_lists:
            raise Refused(f"{parameter.name} takes one value at this hospital")
        references = frozenset(_reference(part, parameter) for part in wanted)
        return lambda version: not references.isdisjoint(_references(version, parameter))
    return lambda version: any(_token_fits(part, _tokens(version, parameter)) for part in wanted)


def _reference(written: str, parameter: Parameter) -> str:
    """`Patient/7` for `7`, `Patient/7` and an absolute address; a bare id means the target (or else a Patient)."""
    parts = written.rstrip("/").split("/")
    return "/".join(parts[-2:]) if len(parts) > 1 else f"{parameter.target or 'Patient'}/{written}"


def _references(version: Version, parameter: Parameter) -> frozenset[str]:
    key = f"reference {parameter.paths[0]}"
    if key not in version.cache:
        found = (_at(version.data, path) for path in parameter.paths)
        texts = (one.get("reference") for values in found for one in values if isinstance(one, dict))
        version.cache[key] = frozenset("/".join(text.split("/")[-2:]) for text in texts if isinstance(text, str))
    references: frozenset[str] = version.cache[key]
    return references


def _tokens(version: Version, parameter: Parameter) -> set[tuple[str, str]]:
    return {pair for path in parameter.paths for value in _at(version.data, path) for pair in _pairs(value)}


def _pairs(value: Any) -> Iterator[tuple[str, str]]:
    """(system, code) of a code, a boolean, a Coding, an Identifier or a CodeableConcept."""
    if isinstance(value, bool):
        yield "", str(value).lower()
    elif isinstance(value, str):
        yield "", value
    elif isinstance(value, dict):
        codings = value.get("coding")
        for coding in codings if isinstance(codings, list) else ():
            yield from _pairs(coding)
        code = value.get("code", value.get("value"))
        if isinstance(code, str):
            yield str(value.get("system", "")), code


def _token_fits(wanted: str, tokens: set[tuple[str, str]]) -> bool:
    system, bar, code = wanted.rpartition("|")
    if not bar:
        return any(code == own for _, own in tokens)
    return any(system == own_system and code in ("", own) for own_system, own in tokens)


def _at(value: Any, path: str) -> list[Any]:
    """Every value at a dotted path, lists flattened."""
    here = [value]
    for name in path.split("."):
        found = [one[name] for one in here if isinstance(one, dict) and name in one]
        here = [part for one in found for part in (one if isinstance(one, list) else [one])]
    return here


def _spans(version: Version, parameter: Parameter) -> Iterator[tuple[datetime, datetime]]:
    for path in parameter.paths:
        for value in _at(version.data, path):
            ends = (value.get("start"), value.get("end")) if isinstance(value, dict) else (value, value)
            try:
                first, last = (_range(str(end))[1:] if end else None for end in ends)
            except BadValue:
                continue
            start = first[0] if first else datetime.min.replace(tzinfo=UTC)
            yield start, last[1] if last else datetime.max.replace(tzinfo=UTC)


def _compare(prefix: str, own: tuple[datetime, datetime], wanted: tuple[datetime, datetime]) -> bool:
    """FHIR's comparison of a span with a span; the second end of `wanted` is no longer in it."""
    (own_start, own_end), (start, end) = own, wanted
    return {
        "eq": start <= own_start and own_end <= end and own_start < end,
        "ne": not (start <= own_start and own_end <= end and own_start < end),
        "ge": own_end >= start,
        "gt": own_end >= end,
        "le": own_start < end,
        "lt": own_start < start,
    }[prefix]


def _range(written: str) -> tuple[str, datetime, datetime]:
    """The prefix, and the span that a date of that precision covers; without zone it is UTC."""
    prefix = written[:2] if written[:2] in _PREFIXES else ""
    text = written.removeprefix(prefix)
    match = _WHEN.fullmatch(text)
    if match is None:
        raise BadValue("a date has the wrong form (a plus sign goes as %2B; a time needs a zone)")
    _, month, day, _, minute, second, fraction, _ = match.groups()
    try:
        start = datetime.fromisoformat(_full(text, match)).astimezone(UTC)
    except ValueError:
        raise BadValue("a date is not in the calendar") from None
    if day is None:
        end = start.replace(year=start.year + 1) if month is None else (start + timedelta(days=31)).replace(day=1)
        return prefix or "eq", start, end
    steps = ((fraction, timedelta(milliseconds=1)), (second, timedelta(seconds=1)), (minute, timedelta(minutes=1)))
    step = next((length for given, length in steps if given is not None), timedelta(days=1))
    return prefix or "eq", start, start + step


def _full(text: str, match: re.Match[str]) -> str:
    year, month, day, hour = match.group(1, 2, 3, 4)
    return text if hour else f"{year}-{month or '01'}-{day or '01'}T00:00:00+00:00"
