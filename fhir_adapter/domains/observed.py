"""What the readers of Observations share: whether a record is theirs, and why one is set aside."""

from fhir_adapter.core.concepts import Match
from fhir_adapter.core.conflicts import Doubt
from fhir_adapter.core.facts import Ignored
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.observation import Observation

EVALUABLE = frozenset(("final", "amended", "corrected"))
"""Statuses of a finished observation (profiles.md §1.3)."""


def set_aside(
    reading: Reading, observation: Observation, match: Match, element: str = "code"
) -> Ignored | Doubt | None:
    """Why an observation yields no fact: withdrawn as an error, or its code leads to no single concept."""
    if match.found == "mapped":
        return None if observation.status != "entered-in-error" else Ignored("entered_in_error")
    if observation.status == "entered-in-error":
        return Ignored("entered_in_error")
    if match.found == "unmatched":
        return Ignored(match.note)
    return reading.code_doubt(match, element)


def not_final(observation: Observation) -> Ignored | None:
    """Ignored, with the status, for an observation that is not finished."""
    return None if observation.status in EVALUABLE else Ignored(f"status_{observation.status}")


def unusable(reading: Reading, observation: Observation, match: Match, element: str = "code") -> Ignored | Doubt | None:
    """Why an observation that must be finished yields no fact (`set_aside`, `not_final`); None in the usual case."""
    if match.found == "mapped" and observation.status in EVALUABLE:
        return None
    return set_aside(reading, observation, match, element) or not_final(observation)
