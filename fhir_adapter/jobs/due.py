"""Which hospitals are due: a pure function of what was asked before, the settings, and now."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from fhir_adapter.core import cadence
from fhir_adapter.core.study import Hospital

SLACK = timedelta(minutes=5)
"""A span counts as over this much early (at most a twentieth of it): a timer that ticks every 15 minutes and a run that
began some seconds after its tick would otherwise drift by a whole tick each time."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One earlier run in which a hospital was asked, and whether it gave everything; ended runs only."""

    hospital: str
    started: datetime
    ended: datetime
    whole: bool


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a hospital is to be asked now; if not, `at` says when, and `why` in words."""

    hospital: str
    now: bool
    at: datetime
    why: str


def due(hospitals: Iterable[Hospital], asked: Iterable[Asked], now: datetime,
        paused: Mapping[str, datetime] | None = None) -> list[Due]:
    """What a scheduled job does about each hospital, in the order given.

    A hospital is due when its `every` says so since the beginning of its last whole run; one that has had none is due
    at once. After a run that was not whole it is left alone for `retry`, in its quiet hours and while it has asked
    to be left alone (`paused`) until they end. A run that was killed or stopped is not among `asked`: it may go on at
    once. A run from the future (the clock was set back) counts as of now.
    """
    earlier: dict[str, list[Asked]] = {}
    for one in asked:
        earlier.setdefault(one.hospital, []).append(one)
    rests = paused or {}
    return [_due(one, earlier.get(one.id, []), now, rests.get(one.id)) for one in hospitals]


def _due(hospital: Hospital, asked: list[Asked], now: datetime, rests: datetime | None) -> Due:
    pull = hospital.pull
    at, why, early = now, "due", timedelta(0)
    whole = max((one.started for one in asked if one.whole), default=None)
    if whole is not None:
        since = min(whole, now)
        at, why = cadence.next_after(pull.every, since, pull.time_zone), f"every {pull.every}"
        if isinstance(cadence.every(pull.every), timedelta):
            early = min((at - since) / 20, SLACK)
    last = max(asked, key=lambda one: one.started, default=None)
    if last is not None and not last.whole:
        again = min(last.ended, now) + pull.retry
        if again > at - early:
            at, why, early = again, "the last run was not whole", timedelta(0)
    if rests is not None and rests > max(at, now):
        at, why, early = rests, "the hospital asked to be left alone", timedelta(0)
    is_due = now >= at - early
    quiet = _quiet_until(hospital, now if is_due else at)
    if quiet is not None:
        return Due(hospital=hospital.id, now=False, at=quiet, why=f"quiet hours {pull.quiet_hours}")
    return Due(hospital=hospital.id, now=is_due, at=at, why=why)


def _quiet_until(hospital: Hospital, at: datetime) -> datetime | None:
    written = hospital.pull.quiet_hours
    return cadence.quiet_hours(written).until(at, hospital.pull.time_zone) if written is not None else None
