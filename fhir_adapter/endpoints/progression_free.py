"""Progression-free survival under `treatment_policy` and `table_a` side by side.

| situation | table_a | treatment_policy |
|---|---|---|
| progression or death, no gap | event | event |
| no baseline assessment | censored at start | event if it comes |
| no assessment, alive | censored at start | censored at start |
| event after two or more missed assessments | censored at the last adequate one before | event |
| new therapy first (the same day counts) | censored at the last adequate one before it | event when it comes |
| clinical progression only | by option, no event by default | the same |
| stopped treatment | by option `discontinuation` | goes on |
| alive, no progression | last evaluable assessment | the same |

Two assessments are missed when more than 2 * (interval + window) days (by the schedule in force, see `schedule`) lie
between the later of start and last adequate assessment (evaluable, not NE) and the event. Source: FDA 2007 appendix 3
table A, EMA 2012 appendix 1; endpoints.md §6, §0.14, §0.15.
"""

import msgspec

from fhir_adapter.core.study import EndpointSettings, Protocol
from fhir_adapter.endpoints.frames import NOTHING, Ground, together, written
from fhir_adapter.endpoints.readings import EVALUABLE, Reading
from fhir_adapter.endpoints.schedule import gap_allowed
from fhir_adapter.endpoints.survival import Death
from fhir_adapter.endpoints.therapies import Therapy
from fhir_adapter.endpoints.time_to_event import Outcome, Source, run, undetermined
from fhir_adapter.endpoints.treatment import Step


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What one subject's PFS is decided by. `readings`: after the baseline, of the chosen source, in time order."""

    start: int
    baseline: bool
    readings: list[Reading]
    death: Death | None = None
    new_therapy: Therapy | None = None
    stopped: Step | None = None
    clinical: Step | None = None
    doubted: Ground = NOTHING
    """Held kinds that may change the outcome although no deciding fact is held."""


def progression(history: History) -> Reading | None:
    """The first progression."""
    return next((one for one in history.readings if one.overall == "PD" and one.progression is not None), None)


def policy(history: History, settings: EndpointSettings) -> Outcome:
    """Treatment policy: whatever happens in between, the event counts when it comes."""
    return run(history.start, events(history, settings), [_last_adequate(history, None)])


def table_a(history: History, settings: EndpointSettings, protocol: Protocol) -> Outcome:
    """Hypothetical strategy in the style of FDA 2007 table A; without a schedule it refuses."""
    if gap_allowed(protocol.schedule, 0) is None:
        return undetermined("no_schedule", "trial.toml has no [schedule]: missed assessments cannot be seen")
    if not history.baseline:
        return Outcome(status="censored", end=Source(day=history.start, reason="no_baseline",
                                                     told="censored at the start: no baseline assessment",
                                                     ground=history.doubted))
    found = sorted(events(history, settings), key=lambda one: one.day)
    event = found[0] if found else None
    cut = _cut(history, settings, event)
    if cut is not None:
        return Outcome(status="censored", end=cut)
    if event is None:
        return run(history.start, [], [_last_adequate(history, None)])
    last = _last_adequate(history, event.day)
    since = max(last.day, history.start)
    gap, limit = event.day - since, gap_allowed(protocol.schedule, since - history.start)
    if limit is not None and gap > limit:
        told = (f"censored {written(since)}: {event.reason} {written(event.day)} came {gap} "
                f"days later, more than {limit}: two or more assessments missed")
        return Outcome(status="censored", end=Source(
            day=since, reason="missed_assessments", told=told, ground=last.ground | event.ground))
    if history.new_therapy is not None and _same_month_after(history.new_therapy, event):
        event = msgspec.structs.replace(event, ground=event.ground.doubted("partial_date"))
    return run(history.start, [event], [])


def events(history: History, settings: EndpointSettings) -> list[Source]:
    """Progression, death and, by option, clinical progression; of one day progression goes first."""
    found: list[Source] = []
    first = progression(history)
    if first is not None and first.progression is not None and "progression" in settings.events:
        doubt = ("partial_date",) if first.imputed else ()
        found.append(Source(day=first.progression, reason="progression", told=first.told(),
                            imputed="day" if first.imputed else None,
                            ground=(first.ground | history.doubted).doubted(*doubt)))
    if settings.clinical_progression and history.clinical is not None and history.clinical.day is not None:
        found.append(Source(day=history.clinical.day, reason="clinical_progression",
                            told=f"clinical progression {written(history.clinical.day)}",
                            ground=history.clinical.ground | history.doubted))
    if history.death is not None and "death" in settings.events:
        note = f" ({history.death.note})" if history.death.note else ""
        found.append(Source(day=history.death.day, reason="death",
                            told=f"death {written(history.death.day)} without progression before{note}",
                            imputed=history.death.imputed, ground=history.death.ground | history.doubted))
    return found


def _cut(history: History, settings: EndpointSettings, event: Source | None) -> Source | None:
    """The censoring at new therapy or, by option, at the end of treatment, if it comes before the event."""
    therapy, stopped = history.new_therapy, history.stopped
    cuts: list[tuple[int, str, str, Ground]] = []
    if therapy is not None and therapy.start is not None and not _same_month_after(therapy, event):
        cuts.append((therapy.start, "new_therapy", f"new anticancer therapy ({therapy.told})", therapy.ground))
    if settings.discontinuation == "censor" and stopped is not None and stopped.day is not None:
        cuts.append((stopped.day, "discontinuation", "study treatment ended", stopped.ground))
    cuts = [one for one in cuts if event is None or one[0] < event.day]
    if not cuts:
        return None
    on, reason, told, its_ground = min(cuts, key=lambda one: one[:2])
    last = _last_adequate(history, on + 1)
    number = max(last.day, history.start)
    return Source(day=number, reason=reason, told=f"censored {written(number)}: {told} began {written(on)}"
                  if reason == "new_therapy" else f"censored {written(number)}: {told} {written(on)}",
                  ground=last.ground | its_ground)


def _same_month_after(therapy: Therapy, event: Source | None) -> bool:
    """Whether a new therapy without a day may have begun after a progression in its month: then it did."""
    return (event is not None and event.reason == "progression" and therapy.start is not None
            and therapy.start_latest is not None and therapy.start < therapy.start_latest
            and therapy.start <= event.day <= therapy.start_latest)


def _last_adequate(history: History, before: int | None) -> Source:
    """The last evaluable assessment (before a day), else the start; its day is the last target measurement."""
    some = [one for one in history.readings
            if one.overall in EVALUABLE and one.overall != "PD" and (before is None or one.first < before)]
    first = progression(history)
    if first is not None and before is not None:
        some = [one for one in some if one.number < first.number]
    whole = together([history.doubted, *(one.ground for one in some[-1:])])
    if not some:
        reason = "no_assessment"
        told = f"censored at the start {written(history.start)}: no evaluable assessment after it"
        return Source(day=history.start, reason=reason, told=told, ground=whole)
    last = some[-1]
    number = last.censors if before is None else min(last.censors, before - 1)
    return Source(day=number, reason="last_assessment", ground=whole,
                  told=f"censored {written(number)}: last evaluable assessment, {last.overall}")
