"""One engine for every clock: sources of events and of censorings, each with the facts it comes from.

The earliest event wins (of one day, the first listed); without an event the latest censoring. Nothing ends before the
clock starts. Days = date minus start, plus one if `day_one_counts`. Source: admiral's `derive_param_tte`;
endpoints.md §5, §6, §0.14.
"""

from collections.abc import Sequence

import msgspec

from fhir_adapter.core.study import TimeToEvent as Settings
from fhir_adapter.endpoints.conclusions import TimeToEvent
from fhir_adapter.endpoints.frames import NOTHING, Ground, written, written_or_none


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Something that ends a clock: the day, the reason as a code, the reason in words, the facts."""

    day: int
    reason: str
    told: str
    imputed: str | None = None
    cause: str | None = None
    ground: Ground = NOTHING


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a clock ended. `status`: event, censored, undetermined."""

    status: str
    end: Source


class Clocked(msgspec.Struct, frozen=True, kw_only=True):
    """Whose endpoint it is, under which rule, from which readings, since when."""

    subject: str
    endpoint: str
    rule: str = ""
    headline: bool = True
    evaluator: str = ""
    source: str | None = None
    start: int | None = None


def run(start: int, events: Sequence[Source], censorings: Sequence[Source]) -> Outcome:
    """The outcome of one clock; with neither an event nor a censoring it is censored at the start."""
    if events:
        first = min(events, key=lambda one: one.day)
        return Outcome(status="event", end=_not_before(start, first))
    nothing = Source(day=start, reason="no_assessment", told="nothing is known after the start")
    return Outcome(status="censored", end=_not_before(start, max(censorings, key=lambda one: one.day, default=nothing)))


def _not_before(start: int, end: Source) -> Source:
    return end if end.day >= start else msgspec.structs.replace(end, day=start)


def undetermined(reason: str, told: str, ground: Ground = NOTHING) -> Outcome:
    """A clock that cannot be read."""
    return Outcome(status="undetermined", end=Source(day=0, reason=reason, told=told, ground=ground))


def conclude(clock: Clocked, outcome: Outcome, settings: Settings) -> TimeToEvent:
    """The row of the table."""
    known = outcome.status != "undetermined" and clock.start is not None
    days = outcome.end.day - (clock.start or 0) + int(settings.day_one_counts) if known else None
    return TimeToEvent(
        subject=clock.subject, endpoint=clock.endpoint, rule=clock.rule, headline=clock.headline,
        evaluator=clock.evaluator, source=clock.source, start=written_or_none(clock.start),
        date=written(outcome.end.day) if known else None, status=outcome.status, days=days,
        reason=outcome.end.reason, imputed=outcome.end.imputed, cause=outcome.end.cause,
        **outcome.end.ground.told(outcome.end.told),
    )
