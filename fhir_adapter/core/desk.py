"""The words of the review desk: roles, rights, who may settle what."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from fhir_adapter.core.conflicts import ConflictKind, Owner


class Role(StrEnum):
    """What somebody is at the desk."""

    VIEWER = "viewer"
    COORDINATOR = "site coordinator"
    INVESTIGATOR = "investigator"
    MAPPER = "mapper"
    REVIEWER = "reviewer"
    ADJUDICATOR = "adjudicator"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    SERVICE = "service"


class Right(StrEnum):
    """What a route asks of whoever calls it; DECIDE is asked again for the kind of conflict."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    READ = "read"
    COMMENT = "comment"
    ANSWER = "answer"
    DECIDE = "decide"
    MAP = "map"
    MANAGE = "manage"
    RERUN = "rerun"
    SIGN = "sign"
    ENDORSE = "endorse"
    AUDIT = "audit"
    ADMINISTER = "administer"
    RESULTS = "results"
    LOCK = "lock"
    RAW = "raw"
    API = "api"


_R = Right
GRANTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({_R.READ, _R.API, _R.RESULTS}),
    Role.COORDINATOR: frozenset({_R.READ, _R.COMMENT, _R.ANSWER}),
    Role.INVESTIGATOR: frozenset({_R.READ, _R.COMMENT, _R.ANSWER, _R.DECIDE, _R.ENDORSE}),
    Role.MAPPER: frozenset({_R.READ, _R.API, _R.RESULTS, _R.COMMENT, _R.DECIDE, _R.MAP}),
    Role.REVIEWER: frozenset({_R.READ, _R.API, _R.COMMENT, _R.ANSWER, _R.DECIDE, _R.MAP, _R.MANAGE, _R.RERUN, _R.SIGN,
                              _R.RESULTS, _R.LOCK}),
    Role.ADJUDICATOR: frozenset({_R.READ, _R.COMMENT, _R.DECIDE, _R.RESULTS}),
    Role.ADMINISTRATOR: frozenset({_R.READ, _R.AUDIT, _R.ADMINISTER, _R.RERUN, _R.RESULTS}),
    Role.AUDITOR: frozenset({_R.READ, _R.AUDIT, _R.RESULTS}),
    Role.SERVICE: frozenset({_R.API, _R.RESULTS}),
}
"""What each role may; to see raw source (RAW) is granted to an account, not to a role."""

SETTLES: dict[Role, Owner] = {
    Role.REVIEWER: Owner.DATA_MANAGER,
    Role.INVESTIGATOR: Owner.INVESTIGATOR,
    Role.ADJUDICATOR: Owner.ADJUDICATOR,
}
"""Which kinds of conflict a role settles, by their owner; a mapper settles those about codes."""

BY_TOKEN = (Role.SERVICE, Role.VIEWER, Role.MAPPER, Role.REVIEWER)
"""What a program may be by its token; whatever asks for a person's own judgement or signature is none of them."""

OF_THE_STUDY = frozenset({_R.RESULTS, _R.LOCK})
"""Rights over figures of all hospitals together: an account that sees some hospitals alone has none of them."""

UNBLINDING = frozenset({_R.RAW, _R.RESULTS, _R.LOCK, _R.AUDIT})
"""Rights by which a reader of scans could see what another reader read: no reader has them."""

OWN_HOSPITALS = frozenset({Role.COORDINATOR, Role.INVESTIGATOR})
"""Roles that see the hospitals of their account alone; for others, an account without hospitals sees all."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may sign in. `hospitals` empty: all of them, or (for hospital staff) none.
    `reads_as`: opaque keys of the practitioners as whom this person reads scans: nobody adjudicates their own reading.
    """

    name: str
    printed: str
    role: Role
    hospitals: tuple[str, ...] = ()
    reads_as: tuple[str, ...] = ()
    sees_raw: bool = False
    active: bool = True
    external: str | None = None

    def may(self, right: Right) -> bool:
        """Whether this account has a right."""
        if right in (Right.ANYONE, Right.SIGNED_IN):
            return True
        if self.reads_as and right in UNBLINDING:
            return False
        if right is Right.RAW:
            return self.sees_raw and Right.READ in GRANTS[self.role]
        if right in OF_THE_STUDY and self.scope is not None:
            return False
        return right in GRANTS[self.role]

    def settles(self, kind: ConflictKind, *, of_code: bool = False) -> bool:
        """Whether this account may settle conflicts of a kind."""
        if self.role is Role.MAPPER:
            return of_code
        return SETTLES.get(self.role) is kind.owner

    def blind_to(self, fact: Mapping[str, Any]) -> bool:
        """Whether a fact is a reading that another reader made: readers see their own alone, before and after both
        are in (only whoever adjudicates a conflict of two others sees both: `steps/showing.py`)."""
        return bool(self.reads_as) and "performer" in fact and fact["performer"] not in self.reads_as

    @property
    def scope(self) -> tuple[str, ...] | None:
        """The hospitals whose records this account sees; None: all."""
        if self.role in OWN_HOSPITALS or self.hospitals:
            return self.hospitals
        return None
