"""Overall survival: from the start to death of any cause, not affected by any therapy.

Without a death the subject is censored on the last day it is known to be alive; without any contact after the start,
at the start. With a cut-off and policy `cap` a later proof of life, or a later death, censors at the cut-off.
Source: endpoints.md §7, §0.15 to §0.17.
"""

import msgspec

from fhir_adapter.endpoints.frames import NOTHING, Ground, written
from fhir_adapter.endpoints.survival import Life
from fhir_adapter.endpoints.time_to_event import Outcome, Source, run


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """What one subject's OS is decided by; `cap` is the cut-off at which a later proof shows the subject alive."""

    start: int
    life: Life
    cap: int | None = None
    doubted: Ground = NOTHING


def survive(alive: Alive) -> Outcome:
    """The outcome of the clock."""
    death = alive.life.death
    if death is not None:
        note = f" ({death.note})" if death.note else ""
        return run(alive.start, [Source(
            day=death.day, reason="death", told=f"death {written(death.day)}{note}", imputed=death.imputed,
            cause=death.cause, ground=death.ground | alive.doubted)], [])
    if alive.cap is not None:
        return run(alive.start, [], [Source(day=alive.cap, reason="cutoff", ground=alive.doubted,
                                            told=f"alive at the cut-off {written(alive.cap)}")])
    last = alive.life.last_alive
    if last is None or last[1] <= alive.start:
        return run(alive.start, [], [Source(day=alive.start, reason="no_contact", ground=alive.doubted,
                                            told=f"censored at the start {written(alive.start)}: no contact after it")])
    kind, number, its_ground = last
    return run(alive.start, [], [Source(
        day=number, reason="last_alive", ground=its_ground | alive.doubted,
        told=f"censored {written(number)}: last known alive ({kind.replace('_', ' ')})")])
