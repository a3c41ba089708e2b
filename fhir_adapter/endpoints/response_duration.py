"""Time to response and duration of response, of responders only.

Both use the first CR or PR of the earliest confirmed response (the first response, when confirmation is off). The
duration ends as PFS ends, under the same two rules; it never starts anew. Source: endpoints.md §5, §0.9.
"""

import msgspec

from fhir_adapter.core.study import Protocol
from fhir_adapter.endpoints.conclusions import BestResponse, TimeToEvent
from fhir_adapter.endpoints.frames import Ground, day, written
from fhir_adapter.endpoints.time_to_event import Clocked, Outcome, Source
from fhir_adapter.endpoints.time_to_event import conclude as concluded


def conclude(clock: Clocked, best: BestResponse, pfs: dict[str, Outcome], protocol: Protocol) -> list[TimeToEvent]:
    """The rows of a responder; none for anybody else."""
    response = day(best.first_response_date)
    if response is None:
        return []
    whole = _ground(best)
    told = f"first response {written(response)}: {best.why}"
    rows = [concluded(
        msgspec.structs.replace(clock, endpoint="TTR", rule=""),
        Outcome(status="event", end=Source(day=response, reason="response", told=told, ground=whole)),
        protocol.time_to_event,
    )]
    headline = protocol.endpoints["PFS"].pfs_rule if "PFS" in protocol.endpoints else "treatment_policy"
    for rule, outcome in pfs.items():
        end = msgspec.structs.replace(outcome.end, day=max(outcome.end.day, response),
                                      ground=outcome.end.ground | whole)
        rows.append(concluded(
            msgspec.structs.replace(clock, endpoint="DOR", rule=rule, headline=rule == headline, start=response),
            Outcome(status=outcome.status, end=end), protocol.time_to_event,
        ))
    return rows


def _ground(best: BestResponse) -> Ground:
    return Ground(frozenset(msgspec.json.decode(best.facts, type=list[str])),
                  frozenset(msgspec.json.decode(best.held_kinds, type=list[str])))
