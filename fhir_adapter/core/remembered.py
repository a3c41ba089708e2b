"""What was found out once and is met again: hospitals repeat their words, amounts and days in record after record."""

from typing import TypeVar

MOST_STATEMENTS = 20_000
"""How many whole statements of a hospital are remembered in one place, some 10 MB."""

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Remembered(dict[Asked, Answer]):
    """Answers by what was asked, in this process only; it starts anew when they become too many.

    It is for what hospitals say alike of many people: codes, units, amounts, days. Never for what names one of them.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def keep(self, asked: Asked, answer: Answer) -> None:
        """Remembers an answer."""
        if len(self) >= self.most:
            self.clear()
        self[asked] = answer
