"""Asks what cannot be asked at once in parts: by category, by patient, by time; and names the part that cannot be had.

- Epic refuses Observation without a category or a code (Q2): on issue code `required` each category is asked, and the
  codes that the hospital's file names for records without one.
- A server that fails on one record fails on every page that holds it (Q27), on long continuation tokens (Q15), or stops
  at a cap (Q8): the question is halved, by patients, then by time, until the part that fails is small. That part is
  quarantined by its span; everything else is had.

Parts are smaller answers, so they are asked for in larger pages, twice as large with each cut; and one question may
take so many requests and no more (`MAX_REQUESTS`): what it could not be cut down to by then is named and stays open.
Pages of parts have no next link to keep: it would continue one part only. A run that is stopped asks them again.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import msgspec

from fhir_adapter.core.windows import Damage, Gap, Page, Question
from fhir_adapter.wire import instants, search
from fhir_adapter.wire.connection import Connection
from fhir_adapter.wire.plan import event_parameter, patient_parameter

CATEGORIES = {
    "Observation": ("social-history", "vital-signs", "imaging", "laboratory", "procedure", "survey", "exam", "therapy",
                    "activity"),
    "Condition": ("problem-list-item", "encounter-diagnosis"),
}
"""What is asked where a server wants a category and the hospital's file names none (hl7.org observation-category)."""

LAST_UPDATED = "_lastUpdated"
BEGINNING = datetime(1990, 1, 1, tzinfo=UTC)
"""Where halving by time begins; the first part has no beginning, the last no end."""

SMALLEST = {LAST_UPDATED: timedelta(seconds=1)}
SMALLEST_BY_DATE = timedelta(days=1)
MAX_PARTS = 500
MAX_REQUESTS = 600
"""Of pages and failures while a question is cut; a tenth of it is what a few bad records among thousands take."""

LARGEST_PAGE = 200
"""To this size the pages of parts grow; a hospital whose own pages are larger keeps them."""

FUTILE = 8
"""After so many parts of which none was answered, it is not a record that the server fails on."""

IN_VAIN = 40
"""After so many parts that brought nothing new, it is no cap that makes an answer shorter than the server's count."""

_POISON = "poison_slice"


class _Parts:
    """How many parts one question has been cut into, what they took, and whether cutting was given up."""

    def __init__(self) -> None:
        self.made = 0
        self.requests = 0
        self.ids: set[int] = set()
        self.gained = False
        self.answered = False
        self.hopeless = False
        self.spent = False


def answer(connection: Connection, question: Question, *, resume: str | None = None) -> Iterator[Page]:
    """The answer to a question as `search.pages` gives it, in parts where it has to be.

    Raises:
        NotAllowed, HospitalUnavailable: as `search.pages`.
    """
    if connection.knows(question.type, "fan_out"):
        yield from _by_category(connection, question)
    else:
        yield from _answer(connection, question, _Parts(), resume)


def _answer(connection: Connection, question: Question, parts: _Parts, resume: str | None = None) -> Iterator[Page]:
    trouble: Gap | None = None
    for page in search.pages(connection, question, resume=resume):
        parts.requests += 1 if parts.made else -4  # a long answer may take more than a short one
        if parts.made and parts.requests > MAX_REQUESTS:
            parts.spent = True
            yield _unfinished(question, page)
            return
        known = len(parts.ids)
        parts.ids.update(hash(entry.id) for entry in page.entries)
        parts.gained = parts.gained or (parts.made > 0 and len(parts.ids) > known)
        found = next((gap for gap in page.gaps if _wants_parts(gap)), None)
        if found is None:
            parts.answered = parts.answered or bool(page.url)
            yield page
            continue
        trouble = found
        rest = tuple(gap for gap in page.gaps if gap is not found)
        if page.entries or page.damages or rest:
            yield msgspec.structs.replace(page, gaps=rest, next=None)
    if trouble is None:
        return
    if search.wants_category(trouble.status, trouble.issues):
        if _categories(connection, question.type) and not _asks_category(question):
            connection.learn(question.type, "fan_out")
            yield from _by_category(connection, question)
        else:
            yield Page(url="", entries=(), gaps=(trouble,))
        return
    yield from _in_parts(connection, question, trouble, parts)


def _wants_parts(gap: Gap) -> bool:
    """Whether asking for less may help: a lasting failure, a cap, a lost cursor, or a category that is wanted."""
    if search.wants_category(gap.status, gap.issues) or gap.code in ("short", "cursor_lost"):
        return True
    if gap.status == 422 or (gap.status >= 400 and "too-costly" in gap.issues):
        return True
    return gap.code in ("failed", "refused") and gap.status >= 500 and gap.status not in (501, 503)


def _by_category(connection: Connection, question: Question) -> Iterator[Page]:
    """Each category's answer, then that of the codes named for records without one.

    What is refused is named (Epic knows fewer categories than HL7). A record with neither category nor a code that
    is named is beyond such a server's search: until the hospital's file says which there are, the answer is not whole.
    """
    categories = _categories(connection, question.type)
    codes = _codes(connection, question.type)
    refused = []
    for name, value in (*(("category", one) for one in categories), *((("code", ",".join(codes)),) if codes else ())):
        part = msgspec.structs.replace(question, parameters=(*question.parameters, (name, value)),
                                       reason=f"{question.reason}; by {name}")
        for page in _answer(connection, part, _Parts()):
            if name == "category" and not page.entries and any(map(_is_unknown_to_it, page.gaps)):
                refused.append(value)
            else:
                yield msgspec.structs.replace(page, next=None)
    told = f"{len(categories) - len(set(refused))} of {len(categories)} categories answered"
    connection.notes[question.type] = told
    settings = f"[types.{question.type}]"
    gaps = []
    if refused:
        names = ", ".join(dict.fromkeys(refused))
        gaps.append(Gap(code="refused", message=f"{told}; refused: {names}; list those that this hospital knows under "
                        f"{settings} categories", status=400))
    if codes is None:
        gaps.append(Gap(code="uncategorised", message="a record without a category is asked for by its code only; list "
                        f"those codes under {settings} codes, or an empty list if there are none"))
    yield Page(url="", entries=(), gaps=tuple(gaps))


def _is_unknown_to_it(gap: Gap) -> bool:
    return gap.code == "refused" and gap.status in (400, 404, 422)


def _codes(connection: Connection, kind: str) -> tuple[str, ...] | None:
    settings = connection.hospital.types.get(kind)
    return settings.codes if settings is not None else None


def _categories(connection: Connection, kind: str) -> tuple[str, ...]:
    settings = connection.hospital.types.get(kind)
    return (settings.categories if settings is not None else ()) or CATEGORIES.get(kind, ())


def _asks_category(question: Question) -> bool:
    return any(name in ("category", "code") for name, _ in question.parameters)


def _in_parts(connection: Connection, question: Question, trouble: Gap, parts: _Parts) -> Iterator[Page]:
    if trouble.status >= 500:
        connection.learn(question.type, "brittle")
    if trouble.status >= 500 and parts.made >= FUTILE and not parts.answered:
        parts.hopeless = True
        yield Page(url="", entries=(), gaps=(trouble,))
        return
    if trouble.code == "short" and parts.made >= IN_VAIN and not parts.gained:
        connection.learn(question.type, "vague")
    if trouble.code == "short" and connection.knows(question.type, "vague"):
        parts.hopeless = True
        yield Page(url="", entries=(), gaps=(trouble,))
        return
    halves = _halves(connection, question)
    if halves and parts.made >= MAX_PARTS:
        parts.spent = True
        yield _unfinished(question, Page(url="", entries=()))
        return
    if not halves:
        yield _poison(question, trouble) if trouble.status >= 500 else Page(url="", entries=(), gaps=(trouble,))
        return
    parts.made += len(halves)
    for half in halves:
        if parts.hopeless or parts.spent:
            return
        for page in _answer(connection, _in_larger_pages(connection, half, trouble), parts):
            if _ignores_span(half, page):
                connection.learn(question.type, "no_span")
            yield msgspec.structs.replace(page, next=None)


def _unfinished(question: Question, page: Page) -> Page:
    """The page with which cutting ends, since it has taken too much; the question stays open."""
    gap = Gap(code="too_many_parts", message=f"the server fails on too many records of {question.type} to find them "
              "all one by one; ask the hospital, then run again")
    return msgspec.structs.replace(page, gaps=(*page.gaps, gap), next=None)


def _in_larger_pages(connection: Connection, part: Question, trouble: Gap) -> Question:
    """The part with twice the page size; as it was where the server fails for want of time."""
    size = int(dict(part.parameters).get("_count", connection.hospital.pull.page_size))
    if trouble.status == 504 or size >= LARGEST_PAGE:
        return part
    others = tuple((name, value) for name, value in part.parameters if name != "_count")
    return msgspec.structs.replace(part, parameters=(*others, ("_count", str(min(LARGEST_PAGE, size * 2)))))


def _halves(connection: Connection, question: Question) -> list[Question]:
    """Two smaller questions that together ask the same; none if it cannot be cut further."""
    if len(question.patients) > 1:
        middle = len(question.patients) // 2
        return [_for(question, question.patients[:middle]), _for(question, question.patients[middle:])]
    name = _span_parameter(connection, question.type)
    if name is None or connection.knows(question.type, "no_span"):
        return []
    bounds = dict(_bounds(question, name))
    low = instants.read(bounds.get("ge", "")) or BEGINNING
    high = instants.read(bounds.get("lt", "")) or connection.client.means.clock()
    if high - low <= SMALLEST.get(name, SMALLEST_BY_DATE):
        return []
    middle_at = instants.written(low + (high - low) / 2)
    first = [("ge", bounds["ge"])] if "ge" in bounds else []
    last = [("lt", bounds["lt"])] if "lt" in bounds else []
    halves = [_between(question, name, [*first, ("lt", middle_at)]),
              _between(question, name, [("ge", middle_at), *last])]
    if name != LAST_UPDATED and not bounds:
        undated = (*question.parameters, (f"{name}:missing", "true"))
        halves.append(msgspec.structs.replace(question, parameters=undated))
    return halves


def _span_parameter(connection: Connection, kind: str) -> str | None:
    """By which time a type can be cut: the server's own, else the event's; only where the server lists it."""
    listed = connection.capability.of(kind).parameters
    if LAST_UPDATED in listed and not connection.knows(kind, "no_since"):
        return LAST_UPDATED
    name = event_parameter(connection.hospital.fhir_version, kind)
    return name if name in listed else None


def _bounds(question: Question, name: str) -> list[tuple[str, str]]:
    return [(value[:2], value[2:]) for key, value in question.parameters if key == name]


def _between(question: Question, name: str, bounds: list[tuple[str, str]]) -> Question:
    rest = [(key, value) for key, value in question.parameters if key != name]
    span = [(name, f"{prefix}{value}") for prefix, value in bounds]
    return msgspec.structs.replace(question, parameters=(*rest, *span))


def _for(question: Question, patients: tuple[str, ...]) -> Question:
    name = patient_parameter(question.type)
    parameters = tuple((key, ",".join(patients) if key == name else value) for key, value in question.parameters)
    return msgspec.structs.replace(question, patients=patients, parameters=parameters)


def _ignores_span(half: Question, page: Page) -> bool:
    """Whether the self link shows that the server dropped the span: then halving leads nowhere."""
    query = urlsplit(page.self_link).query if page.self_link else ""
    keys = {key for key, _ in parse_qsl(query)}
    person = patient_parameter(half.type)
    asked = {key for key, value in half.parameters if value[:2] in ("ge", "lt") and key != person}
    return bool(keys) and person in keys and not asked <= keys


def _poison(question: Question, trouble: Gap) -> Page:
    """The part that cannot be had: quarantined by its span, without naming anybody."""
    span = ", ".join(f"{key} {value}" for key, value in question.parameters
                     if value[:2] in ("ge", "lt") and key != patient_parameter(question.type)) or "any time"
    words = f"{question.type} of {len(question.patients) or 'all'} patient(s), {span}"
    digest = hashlib.sha256(repr((question.type, question.parameters)).encode()).hexdigest()
    damage = Damage(code=_POISON, message=f"the server fails on {words}: {trouble.message}", position=-1, length=0,
                    sha256=digest)
    gap = Gap(code="poison", message=f"the server fails on {words} ({trouble.message})", status=trouble.status)
    return Page(url="", entries=(), damages=(damage,), gaps=(gap,))
