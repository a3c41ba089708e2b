"""Group: a cohort as a list of members (mCODE `mcode-patient-group`). Supporting: it yields no facts."""

from fhir_adapter.fhir.elements import Element, Identifier, Period, Reference, Resource


class GroupMember(Element, frozen=True, kw_only=True):
    """One member of a group."""

    entity: Reference
    period: Period | None = None
    inactive: bool | None = None


class Group(Resource, frozen=True, kw_only=True):
    """Several persons who are asked about together."""

    identifier: tuple[Identifier, ...] = ()
    member: tuple[GroupMember, ...] = ()
