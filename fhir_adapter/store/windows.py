"""Windows: what was asked, how far the answer has come, whether it was whole."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec

from fhir_adapter.core.windows import Question, WindowState
from fhir_adapter.store.instants import as_json, cleaned, instant, instant_or_none, stamp
from fhir_adapter.store.opened import OpenVault, link_digest, require_lease
from fhir_adapter.store.records import Lease, PageProgress, StoredWindow
from fhir_adapter.store.transaction import Transaction

KEPT_RUNS = 10
"""Closed windows are kept for so many runs."""

_COLUMNS = "id, hospital, question, state, attempts, pages, next, issues, opened_at, closed_at, run"


def move_window(transaction: Transaction, page: PageProgress, now: datetime) -> None:
    """One more page of a window: its next link, and its end if it has come, or else the link that was followed."""
    closed = None if page.state is WindowState.OPEN else stamp(now)
    following = None if page.next is None else cleaned(page.next)
    transaction.run(
        "UPDATE question_window SET pages = pages + 1, next = ?, state = ?, closed_at = ?, run = ? WHERE id = ?",
        (following, page.state.value, closed, page.run, page.window),
    )
    if page.issues:
        _add_issues(transaction, int(page.window or 0), page.issues)
    if page.url and closed is None:
        transaction.upsert("visited", ("window_id", "link"), ("window_id", "link"),
                           [(page.window, link_digest(page.url))])


def _add_issues(transaction: Transaction, window: int, issues: Collection[str]) -> None:
    stored = transaction.value("SELECT issues FROM question_window WHERE id = ?", (window,)) or "[]"
    joined = list(dict.fromkeys([*msgspec.json.decode(stored), *map(cleaned, issues)]))
    transaction.run("UPDATE question_window SET issues = ? WHERE id = ?", (as_json(joined), window))


class Windows(OpenVault):
    """Opening, failing, listing and forgetting windows; pages move them (`keep_page`)."""

    def open_windows(self, lease: Lease, hospital: str, questions: Collection[Question], run: int, now: datetime
                     ) -> list[StoredWindow]:
        """Opens one window a question; the same question that is still open is taken up where it stood.

        A window taken up keeps its next link and gets one more attempt.
        """
        texts = [as_json(question) for question in questions]
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            ids = []
            for question, words in zip(questions, texts, strict=True):
                found = transaction.value(
                    "SELECT id FROM question_window WHERE hospital = ? AND state = 'open' AND question = ?",
                    (hospital, words),
                )
                if found is not None:
                    transaction.run(
                        "UPDATE question_window SET attempts = attempts + 1, run = ? WHERE id = ?", (run, found)
                    )
                    ids.append(found)
                    continue
                ids.append(transaction.value(
                    "INSERT INTO question_window (hospital, type, question, state, attempts, pages, next, issues, "
                    "opened_at, closed_at, run) VALUES (?, ?, ?, 'open', 1, 0, NULL, '[]', ?, NULL, ?) RETURNING id",
                    (hospital, question.type, words, stamp(now), run),
                ))
            found_windows = {window.id: window for window in _windows(transaction, "id IN (?)", ids)}
        return [found_windows[window] for window in ids]

    def close_window(self, lease: Lease, window: int, state: WindowState, issues: Collection[str], now: datetime
                     ) -> None:
        """Notes what went wrong with a window that got no page: OPEN leaves it to be taken up, FAILED gives it up."""
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            closed = None if state is WindowState.OPEN else stamp(now)
            transaction.run("UPDATE question_window SET state = ?, closed_at = ? WHERE id = ?",
                            (state.value, closed, window))
            if issues:
                _add_issues(transaction, window, issues)

    def give_up_windows(self, lease: Lease, hospital: str, run: int, now: datetime) -> None:
        """Gives up the open windows that a run, at its end, has not asked: other questions cover what they did.

        A list of patients that grew, or shrank, is another question; coverage says what is missing still.
        """
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            transaction.run(
                "UPDATE question_window SET state = ?, closed_at = ?, next = NULL "
                "WHERE hospital = ? AND state = 'open' AND run <> ?",
                (WindowState.FAILED.value, stamp(now), hospital, run),
            )

    def restart_window(self, lease: Lease, window: int, now: datetime) -> None:
        """Asks a window from its beginning again: its next link has expired or led in a circle."""
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            transaction.run("UPDATE question_window SET next = NULL, pages = 0 WHERE id = ?", (window,))
            transaction.run("DELETE FROM visited WHERE window_id = ?", (window,))

    def windows(self, hospital: str, state: WindowState | None = None) -> list[StoredWindow]:
        """All windows of a hospital that are kept, in the order of their opening."""
        with self.database.reading() as transaction:
            found = _windows(transaction, "hospital IN (?)", [hospital])
        return [window for window in found if state in (None, window.state)]

    def prune_windows(self, lease: Lease, hospital: str, now: datetime) -> int:
        """Forgets closed windows but those of the last ten runs; the number forgotten."""
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            runs = transaction.rows(
                "SELECT DISTINCT run FROM question_window WHERE hospital = ? ORDER BY run DESC LIMIT ?",
                (hospital, KEPT_RUNS),
            )
            if len(runs) < KEPT_RUNS:
                return 0
            old = [row[0] for row in transaction.rows(
                "SELECT id FROM question_window WHERE hospital = ? AND state <> 'open' AND run < ?",
                (hospital, runs[-1][0]),
            )]
            transaction.run_in("DELETE FROM visited WHERE window_id IN (?)", old)
            return transaction.run_in("DELETE FROM question_window WHERE id IN (?)", old)


def _windows(transaction: Transaction, where: str, keys: Collection[Any]) -> list[StoredWindow]:
    rows = list(transaction.rows_in(f"SELECT {_COLUMNS} FROM question_window WHERE {where}", keys))
    links: dict[int, set[str]] = {}
    for window, link in transaction.rows_in("SELECT window_id, link FROM visited WHERE window_id IN (?)",
                                            [row[0] for row in rows]):
        links.setdefault(window, set()).add(link)
    return [StoredWindow(
        id=row[0], hospital=row[1], question=msgspec.json.decode(row[2], type=Question), state=WindowState(row[3]),
        attempts=row[4], pages=row[5], next=row[6], issues=tuple(msgspec.json.decode(row[7])),
        opened_at=instant(row[8]), closed_at=instant_or_none(row[9]), run=row[10],
        visited=frozenset(links.get(row[0], ())),
    ) for row in sorted(rows)]
