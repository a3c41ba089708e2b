"""The review desk over 100,000 open conflicts: pages of the queue, one decision, 10,000 at once; over HTTP on loopback.

The conflicts are invented and stand beside those of the rehearsal study; what is decided singly is a real one, so that
its subject is really settled and concluded. Server time is what a client on the same machine waits, all included.
"""

import os
import random
import re
from contextlib import ExitStack
from statistics import median
from time import perf_counter

from benchmarks.places import places
from benchmarks.rows import Row
from benchmarks.whole_path import hall
from fhir_adapter import desk as story
from fhir_adapter import flow
from fhir_adapter.core.desk import Account, Role
from fhir_adapter.review.kinds import KINDS
from fhir_adapter.steps.accounts import hash_password
from fhir_adapter.steps.worklist import words_of
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.worklist import Filter
from tests.web.browsing import chromium, signed_in
from tests.web.conftest import PASSWORD, Browser, Desk, served

CONFLICTS, AT_ONCE, LOOKS = 100_000, 10_000, 60
BULK_KIND = "duplicate_adverse_event"
ADDRESSES = ("/queue", "/queue?kind={kind}", "/queue?hospital=west", "/queue?severity=blocking&hospital=east",
             "/queue?subject=R-00{digits}", "/queue?assignee=nobody&days=30", "/queue?search=planted&kind={kind}")


FIRST_PAINT = """() => new Promise(done => new PerformanceObserver((list, watching) => {
    for (const one of list.getEntriesByName("first-contentful-paint")) { watching.disconnect(); done(one.startTime); }
}).observe({type: "paint", buffered: true}))"""


def plant(work: Workspace, count: int) -> None:
    """So many open conflicts of four subjects out of ten thousand each, the first 10,000 of one kind."""
    rng = random.Random(7)
    names = [kind for kind in KINDS if kind.name != BULK_KIND]
    conflicts, rows = [], []
    for number in range(count):
        bulk = number < AT_ONCE
        kind = next(one for one in KINDS if one.name == BULK_KIND) if bulk else rng.choice(names)
        key, hospital = f"{number:08x}{rng.getrandbits(96):024x}", f'["{rng.choice(("east", "south", "west"))}"]'
        subject = f"R-{number % 25_000:05d}"
        message = f"planted: {kind.title}. Meanwhile: {kind.meanwhile}."
        conflicts.append((key, kind.name, subject, hospital, "open", key, "[]", f'["{key}"]', message,
                          kind.owner.value, kind.blocking, None))
        rows.append((key, kind.name, subject, hospital, "", "open", kind.blocking, kind.owner.value,
                     -1_000_000 * kind.blocking - rng.randrange(5) * 10_000 - 1, 1, message,
                     f"2026-{rng.randrange(1, 11):02d}-01T00:00:00.000000+00:00", "", "", "", 0,
                     words_of(message, subject, "", key)))
    with work.trial.database.writing() as transaction:
        transaction.insert("conflict", work.trial.tables.columns("conflict"), conflicts)
        transaction.insert("worklist", work.trial.tables.columns("worklist"), rows)
        transaction.run("ANALYZE")


def measure(rounds: int, _copies: int) -> list[Row]:
    """Rows for SQLite and PostgreSQL."""
    found = []
    with ExitStack() as stack:
        rehearsal = stack.enter_context(hall(1))
        for place in stack.enter_context(places()):
            with ExitStack() as inner:
                work = inner.enter_context(rehearsal.workspace(place.fresh(inner)))
                flow.sync(work, [])
                work.vault.add_account(Account(name="dm", printed="dm", role=Role.REVIEWER), hash_password(PASSWORD),
                                       work.signed("dm1"))
                plant(work, CONFLICTS)
                found += _measured(inner.enter_context(served(work)), place.name, rounds)
    return found


def _measured(desk: Desk, name: str, rounds: int) -> list[Row]:
    browser, rng = Browser(desk, "dm"), random.Random(11)
    kinds = [kind.name for kind in KINDS]
    seconds, heaviest = [], 0
    account = Account(name="dm", printed="dm", role=Role.REVIEWER)
    planted = desk.work.trial.keys_of(Filter(kind=BULK_KIND, search="planted"), LOOKS)
    for number in range(LOOKS):
        story.assign(desk.work, account, [planted[number]], "dm", "")  # a change: nothing counted before helps
        path = ADDRESSES[number % len(ADDRESSES)].format(kind=rng.choice(kinds), digits=rng.randrange(100, 999))
        started = perf_counter()
        answer = browser.get(path)
        seconds.append(perf_counter() - started)
        assert answer.status_code == 200
        heaviest = max(heaviest, len(answer.content))
    p95 = _p95(seconds)
    decided = [_decide(desk, browser, place) for place in range(max(2, rounds))]
    paints, seen = _in_browser(desk, 2 * max(1, rounds // 2))
    bulk, settled = _bulk(desk, browser)
    what = f"desk, {CONFLICTS:,} open conflicts, {name}: "
    return [
        Row(what + "page of the queue, p95", f"{1000 * p95:.0f} ms", "<= 100 ms", p95 <= 0.1,
            f"each the first after a change: all is counted anew; {LOOKS} pages, {len(ADDRESSES)} filters; "
            f"median {1000 * median(seconds):.0f} ms"),
        Row(what + "heaviest page", f"{heaviest / 1000:.0f} KB", "< 150 KB", heaviest < 150_000, "uncompressed HTML"),
        Row(what + "a decision to its new row", f"{1000 * median(decided):.0f} ms", "<= 500 ms",
            median(decided) <= 0.5, "signed, row sent, its subject settled and concluded behind it; median"),
        Row(what + "in Chromium, first contentful paint of the queue, p95", f"{_p95(paints):.0f} ms", "<= 100 ms",
            _p95(paints) <= 100, f"the browser's own clock, from the start of the navigation; {len(paints)} warm "
                                 f"loads; median {median(paints):.0f} ms; load {os.getloadavg()[0]:.1f}"),
        Row(what + "in Chromium, Enter to the updated row", f"{1000 * median(one for one, _ in seen):.0f} ms",
            "<= 500 ms", median(one for one, _ in seen) <= 0.5,
            f"`settled` {1000 * median(one for _, one in seen):.0f} ms after Enter; median of {len(seen)}"),
        Row(what + f"{AT_ONCE:,} decisions at once, signed", f"{bulk:.1f} s", "<= 10 s", bulk <= 10,
            f"one transaction; all settled {settled:.0f} s after the form was sent"),
    ]


def _p95(measured: list[float]) -> float:
    return sorted(measured)[int(0.95 * len(measured))]


def _decide(desk: Desk, browser: Browser, place: int) -> float:
    """One decision about a real conflict (and, every other time, taking it back), as htmx sends it."""
    key = min(row["key"] for row in desk.work.trial.rows("conflict", "kind", ["unit_implausible"])
              if row["subject"].startswith("ATC-"))
    row = desk.work.trial.work_rows([key])[key]
    headers = {"hx-request": "true"}
    form = {"choice": "confirm", "reason": "measured", "seen": str(row.last_decision), "key": key}
    path = f"/conflicts/{key}/decide" if place % 2 == 0 else f"/decisions/{row.last_decision}/undo"
    started = perf_counter()
    answer = browser.post(path, form, headers=headers)
    seconds = perf_counter() - started
    assert answer.status_code == 200, answer.text[:300]
    while desk.work.trial.work_rows([key])[key].state == "settling":  # what follows is worked out behind the row
        desk.work.sleep(0.05)
    return seconds


def _in_browser(desk: Desk, rounds: int) -> tuple[list[float], list[tuple[float, float]]]:
    """Milliseconds until the browser paints the queue for the first time; and, for a real conflict decided by keyboard
    or taken back, seconds from Enter until the row says that it is signed, and until it says what became of it."""
    key = min(row["key"] for row in desk.work.trial.rows("conflict", "kind", ["unit_implausible"])
              if row["subject"].startswith("ATC-"))
    found = []
    paints: list[float] = []
    with chromium() as browser, signed_in(browser, desk, "dm") as page:
        for number in range(LOOKS):
            page.goto(f"/queue?kind={KINDS[number % len(KINDS)].name}" if number % 2 else "/queue")
            paints.append(page.evaluate(FIRST_PAINT))
        page.goto(f"/queue?state=all&search={key}")
        for _ in range(rounds):
            decide = desk.work.trial.work_rows([key])[key].state == "open"
            page.locator(f"#row-{key} [data-key={'a' if decide else 'u'}]").click()
            page.fill("tr.quick [name=reason]", "measured")
            started = perf_counter()
            page.keyboard.press("Enter")
            page.wait_for_selector(f"#row-{key} .tag:text-is('{'signed' if decide else 'undone'}')")
            shown = perf_counter() - started
            page.wait_for_selector(f"#row-{key} .tag:text-is('{'closed' if decide else 'open'}')")
            found.append((shown, perf_counter() - started))
    return paints[2:], found  # the first two of a session fetch style and scripts


def _bulk(desk: Desk, browser: Browser) -> tuple[float, float]:
    """10,000 at once: seconds until they are signed, and until all of them are settled."""
    path = f"/queue/bulk?kind={BULK_KIND}&search=planted"
    mark = re.search(r'name="mark" value="(\w+)"', browser.get(path).text)
    assert mark is not None
    before, started = len(desk.work.vault.decisions()), perf_counter()
    answer = browser.post(path, {"mark": mark.group(1), "choice": "confirm", "reason": "measured"})
    signed = perf_counter() - started
    assert answer.status_code == 303, answer.text[-500:]
    assert len(desk.work.vault.decisions()) == before + AT_ONCE
    last = max(one.number for one in desk.work.vault.decisions())
    while desk.work.trial.cursor("decisions").seq != last and perf_counter() - started < 600:
        desk.work.sleep(0.2)
    return signed, perf_counter() - started
