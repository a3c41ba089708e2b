"""What is due: spans, cron lines, quiet hours, retries; and the clock of each hospital."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fhir_adapter.core import cadence
from fhir_adapter.core.study import Hospital
from fhir_adapter.jobs.due import Asked, Due, due
from tests.jobs.build import HOUR, MINUTE, NOW, asked, hospital


def _one(where: Hospital, *runs: Asked, now: datetime = NOW, rests: datetime | None = None) -> Due:
    (found,) = due([where], runs, now, {"west": rests} if rests is not None else {})
    return found


def test_a_hospital_that_was_never_asked_is_due() -> None:
    """Whatever its span: nothing is known of it yet."""
    assert _one(hospital(every="30d")).now


def test_a_span_counts_from_the_beginning_of_the_last_whole_run() -> None:
    """Six hours after 07:00 is 13:00; at noon it is left alone until then."""
    early = _one(hospital(every="6h"), asked(5 * HOUR, lasted=HOUR))

    assert (early.now, early.at, early.why) == (False, NOW + HOUR, "every 6h")
    assert _one(hospital(every="6h"), asked(6 * HOUR)).now


def test_runs_do_not_drift_away_from_their_ticks() -> None:
    """A run that began 40 s after its tick is due again at the tick six hours later, not one tick after that."""
    assert _one(hospital(every="6h"), asked(6 * HOUR - timedelta(seconds=40))).now
    assert not _one(hospital(every="6h"), asked(6 * HOUR - 6 * MINUTE)).now
    assert not _one(hospital(every="10m"), asked(9 * MINUTE)).now


def test_a_run_that_was_not_whole_is_tried_again_after_a_pause() -> None:
    """What is missing is asked for again soon, but not at every tick; and it does not count as the last whole one."""
    broken = asked(10 * MINUTE, whole=False)
    soon = _one(hospital(every="6h"), asked(7 * HOUR), broken)

    assert (soon.now, soon.at, soon.why) == (False, NOW + 6 * MINUTE, "the last run was not whole")
    assert _one(hospital(every="6h", retry="5m"), asked(7 * HOUR), broken).now
    assert _one(hospital(every="6h"), asked(7 * HOUR), asked(20 * MINUTE, whole=False)).now
    assert not _one(hospital(every="6h"), broken).now


def test_a_fault_of_a_manual_run_does_not_bring_the_next_one_forward() -> None:
    """The span since the last whole run holds nevertheless."""
    assert _one(hospital(every="6h"), asked(HOUR), asked(30 * MINUTE, whole=False)).at == NOW + 5 * HOUR


def test_other_hospitals_runs_do_not_count() -> None:
    """Each hospital has its own last run, and the order of the question is that of the answer."""
    found = due([hospital("east"), hospital("west")], [asked(HOUR)], NOW)

    assert [(one.hospital, one.now) for one in found] == [("east", True), ("west", False)]


def test_a_cron_line_is_due_at_its_first_moment_after_the_last_run() -> None:
    """`0 11 * * *`: a run at 09:00 leaves 11:00 open at noon; one at 11:30 does not, the next is tomorrow."""
    daily = hospital(every="0 11 * * *", time_zone="UTC")

    assert _one(daily, asked(3 * HOUR)).now
    assert _one(daily, asked(30 * MINUTE)).at == datetime(2026, 3, 3, 11, tzinfo=UTC)


def test_a_cron_line_is_read_on_the_hospitals_own_clock() -> None:
    """13:30 in Vienna is 12:30 UTC in winter and 11:30 in summer."""
    assert cadence.next_after("30 13 * * *", NOW, "Europe/Vienna") == datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
    summer = datetime(2026, 7, 1, 9, tzinfo=UTC)
    assert cadence.next_after("30 13 * * *", summer, "Europe/Vienna") == datetime(2026, 7, 1, 11, 30, tzinfo=UTC)


def test_without_a_zone_the_machines_own_holds() -> None:
    """The tests' machine is four hours east of Greenwich: 13:00 there is 09:00 UTC."""
    assert cadence.next_after("0 13 * * *", NOW, None) == datetime(2026, 3, 3, 9, tzinfo=UTC)


@pytest.mark.parametrize("at", ["2026-03-29T00:30+00:00", "2026-10-25T00:10+00:00", "2026-10-25T01:10+00:00"])
def test_a_moment_always_comes_after_when_the_clocks_change(at: str) -> None:
    """In the night of a change the next half hour is later than now, and not more than two hours away."""
    began = datetime.fromisoformat(at)
    found = cadence.next_after("*/30 * * * *", began, "Europe/Vienna")

    assert began < found <= began + 2 * HOUR


def test_quiet_hours_put_it_off_to_their_end() -> None:
    """Due at noon, quiet from 08:00 to 18:00: asked at 18:00, the end itself is outside."""
    quiet = hospital(quiet_hours="08:00-18:00", time_zone="UTC")
    found = _one(quiet)

    assert (found.now, found.at, found.why) == (False, NOW + 6 * HOUR, "quiet hours 08:00-18:00")
    assert _one(quiet, now=NOW + 6 * HOUR).now
    assert _one(quiet, now=NOW - 4 * HOUR - MINUTE).now


def test_quiet_hours_go_over_midnight() -> None:
    """22:00 to 06:00 at 23:00 ends tomorrow, at 05:00 today, and noon is outside."""
    quiet = hospital(quiet_hours="22:00-06:00", time_zone="UTC")

    assert _one(quiet).now
    assert _one(quiet, now=NOW + 11 * HOUR).at == NOW + 18 * HOUR
    assert _one(quiet, now=NOW - 7 * HOUR).at == NOW - 6 * HOUR


def test_what_becomes_due_in_quiet_hours_says_their_end() -> None:
    """Due at 13:00, quiet from 12:30 to 14:00: the answer is 14:00."""
    found = _one(hospital(quiet_hours="12:30-14:00", time_zone="UTC"), asked(5 * HOUR))

    assert (found.now, found.at) == (False, NOW + 2 * HOUR)


def test_a_hospital_that_asked_to_be_left_alone_is() -> None:
    """Retry-After outlives the run that heard it; once it is over, it is over."""
    found = _one(hospital(), rests=NOW + HOUR)

    assert (found.now, found.at, found.why) == (False, NOW + HOUR, "the hospital asked to be left alone")
    assert _one(hospital(), rests=NOW - HOUR).now


def test_a_clock_that_was_set_back_does_not_silence_a_hospital() -> None:
    """A run from next year counts as of now."""
    assert _one(hospital(every="6h"), asked(timedelta(days=-365))).at <= NOW + 6 * HOUR


@pytest.mark.parametrize(("line", "moments"), [
    ("0 0 1 * mon", ["2026-03-09", "2026-03-16", "2026-03-23", "2026-03-30", "2026-04-01"]),
    ("0 0 * * 0", ["2026-03-08", "2026-03-15"]),
    ("0 0 * * 7", ["2026-03-08", "2026-03-15"]),
    ("0 0 29 2 *", ["2028-02-29", "2032-02-29"]),
    ("0 0 */10 jan-mar *", ["2026-03-11", "2026-03-21", "2026-03-31", "2027-01-01"]),
    ("0 0 * * 1-5", ["2026-03-03", "2026-03-04", "2026-03-05", "2026-03-06", "2026-03-09"]),
])
def test_cron_lines_mean_what_crontab_means(line: str, moments: list[str]) -> None:
    """crontab(5): 0 and 7 are Sunday; both day fields restricted: either suffices; steps count from the first."""
    at, found = datetime(2026, 3, 2, 12), []
    cron = cadence.every(line)
    assert isinstance(cron, cadence.Cron)
    for _ in moments:
        at = cron.after(at) or at
        found.append(at.date().isoformat())

    assert found == moments


_FIELDS = st.tuples(
    st.sampled_from(["*", "*/7", "5,35", "10-20/3"]), st.sampled_from(["*", "*/5", "8-18", "23"]),
    st.sampled_from(["*", "1", "28-31"]), st.sampled_from(["*", "2", "jan,jun-aug"]),
)


@settings(max_examples=60, deadline=None)
@given(fields=_FIELDS, weekday=st.sampled_from(["*", "mon-fri", "sun"]),
       at=st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1)))
def test_cron_lines_agree_with_apscheduler(fields: tuple[str, ...], weekday: str, at: datetime) -> None:
    """APScheduler's CronTrigger gives the same next moment wherever it means the same (one day field, names)."""
    from apscheduler.triggers.cron import CronTrigger

    if fields[2] != "*":
        weekday = "*"
    trigger = CronTrigger.from_crontab(" ".join((*fields, weekday)), timezone=UTC)
    began = at.replace(tzinfo=UTC)
    expected = trigger.get_next_fire_time(None, began + timedelta(microseconds=1))

    assert cadence.next_after(" ".join((*fields, weekday)), began, "UTC") == expected


@pytest.mark.parametrize("pull", [
    {"every": "0h"}, {"every": "six hours"}, {"every": "* * * *"}, {"every": "60 * * * *"}, {"every": "0 0 31 2 *"},
    {"every": "0 0 * * someday"}, {"every": "*/0 * * * *"}, {"every": "5-1 * * * *"}, {"quiet_hours": "8-18"},
    {"quiet_hours": "08:00-08:00"}, {"time_zone": "Mars/Olympus"}, {"time_zone": "../etc"}, {"retry": "soon"},
])
def test_settings_that_mean_nothing_are_refused(pull: dict[str, str]) -> None:
    """When the study is loaded, not at three in the morning."""
    with pytest.raises(ValidationError):
        hospital(**pull)
