"""A growing set of 64-bit marks in some eight bytes each; a Python set of as many numbers takes sixty."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from heapq import merge
from itertools import islice

BLOCK = 16384
"""So many marks are held as a set before they become a sorted block."""


class Marks:
    """Marks that were met; only whether, never in which order. Blocks of like size are merged, so there are few."""

    def __init__(self, marks: Iterable[int] = ()) -> None:
        self._new: set[int] = set()
        self._blocks: list[array[int]] = []
        self.update(marks)

    def __contains__(self, mark: int) -> bool:
        if mark in self._new:
            return True
        for block in self._blocks:
            place = bisect_left(block, mark)
            if place < len(block) and block[place] == mark:
                return True
        return False

    def __len__(self) -> int:
        return len(self._new) + sum(map(len, self._blocks))

    def add(self, mark: int) -> None:
        """Takes note of a mark; one that was met before changes nothing."""
        self.update((mark,))

    def update(self, marks: Iterable[int]) -> None:
        """Takes note of several, never of more than a block's at once."""
        coming = iter(marks)
        while some := set(islice(coming, BLOCK)):
            self._new |= {mark for mark in some if mark not in self} if self._blocks else some
            if len(self._new) >= BLOCK:
                self._lay_down()

    def _lay_down(self) -> None:
        block = array("q", sorted(self._new))
        self._new = set()
        while self._blocks and len(self._blocks[-1]) <= len(block):
            block = array("q", merge(self._blocks.pop(), block))
        self._blocks.append(block)

    def joined(self, other: "Marks") -> "Marks":
        """The marks of both."""
        both = Marks()
        for one in (self, other):
            both.update(one._new)
            for block in one._blocks:
                both.update(block)
        return both
