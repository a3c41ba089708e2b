"""iBOR: the best iRECIST response up to the confirmed progression; an iUPD before does not forbid a later response.

iCR > iPR > iSD (at least `sd_min_days` from the start) > NON-iCR/NON-iUPD (same) > iCPD > iUPD > NE. With confirmation
the pair rule of RECIST holds with i-values; that combination is not in the paper. A response that is not confirmed, or
comes early, counts as iSD from `sd_min_days` on. Source: Seymour 2017, table 3; endpoints.md §3.
"""

from collections.abc import Sequence

from fhir_adapter.core.study import Response
from fhir_adapter.endpoints.confirmation import first_confirmed
from fhir_adapter.endpoints.immune_response import PLAIN

Best = tuple[str, int | None, int | None]
"""Value, position of the assessment that gives it, position of the first response."""


def best(assessed: Sequence[tuple[int, str]], start: int, rules: Response, *, confirmed: bool) -> Best:
    """The best response of days and i-values in time order."""
    values = [value for _, value in assessed]
    if "iCPD" in values:
        assessed = assessed[: values.index("iCPD") + 1]
    plain = [(day, PLAIN.get(value, value)) for day, value in assessed]
    for value in ("CR", "PR"):
        places = [place for place, (_, one) in enumerate(plain) if one == value]
        place = first_confirmed(plain, rules, (value,)) if confirmed else next(iter(places), None)
        if place is not None:
            first = first_confirmed(plain, rules) if confirmed else min(
                number for number, (_, one) in enumerate(plain) if one in ("CR", "PR"))
            return f"i{value}", place, first
    late = {place: one for place, (day, one) in enumerate(plain) if day - start >= rules.sd_min_days}
    for wanted, name in ((("CR", "PR", "SD"), "iSD"), (("NON-CR/NON-PD",), "NON-iCR/NON-iUPD")):
        for place, one in late.items():
            if one in wanted:
                return name, place, None
    for name in ("iCPD", "iUPD"):
        for place, (_, one) in enumerate(plain):
            if one == name:
                return name, place, None
    return "NE", 0 if plain else None, None
