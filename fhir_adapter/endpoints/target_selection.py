"""Which lesions may be targets at baseline: limits to check against, never a silent choice.

Measurable: longest diameter at least 10 mm, node short axis at least 15 mm; blastic bone, effusion, ascites and
leptomeningeal disease never. A node of 10 to below 15 mm is pathological but no target, below 10 mm it is normal.
At most 5 targets, at most 2 per organ; all nodes are one organ. Of several the largest are proposed.
Source: RECIST 1.1 §3, §4.1 and EORTC clarifications; endpoints.md §2.1.
"""

from collections import Counter
from collections.abc import Sequence

import msgspec

from fhir_adapter.endpoints.recist import NODE_GONE_UM

TARGETS = 5
PER_ORGAN = 2
MEASURABLE_UM = 10000
MEASURABLE_NODE_UM = 15000
UNMEASURABLE = frozenset({"blastic", "effusion", "ascites", "leptomeningeal"})


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A lesion seen at baseline; lengths in micrometres."""

    name: str
    site: str
    longest_um: int
    short_um: int | None = None
    node: bool = False
    kind: str = ""

    @property
    def size(self) -> int:
        """What enters the sum: the short axis of a node, else the longest diameter."""
        return self.short_um or 0 if self.node else self.longest_um

    @property
    def measurable(self) -> bool:
        """Whether it may be a target."""
        return self.kind not in UNMEASURABLE and self.size >= (MEASURABLE_NODE_UM if self.node else MEASURABLE_UM)


def propose(candidates: Sequence[Candidate]) -> dict[str, str]:
    """The role that the limits allow each lesion: `target`, `non-target` or `none` (a normal node)."""
    found: dict[str, str] = {}
    organs: Counter[str] = Counter()
    for one in sorted(candidates, key=lambda one: (-one.size, one.name)):
        organ = "node" if one.node else one.site
        if one.node and one.size < NODE_GONE_UM:
            found[one.name] = "none"
        elif one.measurable and sum(organs.values()) < TARGETS and organs[organ] < PER_ORGAN:
            found[one.name] = "target"
            organs[organ] += 1
        else:
            found[one.name] = "non-target"
    return found


def excess(targets: Sequence[tuple[str, bool]]) -> list[str]:
    """What is wrong with a choice of targets, given as site and whether it is a node; empty when nothing is."""
    organs = Counter("node" if node else site for site, node in targets)
    wrong = [f"{count} targets in {organ}, at most {PER_ORGAN}" for organ, count in sorted(organs.items())
             if count > PER_ORGAN]
    if len(targets) > TARGETS:
        wrong.insert(0, f"{len(targets)} targets, at most {TARGETS}")
    return wrong
