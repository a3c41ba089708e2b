"""No input makes the mapper raise: thousands of mutated resources of every version, by a seeded mutator.

`make fuzz` maps 100,000; FUZZ says how many, FUZZ_SEED from which seed.
"""

import os
import random
from collections import Counter
from copy import deepcopy
from typing import Any

import msgspec

from fhir_adapter.domains.mapping import Mapped, map_version
from fhir_adapter.fhir.registry import TYPES
from tests.domains.study_words import reading
from tests.fhir.agreement import Record, corpus, fixtures, places

COUNT = int(os.environ.get("FUZZ", "6000"))
SEED = int(os.environ.get("FUZZ_SEED", "20261123"))

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**31, 2**63, 10**30, 1e-30, 0.1, "", " ", "\x00", "zz", "#", "#zz", "urn:uuid:1", "/",
    "Patient/", "a/b/c/d", "http://[", "2024-13", "2023-02-30", "0000", "0001-01-01", "9999-12-31T23:59:60Z", "NaN",
    "2024-03-31T23:30:00+14:00", "z" * 2_000, "<div>", "\u202e", "\U0001f9ea", "1e999", "K/uL", "entered-in-error",
    [], {}, [None], [[]], [{}], {"value": {}}, {"coding": [{}]}, {"coding": [{"code": "718-7"}]}, {"text": ""},
    {"value": 1, "comparator": "<", "unit": "mg"}, {"reference": "Patient/zz"}, {"start": "2024", "end": "2023"},
    {"extension": [{"url": "ae-grade", "valueCode": "zz"}]}, [{"url": "status", "valueCode": "zz"}],
)
TIMES = ["occurrence", "occurence", "effective", "performed", "onset"]


def mutated(chosen: random.Random, whole: dict[str, Any]) -> dict[str, Any]:
    """One to five places replaced, removed, doubled, renamed, or exchanged with another place of the resource."""
    resource: dict[str, Any] = deepcopy(whole)
    for _ in range(chosen.randint(1, 5)):
        found = list(places(resource))
        if not found:
            break
        *path, last = chosen.choice(found)
        holder: Any = resource
        for key in path:
            holder = holder[key]
        what = chosen.random()
        if what < 0.5:
            holder[last] = deepcopy(chosen.choice(ODD))
        elif what < 0.65:
            del holder[last]
        elif what < 0.8:
            holder[last] = [holder[last], deepcopy(holder[last])]
        elif isinstance(holder, dict):
            renamed = last.replace(chosen.choice(TIMES), chosen.choice(TIMES)) if chosen.random() < 0.5 else "valueCode"
            holder[renamed] = holder.pop(last)
    return resource


def whole_resources() -> list[Record]:
    """What is mutated: the fixtures, and the resources by other hands where they are beside this checkout."""
    return [one for one in fixtures() + corpus() if one[1] in TYPES]


def faults_of(said: Mapped, again: Mapped) -> list[str]:
    """What a mapping must never do: guess, contradict itself, or leave a record unaccounted for."""
    wrong = [problem.message for problem in said.problems if "understood" in problem.message]
    if said != again:
        wrong.append("the same bytes say something else the second time")
    if not (said.facts or said.reason):
        wrong.append("the record is not accounted for")
    return wrong


def test_no_input_makes_the_mapper_raise() -> None:
    """Every mutation becomes facts, a problem, a doubt or a reason; the last guard is never needed."""
    chosen = random.Random(SEED)
    records = whole_resources()
    outcomes: Counter[str] = Counter()
    for _ in range(COUNT):
        version, type, whole = chosen.choice(records)
        body = msgspec.json.encode(mutated(chosen, whole))
        context: Any = version
        said = map_version(type, body, reading(context))
        again = map_version(type, body, reading(context)) if chosen.random() < 0.05 else said
        outcomes[said.outcome] += 1
        assert faults_of(said, again) == [], (version, type, body[:2_000])

    assert sum(outcomes.values()) == COUNT
    assert {"mapped", "waiting", "ignored", "quarantined"} == set(outcomes)
