"""When a response is confirmed: a second one at least `confirm_days` later, with little in between.

A CR is confirmed by a CR, a PR by a CR or PR. Between the two only NE (at most `max_ne_between`) and further
responses may stand, SD only by option. A repeat that comes too early neither confirms nor spoils a later one.
Source: RECIST 1.1 §4.6; endpoints.md §2.5; admiralonco's confirmed response for the NE allowance.
"""

from collections.abc import Sequence

from fhir_adapter.core.study import Response

Assessed = tuple[int, str]
"""Day and overall response."""

CONFIRMS = {"CR": ("CR",), "PR": ("CR", "PR")}


def confirms(assessed: Sequence[Assessed], first: int, rules: Response) -> int | None:
    """The position of the assessment that confirms the response at `first`; None if none does."""
    day, value = assessed[first]
    unevaluated = 0
    stable = 0
    for position in range(first + 1, len(assessed)):
        later, again = assessed[position]
        if again in CONFIRMS[value] and later - day >= rules.confirm_days:
            return position
        unevaluated += again == "NE"
        stable += again == "SD"
        between = (*CONFIRMS[value], "NE", *(("SD",) if rules.accept_sd_between else ()))
        if again not in between or unevaluated > rules.max_ne_between or stable > 1:
            return None
    return None


def first_confirmed(
    assessed: Sequence[Assessed], rules: Response, values: tuple[str, ...] = ("CR", "PR")
) -> int | None:
    """The position of the earliest confirmed response of one of the values; None without one."""
    for position, (_, value) in enumerate(assessed):
        if value in values and confirms(assessed, position, rules) is not None:
            return position
    return None
