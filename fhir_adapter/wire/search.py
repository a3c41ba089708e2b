"""Asks one question and follows its pages to the end, or says why it could not.

What real servers do, and what is done about it:

- A filter may be ignored (sekmet-fhir returns everyone's AdverseEvents): seen in the self link or by foreign subjects,
  and told as `Page.honoured`. The caller checks every entry against the whole cohort in any case.
- Offset paging drifts while records change (servers.md, trap 1: 302 rows, 282 of them unique, and `total` says 302).
  `_sort=_id` where listed; and after an answer of several pages, unique ids are compared with `total`, repeated ids and
  a changing `total` are noticed, and the question is asked again until a pass shows no such sign. Pages of each pass
  are yielded: a record that comes twice is recognised by whoever stores it.
  docs/decisions/0004 says what is not seen this way.
- A cursor may expire (Q7): 404 or 410 on a next link starts the question again.
- A list of patients or a parameter may be refused: asked again in simpler words, and remembered.

`division.answer` asks through this module; it adds the fan-out by category and the halving of what cannot be had whole.
"""

from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec

from fhir_adapter.core.windows import Gap, Outcome, Page, Question
from fhir_adapter.wire.connection import Connection
from fhir_adapter.wire.envelope import Opening, open_page
from fhir_adapter.wire.faults import Fault, OffOrigin, Refused
from fhir_adapter.wire.patience import ATTEMPTS
from fhir_adapter.wire.plan import patient_parameter

MAX_PAGES = 10_000
MAX_PASSES = 4
FEW = 2
"""How often a page is tried whose type has already failed for good in this run."""
UNEXPECTED_TYPE = "unexpected-type"
"""The Outcome of a page that holds records of another type than was asked for."""
_SIMPLER = ("no_sort", "no_since", "no_study", "no_list", "no_strict")
"""What is tried, in this order, when a server refuses a question with 400."""


_DROPS = {"no_since": "_lastUpdated", "no_study": "study"}


class CursorLost(Exception):
    """A next link has expired (404 or 410); the question has to be asked again from its beginning."""


class _Pass:
    """What one walk over all pages of a question has shown; what a server counts only where it `counts`.

    Records of another type (`kind` is the one asked for) come beside those that were counted.
    """

    def __init__(self, kind: str, *, counts: bool) -> None:
        self.kind, self.counts = kind, counts
        self.pages = 0
        self.ids: set[str] = set()
        self.damaged = 0
        self.repeated = False
        self.totals: set[int] = set()
        self.total: int | None = None
        self.failed = False

    def see(self, page: Page) -> None:
        self.pages += 1
        wanted = [entry.id for entry in page.entries if entry.type == self.kind]
        fresh = set(wanted)
        self.repeated = self.repeated or len(fresh) < len(wanted) or bool(fresh & self.ids)
        self.ids |= fresh
        self.damaged += len(page.damages)
        self.failed = self.failed or bool(page.gaps)
        if page.total is not None and self.counts:
            self.totals.add(page.total)
            self.total = page.total

    @property
    def is_short(self) -> bool:
        """Fewer records than the server says there are."""
        return self.total is not None and len(self.ids) + self.damaged < self.total

    @property
    def moved(self) -> bool:
        """Records moved between pages while we read: some may have slipped through."""
        return self.pages > 1 and (self.repeated or not self.is_steady)

    @property
    def is_steady(self) -> bool:
        """The server's count, if it gives one, stayed the same from the first page to the last."""
        return len(self.totals) <= 1


def pages(connection: Connection, question: Question, *, resume: str | None = None) -> Iterator[Page]:
    """The answer to a question, page by page; `resume` continues from a next link that was kept.

    The answer is whole if the iteration ends and no page had gaps. A refused type, a page that fails for good, a loop
    of links: each is a Gap of a last page without entries, not an exception, so that other questions go on (Q3).

    Raises:
        NotAllowed: the server no longer accepts our credentials.
        HospitalUnavailable: request after request goes unanswered.
    """
    try:
        if len(question.patients) > 1 and connection.knows(question.type, "no_list"):
            yield from _one_by_one(connection, question)
        else:
            yield from _passes(connection, question, resume)
    except Refused as fault:
        if _learns(connection, question, fault):
            yield from pages(connection, question)
        else:
            yield _gap_page(fault)
    except Fault as fault:
        yield _gap_page(fault)


def _one_by_one(connection: Connection, question: Question) -> Iterator[Page]:
    """Each patient's answer; no next link is kept for later, since it would continue one patient's answer only."""
    for patient in question.patients:
        for page in pages(connection, _for_one(question, patient)):
            yield msgspec.structs.replace(page, next=None)


def _learns(connection: Connection, question: Question, fault: Refused) -> bool:
    """Tries a refused question in simpler words and remembers, for this run, the first that the server takes."""
    if fault.status not in (400, 405, 414, 422, 501) or wants_category(fault.status, fault.issues):
        return False
    able = {
        "no_sort": _sorts(connection, question),
        "no_since": question.since is not None and not connection.knows(question.type, "no_since"),
        # STU3's ResearchSubject has no search parameter `study`; who asks checks each one's study anyway.
        "no_study": question.type == "ResearchSubject" and "study=" in _address(connection, question),
        # A server that refuses unknown parameters when asked to be strict may ignore them when not: then it is seen.
        "no_strict": is_strict(connection, question.type),
        "no_list": len(question.patients) > 1,
    }
    possible = [habit for habit in _SIMPLER if able[habit]]
    for habits in dict.fromkeys([*((habit,) for habit in possible), tuple(possible)]):
        probe = _for_one(question, question.patients[0]) if "no_list" in habits else question
        prefer = "" if "no_strict" in habits else _prefer(connection, question.type)
        try:
            connection.client.get(_address(connection, probe, frozenset(habits)), prefer=prefer)
        except Refused:
            continue
        except Fault:
            return False
        for habit in habits:
            connection.learn(question.type, habit)
        return bool(habits)
    return False


def wants_category(status: int | None, issues: tuple[str, ...]) -> bool:
    """Whether a refusal says that something required is missing: Epic wants a category (Q2). The code tells, never
    the text. A 5xx with that code is a broken record (Oracle, Q27)."""
    return status in (400, 422) and "required" in issues


def is_strict(connection: Connection, kind: str) -> bool:
    """Whether questions about a type say `Prefer: handling=strict` (Q5)."""
    return connection.hospital.pull.strict and not connection.knows(kind, "no_strict")


def _prefer(connection: Connection, kind: str) -> str:
    return "handling=strict" if is_strict(connection, kind) else ""


def _passes(connection: Connection, question: Question, resume: str | None) -> Iterator[Page]:
    """Reads the question until a pass shows no sign of drift, or nothing new under a steady count (Oracle repeats
    records on later pages, Q13); a lost cursor starts a pass again.

    A resumed pass has not seen the first pages, so where the server counts, the question is read once more.
    """
    seen: set[str] = set()
    is_lost = False
    for attempt in range(MAX_PASSES):
        walk = _Pass(question.type, counts=connection.hospital.pull.totals == "check")
        try:
            yield from _walk(connection, question, resume, walk)
        except CursorLost:
            resume, is_lost = None, True
            continue
        resume = None
        is_new = not walk.ids <= seen
        seen |= walk.ids
        if walk.failed or not (walk.is_short or walk.moved):
            return
        if attempt and not is_new and walk.is_steady:
            if walk.is_short:
                yield _gap("short", "the server counts more records than it gives; if it estimates, say so (totals)")
            return
    cause = ("cursor_lost", "the cursor") if is_lost else ("short", "records or counts")
    yield _gap(cause[0], f"{cause[1]} did not hold still in {MAX_PASSES} readings")


def _walk(connection: Connection, question: Question, start: str | None, walk: _Pass) -> Iterator[Page]:
    address = start or _address(connection, question)
    visited: set[str] = set()
    while True:
        visited.add(address)
        page = _fetch(connection, question, address, is_next=walk.pages > 0 or start is not None)
        if _refuses_everyone(connection, question, page):
            yield _gap("unfiltered", "the server ignores the patient filter, and pull.unfiltered is refuse")
            walk.failed = True
            return
        walk.see(page)
        gap, following = _follow(connection, page, visited, walk)
        walk.failed = walk.failed or gap is not None
        gaps = page.gaps if gap is None else (*page.gaps, gap)
        # A link that can be kept for later: absolute, and none where it cannot be followed.
        yield msgspec.structs.replace(page, gaps=gaps, next=following)
        if following is None:
            return
        address = following


def _follow(connection: Connection, page: Page, visited: set[str], walk: _Pass) -> tuple[Gap | None, str | None]:
    """The address of the next page, or why it cannot be followed. Only an absent link ends an answer (Q10)."""
    if page.next is None:
        return None, None
    try:
        address = connection.client.pin.resolve(page.next, page.url)
    except OffOrigin as fault:
        return Gap(code=fault.code, message=str(fault)), None
    if address in visited:
        return Gap(code="link_loop", message="a next link leads to a page that was already read"), None
    if walk.pages >= MAX_PAGES:
        return Gap(code="page_cap", message=f"an answer has more than {MAX_PAGES} pages"), None
    return None, address


def _fetch(connection: Connection, question: Question, address: str, *, is_next: bool) -> Page:
    attempts = FEW if connection.knows(question.type, "brittle") else ATTEMPTS
    try:
        reply = connection.client.get(address, prefer=_prefer(connection, question.type), attempts=attempts)
    except Fault as fault:
        if not is_next:
            raise
        if fault.status in (404, 410):
            raise CursorLost from None
        return _gap_page(fault)
    opening = Opening(url=reply.url, base=connection.client.pin.base, keep_damaged=bool(question.patients),
                      bundle_only=True)
    page = open_page(reply.body, opening)
    if any(entry.type != question.type for entry in page.entries):
        odd = Outcome(severity="warning", code=UNEXPECTED_TYPE)
        page = msgspec.structs.replace(page, outcomes=(*page.outcomes, odd))
        if all(entry.type != question.type for entry in page.entries):
            gap = Gap(code="unexpected_answer", message="a page holds records of other types alone")
            page = msgspec.structs.replace(page, gaps=(*page.gaps, gap))
    if question.patients and not _is_honoured(connection, question, page, is_next=is_next):
        page = _without_damaged_bodies(page)
    return page


def _is_honoured(connection: Connection, question: Question, page: Page, *, is_next: bool) -> bool:
    """Whether the server applied the patient filter, as far as its answer shows.

    It did not if it says so in the self link or returns other people's records; it may not have if it neither lists
    the parameter nor repeats it. Later pages may have a cursor as self link, which says nothing.
    """
    name = patient_parameter(question.type)
    repeated = _self_repeats(page, name)
    if is_next and not repeated:
        repeated = None
    asked = {f"Patient/{patient}" for patient in question.patients}
    foreign = any(entry.subjects and not asked & set(entry.subjects) for entry in page.entries)
    if foreign or repeated is False:
        connection.learn(question.type, "unfiltered")
    if not question.honoured or connection.knows(question.type, "unfiltered"):
        return False
    return bool(repeated) or name in connection.capability.of(question.type).parameters


def _self_repeats(page: Page, name: str) -> bool | None:
    """Whether the self link repeats a parameter; None if there is no self link, or one without any parameters."""
    query = urlsplit(page.self_link).query if page.self_link else ""
    if not query:
        return None
    keys = {key.split(":")[0].split(".")[0] for key, _ in parse_qsl(query, keep_blank_values=True)}
    return name in keys


def _refuses_everyone(connection: Connection, question: Question, page: Page) -> bool:
    refuses = connection.hospital.pull.unfiltered == "refuse"
    return refuses and not page.honoured and connection.knows(question.type, "unfiltered")


def _without_damaged_bodies(page: Page) -> Page:
    damages = tuple(msgspec.structs.replace(damage, body=b"") for damage in page.damages)
    return msgspec.structs.replace(page, damages=damages, honoured=False)


def _sorts(connection: Connection, question: Question) -> bool:
    return "_sort=" in _address(connection, question)


def count(connection: Connection, question: Question) -> int | None:
    """How many records the server counts for a question (`_summary=count`); None where it does not say or filter."""
    if connection.knows(question.type, "unfiltered") or connection.knows(question.type, "no_count"):
        return None
    parameters = (*question.parameters, ("_summary", "count"), ("_sort", ""), ("_count", ""))
    try:
        reply = connection.client.get(_address(connection, msgspec.structs.replace(question, parameters=parameters)),
                                      attempts=FEW)
    except Fault:
        connection.learn(question.type, "no_count")
        return None
    page = open_page(reply.body, Opening(url=reply.url, base=connection.client.pin.base, bundle_only=True))
    return page.total if not page.gaps and _self_repeats(page, patient_parameter(question.type)) is not False else None


def words(connection: Connection, question: Question) -> str:
    """The first address of a question, as it would be asked now."""
    return _address(connection, question)


def _address(connection: Connection, question: Question, also: frozenset[str] = frozenset()) -> str:
    """The first address of a question, in the words learned and `also` the given ones.

    Lists stay readable: commas are not escaped; `+` is (Q20).
    """
    habits = also | connection.learned.get(question.type, set())
    own = dict(question.parameters)
    dropped = {"_sort", "_count", *(name for habit, name in _DROPS.items() if habit in habits)}
    parameters = [(name, value) for name, value in question.parameters if name not in dropped]
    listed = "_id" in connection.capability.of(question.type).parameters
    sort = "" if "no_sort" in habits else own.get("_sort", "_id" if listed else "")
    count = own.get("_count", str(connection.hospital.pull.page_size))
    parameters += [(name, value) for name, value in (("_sort", sort), ("_count", count)) if value]
    query = urlencode(parameters, quote_via=quote, safe=",:/")
    return f"{connection.address(question.type)}?{query}" if query else connection.address(question.type)


def _for_one(question: Question, patient: str) -> Question:
    name = patient_parameter(question.type)
    parameters = tuple((key, patient if key == name else value) for key, value in question.parameters)
    return msgspec.structs.replace(question, patients=(patient,), parameters=parameters,
                                   reason=f"{question.reason}; one by one, since a list was refused")


def _gap_page(fault: Fault) -> Page:
    gap = Gap(code=fault.code, message=str(fault), status=fault.status or 0, issues=fault.issues)
    return Page(url="", entries=(), gaps=(gap,))


def _gap(code: str, message: str) -> Page:
    return Page(url="", entries=(), gaps=(Gap(code=code, message=message),))
