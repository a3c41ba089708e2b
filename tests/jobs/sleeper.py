"""The program, with a lease of some seconds, that stops itself (SIGSTOP) at a chosen moment between two transactions.

`python -m tests.jobs.sleeper MOMENT SECONDS WORDS...`: `page` before the third page is kept, `map` before a batch of
facts is written. Stopped there it holds a lease and no transaction, like a machine that was put to sleep.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from fhir_adapter.cli.app import main
from fhir_adapter.steps import leases
from fhir_adapter.store.trial import Trial
from fhir_adapter.store.vault import Vault

PAGE = 3
"""The page before which it sleeps."""


def _sleeping(write: Callable[..., Any], at: int) -> Callable[..., Any]:
    calls = 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGSTOP)
        return write(*args, **kwargs)

    return wrapped


def run(moment: str, seconds: float, words: list[str]) -> None:
    """The command line WORDS with that lease, asleep at that moment."""
    leases.LEASE_TIME = timedelta(seconds=seconds)
    if moment == "page":
        Vault.keep_page = _sleeping(Vault.keep_page, PAGE)  # type: ignore[method-assign]
    else:
        Trial.write_mapping = _sleeping(Trial.write_mapping, 1)  # type: ignore[method-assign]
    sys.argv = ["fhir-adapter", *words]
    main()


if __name__ == "__main__":
    run(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
