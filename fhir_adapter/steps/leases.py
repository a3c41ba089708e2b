"""Leases of a study at work: who holds them, when they are renewed, and whose are taken over at once."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fhir_adapter.core.errors import LeaseHeld
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.leases import TRIAL_LEASE
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
    before = work.vault.lease_holders(_EVER) if work.log.level != "off" else {}
    try:
        lease = work.vault.lease(name, holder(), work.clock(), LEASE_TIME, gone)
    except LeaseHeld:
        work.log.debug("lease_held", lease=name)
        raise
    if name in before:
        work.log.warning("lease_taken_over", lease=name, number=lease.number)
    else:
        work.log.debug("lease_taken", lease=name, number=lease.number)
    return lease


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
