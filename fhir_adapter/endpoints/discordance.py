"""Reported responses that the measured lesions do not give: listed at each time point, asked about once a reader.

The source that is analysed counts (endpoints.md §0.4, §2.4); the other stands beside it. What cannot be evaluated on
one side contradicts nothing. Asked about the first time point that differs, with all that differ as values.
"""

from collections.abc import Iterator, Mapping

from fhir_adapter.endpoints.doubts import Doubt
from fhir_adapter.endpoints.frames import Ground
from fhir_adapter.endpoints.readings import Reading

_SAYS_NOTHING = (None, "NE")


def doubts(readings: Mapping[tuple[tuple[str, str], str], list[Reading]]) -> Iterator[Doubt]:
    """One doubt for each reader of a subject with a time point after the baseline on which the two sources differ."""
    for (series, source), some in sorted(readings.items(), key=lambda item: item[0]):
        if source != "reported":
            continue
        computed = {one.number: one for one in readings.get((series, "lesions"), [])}
        differing = [(one, computed[one.number]) for one in some
                     if one.discordant and one.overall not in _SAYS_NOTHING
                     and computed[one.number].overall not in _SAYS_NOTHING]
        if differing:
            first = differing[0][0]
            stated = frozenset(one for one in first.ground.refs if one.startswith("response_assessment:"))
            yield Doubt(
                kind="response_unlike_sizes", subject=series[0], holds=False,
                ground=Ground(stated or first.ground.refs),
                values=tuple(f"time point {one.number}: {one.overall} / {other.overall}" for one, other in differing),
                message=f"a response is reported as {first.overall}, its sizes give {differing[0][1].overall}; "
                        f"{len(differing)} time point(s) differ")
