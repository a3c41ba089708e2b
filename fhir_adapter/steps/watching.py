"""After a run: metrics are written and people are told. Neither ever changes how the run ended."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from fhir_adapter.core.errors import AdapterError, DatabaseError
from fhir_adapter.core.runs import HospitalOutcome, RunOutcome
from fhir_adapter.core.windows import WindowState
from fhir_adapter.jobs import metrics, notify
from fhir_adapter.steps import summing_up
from fhir_adapter.steps.projecting import completeness
from fhir_adapter.steps.scheduling import Ended, due_hospitals, ended_runs, paused_until, took
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.wire.secret import resolve


def after_run(work: Workspace, outcome: RunOutcome, seconds: float) -> list[str]:
    """Writes the metrics, tells who is to be told; what failed of that, in words for a person."""
    return [*measure(work, outcome.code, seconds), *tell(work, outcome)]


def measure_idle(work: Workspace) -> list[str]:
    """Writes the metrics anew where no hospital was due: ages grow meanwhile; the last run's end stays the last."""
    if work.study.settings.metrics.file is None:
        return []
    run = next((one for one in work.vault.runs(50) if one.command in ("sync", "pull") and one.ended_at), None)
    return measure(work, run.exit_code or 0, took(work, run.id)) if run is not None else []


def after_failure(work: Workspace, code: int, seconds: float) -> None:
    """The same for a run that ended by an error: the database may be what failed, so only the run itself is told of."""
    measure(work, code, seconds)
    if notify.occasion(code) in work.study.settings.notify.on:
        _send(work, notify.notice_of(work.study.protocol.trial.id, code, work.clock(), ()))


# --- metrics -------------------------------------------------------------------------------------------------------


def measure(work: Workspace, code: int, seconds: float) -> list[str]:
    """Writes the metrics file, if the settings name one; what failed of that."""
    place = work.study.settings.metrics.file
    if place is None:
        return []
    try:
        metrics.write(work.folder / place, metrics.text(_state(work, code, seconds)))
    except OSError as error:
        work.log.error("metrics_failed", error)
        return [f"The metrics file could not be written ({error.strerror})."]
    return []


def _state(work: Workspace, code: int, seconds: float) -> metrics.State:
    bare = metrics.State(now=work.clock(), exit_code=code, seconds=seconds, dropped=work.log.dropped)
    try:
        return metrics.State(
            now=bare.now, exit_code=code, seconds=seconds, dropped=bare.dropped, hospitals=_hospitals(work),
            completeness=tuple(completeness(work)),
            conflicts=Counter(one.kind for one in summing_up.conflicts(work)),
        )
    except DatabaseError:
        return bare


def _hospitals(work: Workspace) -> tuple[metrics.HospitalState, ...]:
    last: dict[str, Ended] = {}
    for one in ended_runs(work):
        last.setdefault(one.hospital, one)
    chosen = [hospital for _, hospital in sorted(work.study.hospitals.items())]
    next_due = {one.hospital: one.at for one in due_hospitals(work, chosen)}
    return tuple(_hospital(work, one.id, last.get(one.id), next_due[one.id]) for one in chosen)


def _hospital(work: Workspace, name: str, last: Ended | None, due: datetime) -> metrics.HospitalState:
    found = metrics.HospitalState(
        hospital=name, quarantine=summing_up.unacknowledged(work, name), paused_until=paused_until(work, name), due=due,
        open_windows=Counter(one.question.type for one in work.vault.windows(name, WindowState.OPEN)),
    )
    if last is None:
        return found
    return metrics.HospitalState(
        hospital=name, exit_code=last.code, seconds=last.seconds, ended=last.ended, counts=last.counts,
        quarantine=found.quarantine, paused_until=found.paused_until, due=due, open_windows=found.open_windows,
    )


# --- notices -------------------------------------------------------------------------------------------------------


def tell(work: Workspace, outcome: RunOutcome) -> list[str]:
    """Tells of hospitals whose part was incomplete or refused, once and then every `again`; what failed of that.

    Called after the run was recorded: its own record is the newest, those before it say whether this is news.
    """
    settings = work.study.settings.notify
    if settings.webhook is None and settings.email is None:
        return []
    runs = list(ended_runs(work)) if outcome.hospitals else []
    now, failed = work.clock(), []
    for wanted in settings.on:
        news = [one for one in outcome.hospitals if notify.occasion(one.code) == wanted and _is_news(work, one, runs)]
        if news:
            worst = RunOutcome(hospitals=tuple(news)).code
            notice = notify.notice_of(work.study.protocol.trial.id, worst, now, [_noted(one) for one in news])
            failed += _send(work, notice)
    return failed


def _is_news(work: Workspace, outcome: HospitalOutcome, runs: Sequence[Ended]) -> bool:
    mine = [notify.Ended(code=one.code, at=one.ended) for one in runs if one.hospital == outcome.hospital]
    this, before = mine[:1], mine[1:]
    at = this[0].at if this else work.clock()
    return notify.is_news(outcome.code, at, before, work.study.settings.notify.again)


def _noted(outcome: HospitalOutcome) -> notify.HospitalNotice:
    counts = outcome.counts
    return notify.HospitalNotice(hospital=outcome.hospital, code=outcome.code, fetched=counts.fetched, new=counts.new,
                                 quarantined=counts.quarantined)


def _send(work: Workspace, notice: notify.Notice) -> list[str]:
    settings = work.study.settings.notify
    hooks: list[tuple[str, Callable[[], None]]] = []
    if settings.webhook is not None:
        hooks.append(("webhook", lambda: _post(work, notice)))
    if settings.email is not None:
        hooks.append(("email", lambda: _mail(work, notice)))
    failed = []
    for name, hook in hooks:
        try:
            hook()
        except (notify.HookFailed, AdapterError, OSError, ValueError) as error:
            words = str(error) if isinstance(error, notify.HookFailed | AdapterError) else type(error).__name__
            work.log.error("notice_failed", error, hook=name, occasion=notice.occasion)
            failed.append(f"Nobody was told by {name} that the run was {notice.occasion}: {words}.")
        else:
            work.log.info("notice_sent", hook=name, occasion=notice.occasion, code=notice.code)
    return failed


def _post(work: Workspace, notice: notify.Notice) -> None:
    hook = work.study.settings.notify.webhook
    if hook is not None:
        url = _referred(work, hook.url, "notify.webhook.url")
        token = resolve(hook.token, "notify.webhook.token", work.folder) if hook.token is not None else None
        notify.post(url, token, notice)


def _mail(work: Workspace, notice: notify.Notice) -> None:
    settings = work.study.settings.notify.email
    if settings is not None:
        password = settings.password
        secret = resolve(password, "notify.email.password", work.folder) if password is not None else None
        notify.mail(settings, secret, notice)


def _referred(work: Workspace, written: str, what: str) -> str:
    """An address as it stands, or behind a reference: some hooks carry their secret in it."""
    is_reference = written.partition(":")[0] in ("env", "file", "keyring")
    return resolve(written, what, work.folder) if is_reference else written
