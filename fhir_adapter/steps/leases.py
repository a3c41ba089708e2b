"""The lease under which the trial database is written: one writer at a time, whoever it is."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.leases import TRIAL_LEASE
from fhir_adapter.store.records import Lease

TRIAL_LEASE_TIME = timedelta(minutes=30)


def holder() -> str:
    """Who holds a lease: this process of this machine."""
    return f"{socket.gethostname()}:{os.getpid()}"


@contextmanager
def trial_lease(work: Workspace) -> Iterator[Lease]:
    """The trial's lease until the block ends. Raises LeaseHeld when another run has it."""
    lease = work.vault.lease(TRIAL_LEASE, holder(), work.clock(), TRIAL_LEASE_TIME)
    try:
        yield lease
    finally:
        work.vault.release(lease)
