"""The scheduled job as a real process: what is due, what it says, what the clock's programs would run."""

import configparser
import json
import re
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fhir_adapter import flow
from fhir_adapter.core.runs import RunOutcome
from tests.jobs.build import PATIENTS, ROOT, Job, job
from tests.jobs.test_notify import hook

DEPLOY = ROOT / "sync" / "deploy"
METRICS = '[metrics]\nfile = "data/metrics/x.prom"'


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Job]:
    """A study of this test alone."""
    with job(tmp_path) as made:
        yield made


def _metrics(here: Job) -> dict[str, float]:
    text = (here.folder / "data" / "metrics" / "x.prom").read_text(encoding="utf-8")
    return {f"{sample.name.removeprefix('fhir_adapter_')} {' '.join(sample.labels.values())}".strip(): sample.value
            for family in text_string_to_metric_families(text) for sample in family.samples}


def _log(err: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in err.splitlines() if line.startswith("{")]


def test_what_is_due_is_asked_once(here: Job) -> None:
    """First tick: asked, measured, logged. Second: left alone, said until when, no run, metrics anew. No canary."""
    here.configure(METRICS)
    first = here.run("sync", "--due", "--log-level", "debug")
    assert first.returncode == 0, first.stdout + first.stderr
    measured = _metrics(here)
    second = here.run("sync", "--due", "--json", "--log-level", "debug")
    again = _metrics(here)
    answer = json.loads(second.stdout)

    assert (second.returncode, answer["code"], answer["hospitals"]) == (0, 0, [])
    assert [(one["hospital"], one["why"]) for one in answer["skipped"]] == [("south", "every 6h")]
    assert here.runs() == [(0, ("south",))]
    assert measured["last_run_records south fetched"] == measured["last_run_records south new"] > PATIENTS
    assert (measured["run_exit_code"], measured["last_run_exit_code south"], measured["incomplete south Patient"]) == (
        0, 0, 0)
    assert again["whole_as_of_age_seconds south Patient"] > measured["whole_as_of_age_seconds south Patient"]
    assert again["run_duration_seconds"] == measured["run_duration_seconds"] > 0
    events = [line["event"] for line in _log(first.stderr)]
    assert [one for one in events if one.startswith(("run", "hospital"))] == [
        "run_started", "hospital_started", "hospital_ended", "run_ended"]
    assert {"lease_taken", "windows_opened", "window_whole"} <= set(events)
    assert [line for line in _log(first.stderr) if "dropped" in line] == []
    _no_canary(here, first.stderr + first.stdout + second.stdout + second.stderr)


def _no_canary(here: Job, said: str) -> None:
    """Neither a name nor a number nor an id of a record nor a secret; in the metrics neither."""
    said += (here.folder / "data" / "metrics" / "x.prom").read_text(encoding="utf-8")
    secrets = [path.read_text(encoding="ascii").strip() for path in (here.folder / "data" / "sandbox").iterdir()]
    records = [json.loads(line) for path in (here.folder.parent / "fixtures" / "south").glob("*.ndjson")
               for line in path.read_text(encoding="utf-8").splitlines()]
    dates = [record["birthDate"] for record in records if "birthDate" in record]
    wanted = ["ZZCANARY", *secrets, *(record["id"] for record in records), *dates]

    assert len(records) > PATIENTS
    assert [one for one in wanted if one in said] == []


def test_quiet_hours_and_a_hospital_that_is_gone(here: Job) -> None:
    """In quiet hours nothing is asked; a hospital that gives nothing is exit 5, told once, and then given a pause."""
    now = datetime.now(UTC)
    here.pull(f'quiet_hours = "{now.hour:02}:{now.minute:02}-{(now.hour + 2) % 24:02}:00"\ntime_zone = "UTC"')
    quiet = here.run("sync", "--due")
    path = here.folder / "sync" / "hospitals" / "south.toml"
    path.write_text(re.sub(r'quiet_hours.*\n|base_url.*\n', "", path.read_text(encoding="utf-8")).replace(
        "fhir_version", 'base_url = "http://127.0.0.1:9/fhir"\nfhir_version', 1).replace(
        "[pull]\n", '[pull]\nretry = "1h"\n'), encoding="utf-8")
    here.configure(METRICS)
    with hook(500) as opened:
        here.configure(f'[notify.webhook]\nurl = "{opened.url}"\ntoken = "env:JOBS_TOKEN"')
        here.environment["JOBS_TOKEN"] = "a secret token"
        gone = here.run("sync", "--due")
        paused = here.run("sync", "--due")
        asked = here.run("sync", "--log-level", "info")

    assert (quiet.returncode, "quiet hours" in quiet.stdout) == (0, True)
    assert gone.returncode == 5, gone.stdout + gone.stderr
    assert "Nobody was told by webhook that the run was refused: the webhook answered HTTP 500." in gone.stdout
    assert [one[2]["occasion"] for one in opened.told] == ["refused"]
    assert opened.told[0][1]["authorization"] == "Bearer a secret token"
    assert (paused.returncode, "the last run was not whole" in paused.stdout) == (0, True)
    assert asked.returncode == 5, "without --due it is asked regardless, and nobody is told twice"
    assert _metrics(here)["last_run_exit_code south"] == 5
    assert "a secret token" not in gone.stdout + gone.stderr + asked.stdout + asked.stderr


def test_the_loop_asks_what_is_due_and_ends_on_sigterm(here: Job) -> None:
    """The first tick comes at once; stopped between two ticks it exits 0 and holds no lease."""
    with here.start("schedule", "--log-level", "info") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(1)  # the tick ends just after it has said so
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)

    assert "south: fetched" in first, first + out + err
    assert process.returncode == 0, err
    assert "Traceback" not in err
    with here.work() as work:
        assert work.vault.lease_holders(datetime.now(UTC)) == {}


def test_the_loop_stopped_in_the_middle_gives_its_leases_back(here: Job) -> None:
    """SIGTERM reaches the run itself: exit 3, an end of the run, no lease; the next run is whole."""
    here.pull("page_size = 1")
    with here.start("schedule", "--log-level", "debug") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if '"windows_opened"' in line:
                break
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)

    assert process.returncode == 3, err
    with here.work() as work:
        assert work.vault.lease_holders(datetime.now(UTC)) == {}
        assert [(run.exit_code, run.ended_at is not None) for run in work.vault.runs(5)] == [(3, True)]
    assert here.run("sync", "--due").returncode == 0, "a run that was stopped goes on at the next tick"


def test_the_loop_outlives_a_tick_that_fails(here: Job) -> None:
    """A study that is broken while the loop runs is said, not died of."""
    settings = here.folder / "sync" / "settings.toml"
    sound = settings.read_text(encoding="utf-8")
    heard: list[RunOutcome] = []
    ticks: list[Callable[[], int]] = [lambda: settings.write_text(f"nonsense = 1\n{sound}"),
                                      lambda: settings.write_text(sound)]

    def listen(tick: Any, **_: Any) -> None:
        for change in ticks:
            change()
            tick()

    patch = pytest.MonkeyPatch()
    patch.setattr("fhir_adapter.jobs.schedule.run", listen)
    for name in ("JOBS_VAULT_URL", "JOBS_TRIAL_URL"):
        patch.setenv(name, here.environment[name])
    try:
        flow.schedule(here.folder, heard.append)
    finally:
        patch.undo()

    assert [one.code for one in heard] == [2, 0]
    assert "nonsense" in heard[0].notes[0]


def _commands() -> dict[str, list[str]]:
    """Every command line in sync/deploy/, by file."""
    found = {}
    for path in sorted(DEPLOY.glob("*.service")):
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.read_string(path.read_text(encoding="utf-8"))
        assert unit["Unit"]["Description"]
        found[path.name] = shlex.split(unit["Service"]["ExecStart"])
    text = (DEPLOY / "cronjob.yaml").read_text(encoding="utf-8")
    lists = {name: json.loads(written) for name, written in re.findall(r"^ +(command|args): (\[.*\])$", text, re.M)}
    found["cronjob.yaml"] = lists["command"] + lists["args"]
    return found


@pytest.mark.parametrize("name", ["cronjob.yaml", "fhir-adapter.service"])
def test_the_shipped_command_lines_run(here: Job, name: str) -> None:
    """As they stand, but for the program's folder and the study's: exit 0, and south was asked."""
    program, *words = _commands()[name]
    place = words.index("--study")
    done = here.run(*words[:place], *words[place + 2:])

    assert Path(program).name == "fhir-adapter"
    assert done.returncode == 0, done.stdout + done.stderr
    assert "south: fetched" in done.stdout
    assert _log(done.stderr)[-1]["event"] == "run_ended"


def test_the_shipped_loop_runs(here: Job) -> None:
    """The command line of the service that stays: its first tick syncs, and it ends when it is told to."""
    program, *words = _commands()["fhir-adapter-schedule.service"]
    place = words.index("--study")
    with here.start(*words[:place], *words[place + 2:]) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(1)  # the tick ends just after it has said so
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    assert Path(program).name == "fhir-adapter"
    assert ("south: fetched" in first, process.returncode) == (True, 0)


def test_the_timer_starts_the_service_often_enough() -> None:
    """The timer and its service share a name; all ways tick at least as often as the usual pause after a fault."""
    timer = (DEPLOY / "fhir-adapter.timer").read_text(encoding="utf-8")
    cron = (DEPLOY / "cronjob.yaml").read_text(encoding="utf-8")

    assert (DEPLOY / "fhir-adapter.service").is_file()
    assert "OnCalendar=*:0/15" in timer
    assert 'schedule: "*/15 * * * *"' in cron
    assert "concurrencyPolicy: Forbid" in cron
    assert "\t" not in cron
