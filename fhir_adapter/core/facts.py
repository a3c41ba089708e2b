"""What every fact has in common, and how a fact or a conclusion declares its columns.

A record type is declared once, as a frozen Struct whose fields carry their meaning; its SQL table, the data
dictionary and the frames follow from it (docs/decisions/0002).
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from fhir_adapter.core.conflicts import Doubt
from fhir_adapter.core.problems import Problem


def column(meaning: str, *, unit: str = "", codes: tuple[str, ...] = (), source: str = "") -> msgspec.Meta:
    """Describes one column, for `Annotated[type, column(...)]`: meaning, unit, closed code list, FHIR source."""
    return msgspec.Meta(description=meaning, extra={"unit": unit, "codes": codes, "source": source})


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One typed claim about one subject as one hospital stated it; the base of every domain's fact.

    `element` is the path inside the resource that states it; `index` tells facts of one element apart.
    Subject, hospital, resource key and version are added when it is kept: they are the same for all its facts.
    """

    element: str
    index: int = 0


class Ignored(msgspec.Struct, frozen=True):
    """A record that is understood and does not count, with the reason (for example `not_done`, `planned_only`)."""

    reason: str


Finding = Fact | Problem | Doubt | Ignored
"""What a mapper may yield for one resource."""


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """One clinical domain: its table name, its fact, the resources it reads and how.

    `read(resource, reading)` yields Facts, Problems, Doubts or Ignored; nothing at all means "not mine".
    `lists` names the concept lists of which a record's code, or a component's, must be in one (`list/concept`: must
    mean that concept); empty: every record of those types is read. It saves asking, it does not decide.
    `same` names the columns that make two facts tell of the same thing; `agree` those that must then be equal.
    """

    name: str
    fact: type[Fact]
    title: str
    reads: tuple[str, ...]
    read: Callable[[Any, Any], Iterable[Any]]
    same: tuple[str, ...] = ()
    agree: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
