"""Leases of a study at work: who holds them, when they are renewed, and whose are taken over at once."""

import os
import socket
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fhir_adapter.core.errors import LeaseHeld
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.leases import TRIAL_LEASE, pull_lease
from fhir_adapter.store.records import Lease

LEASE_TIME = timedelta(minutes=10)
"""How long a lease lasts without being renewed; so long a machine that died blocks others."""

PATIENCE = 60.0
"""Seconds for which a run waits for the trial database, while another one maps or settles."""

LOOK_AGAIN = 0.5

_EVER = datetime.min.replace(tzinfo=UTC)
"""As of then every lease that was not given back is held: also one that has expired since."""


def holder() -> str:
    """Who holds a lease: this process of this machine; also the time of its start, since numbers come again."""
    return f"{_machine()}:{os.getpid()}:{_started(os.getpid())}"


def gone(other: str) -> bool:
    """Whether a holder was a process of this machine that runs no more (killed, or the machine started anew)."""
    machine, process, started = (["", "", *other.rsplit(":", 2)])[-3:]
    if machine != _machine() or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return started != _started(int(process))


def _machine() -> str:
    """The host's name with its process space: containers of one name do not see each other's processes."""
    space = ""
    with suppress(OSError):
        space = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    return f"{socket.gethostname()}/{space}"


def _started(process: int) -> str:
    """When a process started, in the kernel's own count; empty where the system does not tell, or once it is dead."""
    try:
        told = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return "" if told[0] in "ZX" else told[19]
    except (OSError, IndexError):
        return ""


def take(work: Workspace, name: str) -> Lease:
    """A lease for this process. Raises LeaseHeld when another run has it."""
    found = _take(work, (name,))[name]
    if isinstance(found, LeaseHeld):
        raise found
    return found


def _take(work: Workspace, names: Collection[str]) -> dict[str, Lease | LeaseHeld]:
    before = work.vault.lease_holders(_EVER) if work.log.level != "off" else {}
    found = work.vault.leases(names, holder(), work.clock(), LEASE_TIME, gone)
    for name, lease in found.items():
        if isinstance(lease, LeaseHeld):
            work.log.debug("lease_held", lease=name)
        elif name in before:
            work.log.warning("lease_taken_over", lease=name, number=lease.number)
        else:
            work.log.debug("lease_taken", lease=name, number=lease.number)
    return found


class PullLeases:
    """The right to ask some hospitals, taken for all of them at one stroke and held until the block ends.

    Of two runs that begin together one gets every hospital and the other none, so that one does the work. All are
    kept alive while one hospital is asked; a hospital that another run has is left to it.
    """

    def __init__(self, work: Workspace, hospitals: Iterable[str]) -> None:
        self._work = work
        self._leases = _take(work, [pull_lease(one) for one in hospitals])

    def __enter__(self) -> "PullLeases":
        return self

    def __exit__(self, *ended: object) -> None:
        for lease in self._leases.values():
            if not isinstance(lease, LeaseHeld):
                self._work.vault.release(lease)

    def of(self, hospital: str) -> Lease:
        """A hospital's lease. Raises LeaseHeld when another run has it."""
        lease = self._leases[pull_lease(hospital)]
        if isinstance(lease, LeaseHeld):
            raise lease
        return lease

    def renew(self, hospital: str) -> Lease:
        """A hospital's lease, and every other one, with a later end once half of its time is over.

        Raises LeaseHeld when this hospital's is no longer ours; another's is then found lost when it is its turn.
        """
        for name, lease in self._leases.items():
            if not isinstance(lease, LeaseHeld):
                try:
                    self._leases[name] = renewed(self._work, lease)
                except LeaseHeld as lost:
                    self._leases[name] = lost
        return self.of(hospital)


def renewed(work: Workspace, lease: Lease) -> Lease:
    """The lease with a later end, once half of its time is over. Raises LeaseHeld when it is no longer ours."""
    now = work.clock()
    return lease if lease.expires_at - now >= LEASE_TIME / 2 else work.vault.renew(lease, now, LEASE_TIME)


@contextmanager
def trial_lease(work: Workspace, patience: float = PATIENCE) -> Iterator[Lease]:
    """The trial's lease until the block ends. Raises LeaseHeld when another run has it for longer than `patience`."""
    lease = _awaited(work, patience)
    try:
        yield lease
    finally:
        work.vault.release(lease)


def _awaited(work: Workspace, patience: float) -> Lease:
    waited = 0.0
    while True:
        try:
            return take(work, TRIAL_LEASE)
        except LeaseHeld:
            if waited >= patience:
                raise
        work.sleep(LOOK_AGAIN)
        waited += LOOK_AGAIN
