"""Who is in the cohort, and whether they are asked for (DESIGN §7). Yields no facts."""

from collections.abc import Mapping

import msgspec

from fhir_adapter.fhir.elements import Reference
from fhir_adapter.fhir.group import Group
from fhir_adapter.fhir.research_subject import ResearchSubject

SCREENED = frozenset({"screening", "eligible", "pending-on-study"})
"""States of somebody who is being screened."""

CANDIDATES = frozenset({"candidate", "potential-candidate"})
"""States of somebody who might be screened."""

NOT_ENROLLED = frozenset({"ineligible", "not-registered"})
"""States of a screening failure."""

ENROLLED = frozenset({
    "enrolled", "active", "on-study", "on-study-intervention", "on-study-observation", "follow-up", "suspended",
})
"""States of somebody who takes part."""

ENDED = frozenset({"off-study", "completed"})
"""States of somebody whose part is over; still asked for, or their deaths would be lost."""

WITHDRAWN = "withdrawn"
"""The state whose level (treatment, visits, records) decides whether we may still ask."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One person of a cohort as one record states it.

    `person` is the reference to the Patient; `number` the trial's own subject number, `local` another number of the
    ResearchSubject (to be qualified by the hospital). `ask` says whether the person's records are asked for;
    `undecided` that a person must first decide (withdrawn without a level).
    """

    person: Reference
    state: str | None = None
    number: str | None = None
    local: str | None = None
    ask: bool = False
    undecided: bool = False


def members(
    resource: ResearchSubject | Group, version: str, subject_system: str, *, screening: bool = False
) -> tuple[Member, ...]:
    """The members that a ResearchSubject or a Group names; `screening` also asks for those being screened.

    A state that nobody listed is counted, not asked. An entered-in-error record names nobody.
    """
    if resource.entered_in_error:
        return ()
    if isinstance(resource, Group):
        return tuple(
            Member(person=m.entity, state="inactive" if m.inactive else None, ask=not m.inactive)
            for m in resource.member
        )
    if resource.person is None:
        return ()
    state = resource.state(version)
    numbers = [i.value for i in resource.identifiers if i.system == subject_system and i.value]
    others = [i.value for i in resource.identifiers if i.system != subject_system and i.value]
    asked = ENROLLED | ENDED | (SCREENED | CANDIDATES if screening else frozenset())
    return (
        Member(
            person=resource.person,
            state=state,
            number=numbers[0] if numbers else None,
            local=others[0] if others else None,
            ask=state in asked,
            undecided=state == WITHDRAWN,
        ),
    )


def survivors(replaced_by: Mapping[str, str]) -> tuple[dict[str, str], frozenset[str]]:
    """Whom each replaced patient became, chains followed to their end, and the patients that go in a circle.

    `replaced_by` maps a patient to the one that replaces it. Who is in a circle, or leads into one, has no survivor.
    """
    final: dict[str, str] = {}
    circular: set[str] = set()
    for start in replaced_by:
        seen = [start]
        while (following := replaced_by.get(seen[-1])) is not None:
            if following in seen:
                circular.update(seen)
                break
            seen.append(following)
        else:
            final[start] = seen[-1]
    return final, frozenset(circular)
