"""The loop of one machine: APScheduler's cron calls a job each minute, in this thread, one at a time.

The job decides what is due. It runs in the main thread, so that a signal reaches whatever it is doing; ticks that are
missed meanwhile are made up by one.
"""

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from fhir_adapter.core.errors import Stopped


def run(tick: Callable[[], None], *, second: str = "0") -> None:
    """Calls `tick` now and then at each `second` of a minute (a cron field), until the program is stopped.

    A stop between two ticks ends the loop in order; one during a tick passes through it (leases are given back) and is
    raised again. An exception of `tick` is the caller's to catch: here it would end the loop.
    """
    from apscheduler.events import EVENT_JOB_SUBMITTED
    from apscheduler.executors.debug import DebugExecutor
    from apscheduler.schedulers import SchedulerNotRunningError
    from apscheduler.schedulers.blocking import BlockingScheduler
    from apscheduler.triggers.cron import CronTrigger

    scheduler = BlockingScheduler(timezone=UTC, executors={"default": DebugExecutor()})
    loop = _Loop(tick, scheduler)
    scheduler.add_job(loop.once, CronTrigger(minute="*", second=second, timezone=UTC), coalesce=True, max_instances=1,
                      misfire_grace_time=None, next_run_time=datetime.now(UTC))
    # after the job, outside of the scheduler's own bookkeeping
    scheduler.add_listener(loop.end, EVENT_JOB_SUBMITTED)
    with _Signals(loop):
        try:
            scheduler.start()
        except Stopped:
            with suppress(SchedulerNotRunningError):
                scheduler.shutdown(wait=False)
    if loop.failed is not None:
        raise loop.failed


class _Loop:
    """One job and how it ended: APScheduler catches whatever a job raises, also what ends a program."""

    def __init__(self, tick: Callable[[], None], scheduler: Any) -> None:
        self.tick, self.scheduler = tick, scheduler
        self.stopping = False
        self.failed: BaseException | None = None

    def once(self) -> None:
        """One tick."""
        if self.stopping:
            return
        try:
            self.tick()
        except BaseException as error:
            self.failed, self.stopping = error, True
        if self.stopping and self.failed is None:  # the job took it for a fault of its own
            self.failed = Stopped()

    def end(self, _event: Any) -> None:
        """Ends the loop if it is to end."""
        if self.stopping:
            self.scheduler.shutdown(wait=False)


class _Signals:
    """While the loop runs a signal is remembered before it is obeyed: the scheduler may swallow what is raised."""

    def __init__(self, loop: _Loop) -> None:
        self._loop = loop
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._stop)

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self._loop.stopping:
            return
        self._loop.stopping = True
        before = self._before.get(number)
        if callable(before):  # the program's own, which remembers it too
            before(number, frame)
        raise Stopped
