"""Pages of an answer: a search keeps its rows, and a next link is opaque and of the kind that each version's servers
are known for (HAPI's `_getpages` on R4, a cursor on R5, a continuation token on STU3)."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urlencode

from fhir_adapter.sandbox.store import Version

NEXT_NAMES = {"STU3": "ct", "R4": "_getpages", "R4B": "_getpages", "R5": "_cursor"}
"""The query parameter that holds the opaque place, by FHIR version."""


@dataclass(frozen=True)
class Answer:
    """All rows of one question, and the page that is to be shown of them."""

    kind: Literal["searchset", "history"]
    type: str
    rows: tuple[Version, ...]
    count: int
    self_link: str
    notes: tuple[str, ...] = ()
    offset: int = 0
    number: int = field(default=0, compare=False)

    @property
    def page(self) -> int:
        """Counted from 1."""
        return self.offset // self.count + 1

    @property
    def shown(self) -> tuple[Version, ...]:
        """The rows of this page."""
        return self.rows[self.offset : self.offset + self.count]

    @property
    def more(self) -> bool:
        """Whether rows follow."""
        return self.offset + self.count < len(self.rows)


class Places:
    """The open searches: an opaque key for each page that a next link was given for; the oldest are forgotten."""

    def __init__(self, version: str, base_url: str, seed: int) -> None:
        self._name = NEXT_NAMES[version]
        self._base_url = base_url
        self._seed = seed
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._count = 0

    def next_link(self, answer: Answer, keep: int) -> str:
        """The address of the page after this one."""
        if not answer.number:
            self._count += 1
            answer = replace(answer, number=self._count)
        following = replace(answer, offset=answer.offset + answer.count)
        key = hashlib.sha256(f"{self._seed}|{following.number}|{following.offset}".encode()).hexdigest()[:32]
        self._answers[key] = following
        self._answers.move_to_end(key)
        while len(self._answers) > keep:
            self._answers.popitem(last=False)
        return self._link(key, following)

    def _link(self, key: str, answer: Answer) -> str:
        if self._name == "_getpages":
            place = {"_getpages": key, "_getpagesoffset": answer.offset, "_count": answer.count}
            return f"{self._base_url}?{urlencode(place)}"
        history = "/_history" if answer.kind == "history" else ""
        return f"{self._base_url}{'/' + answer.type if answer.type else ''}{history}?{urlencode({self._name: key})}"

    def asked(self, query: tuple[tuple[str, str], ...]) -> str | None:
        """The key in a request for a following page; None when it is a new question."""
        return next((value for name, value in query if name == self._name), None)

    def find(self, key: str) -> Answer | None:
        """The page of a key; None when it was forgotten or never given."""
        return self._answers.get(key)

    def forget(self) -> None:
        """Every next link given so far has expired."""
        self._answers.clear()
