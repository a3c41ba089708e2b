"""Pages of an answer: how rows are cut, and a next link that is opaque and of the kind that each version's servers
are known for (HAPI's `_getpages` on R4, a cursor on R5, a continuation token on STU3), or an offset."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote, urlencode, urlsplit

from fhir_adapter.sandbox.house import House
from fhir_adapter.sandbox.store import Version

NEXT_NAMES = {"STU3": "ct", "R4": "_getpages", "R4B": "_getpages", "R5": "_cursor"}
"""The query parameter that holds the opaque place, by FHIR version."""


@dataclass(frozen=True)
class Answer:
    """All rows of one question, and the page that is to be shown of them: `size` rows from `offset` on.

    `again`: the question as an address without `_offset`, for servers that ask it again for each page.
    """

    kind: Literal["searchset", "history"]
    type: str
    rows: tuple[Version, ...]
    count: int
    self_link: str
    notes: tuple[str, ...] = ()
    offset: int = 0
    page: int = 1
    size: int = 0
    again: str = ""
    posted: bool = False
    suppressed: bool = False
    number: int = field(default=0, compare=False)

    @property
    def shown(self) -> tuple[Version, ...]:
        """The rows of this page."""
        return self.rows[self.offset : self.offset + self.size]

    @property
    def more(self) -> bool:
        """Whether rows follow."""
        return self.offset + self.size < len(self.rows)


def cut(answer: Answer, house: House) -> Answer:
    """The answer with the size of its page."""
    paging, size = house.persona.paging, answer.count
    if answer.page == paging.empty_page:
        size = 0
    elif answer.page == 1 and paging.first_page_rows:
        size = paging.first_page_rows
    elif paging.short_pages:
        size = 1 + house.chance("short", answer.type, answer.offset) % answer.count
    if paging.cap:
        size = max(0, min(size, paging.cap - answer.offset))
    return replace(answer, size=size)


def following(answer: Answer, house: House) -> Answer | None:
    """The page after this one; None when this is the last, or is said to be."""
    paging = house.persona.paging
    end = answer.offset + answer.size
    capped = paging.cap and end >= paging.cap
    if capped or not paging.next_links or not (answer.more or (paging.empty_end and answer.shown)):
        return None
    back = 1 if paging.repeats and answer.size > 1 and answer.more else 0
    return replace(answer, offset=min(end - back, len(answer.rows)), page=answer.page + 1)


def total(answer: Answer, house: House) -> int | None:
    """What the page says of the number of rows; None: nothing."""
    form, rows = house.persona.paging.total, len(answer.rows)
    if form == "none" or not house.persona.tells_total:
        return None
    if form == "estimated" or (form == "exact_at_end" and answer.more):
        return rows + 1 + house.chance("total", answer.type) % (rows // 5 + 3)
    return rows


class Places:
    """The open searches: an opaque key for each page that a next link was given for; the oldest are forgotten."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._name = NEXT_NAMES[house.place.version]
        self._answers: OrderedDict[str, tuple[datetime, Answer]] = OrderedDict()
        self._count = 0

    def next_link(self, answer: Answer) -> str:
        """The address of this page, which is the next of another."""
        if self._house.persona.paging.style == "offset" and answer.again:
            mark = "&" if "?" in answer.again else "?"
            return self._dressed(f"{answer.again}{mark}_offset={answer.offset}")
        if not answer.number:
            self._count += 1
            answer = replace(answer, number=self._count)
        key = self._key(answer)
        self._answers[key] = (self._house.clock(), answer)
        self._answers.move_to_end(key)
        while len(self._answers) > self._house.persona.open_searches:
            self._answers.popitem(last=False)
        return self._dressed(self._link(key, answer))

    def _key(self, answer: Answer) -> str:
        paging = self._house.persona.paging
        text = f"{self._house.seed}|{answer.number}|{answer.offset}|{answer.page}"
        key = hashlib.sha256(text.encode()).hexdigest()[:32]
        if paging.links == "encoded":
            # fhircrackr#110: whoever decodes or encodes such a token again has another token.
            key = f"{key[:8]}+{key[8:20]}/{key[20:]}%2B=="
        return key + "A" * (paging.token_growth * (answer.page - 1))

    def _link(self, key: str, answer: Answer) -> str:
        base_url = self._house.base_url
        if self._name == "_getpages" and not answer.posted:
            place = {"_getpages": key, "_getpagesoffset": answer.offset, "_count": answer.count}
            return f"{base_url}?{urlencode(place)}"
        action = "/_history" if answer.kind == "history" else "/_search" if answer.posted else ""
        return f"{base_url}{'/' + answer.type if answer.type else ''}{action}?{self._name}={quote(key, safe='')}"

    def _dressed(self, url: str) -> str:
        """The link in the form that this persona writes."""
        parts, annex = urlsplit(url), self._house.place.annex
        rest = url.removeprefix(f"{parts.scheme}://{parts.netloc}")
        return {
            "relative": rest,
            "off_origin": annex + rest,
            "unknown_host": f"http://fhir-server.hospital.svc.cluster.local{rest}",
            "lost_port": f"{parts.scheme}://{parts.hostname}{rest}",
            "port_443": f"{parts.scheme}://{parts.hostname}:443{rest}",
            "port_twice": f"{parts.scheme}://{parts.netloc}:{parts.port}{rest}",
            "https": f"https://{parts.netloc}{rest}",
        }.get(self._house.persona.paging.links, url)

    def asked(self, query: tuple[tuple[str, str], ...]) -> str | None:
        """The key in a request for a following page; None when it is a new question."""
        return next((value for name, value in query if name == self._name), None)

    def find(self, key: str) -> Answer | None:
        """The page of a key; None when it was forgotten, has expired or was never given."""
        given, answer = self._answers.get(key, (None, None))
        lifetime = self._house.persona.paging.lifetime
        if given is not None and lifetime and self._house.clock() - given > timedelta(seconds=lifetime):
            return None
        return answer

    def forget(self) -> None:
        """Every next link given so far has expired."""
        self._answers.clear()


