"""A vault looked at as it would be with decisions that nobody has signed. Reads only."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from fhir_adapter.core.conflicts import Decision
from fhir_adapter.store.records import Identity, Lease
from fhir_adapter.store.vault import Vault

SCRATCH = Lease(name="scratch", holder="scratch", number=1, expires_at=datetime.max.replace(tzinfo=UTC))
"""The right to write into a trial database that nobody else knows of; it never needs to be renewed."""


class LaidVault(Vault):
    """The vault with unsigned decisions and other subjects laid over it; it keeps no quarantine."""

    def __init__(self, vault: Vault, laid: Sequence[Decision] = (),
                 moved: Mapping[tuple[str, str], str] | None = None) -> None:
        """`moved`: the subject by hospital and patient, where it differs from the vault's."""
        super().__init__(vault.database, vault._secret)
        self._laid, self._moved = tuple(laid), dict(moved or {})

    def decisions(self, after: int = 0) -> list[Decision]:
        """The signed decisions, then those laid over."""
        return [*super().decisions(after), *(one for one in self._laid if one.number > after)]

    def identities(self, hospital: str | None = None) -> list[Identity]:
        """The identity map with the moved patients."""
        return [msgspec.structs.replace(one, subject=self._moved.get((one.hospital, one.patient), one.subject))
                for one in super().identities(hospital)]

    def subjects(self) -> list[str]:
        """The subject numbers that some patient has, in the order of their names."""
        return sorted({one.subject for one in self.identities()})

    def quarantine_versions(self, *_args: object, **_named: object) -> int:
        """Nothing: what is refused here was refused when it was mapped for the trial."""
        return 0
