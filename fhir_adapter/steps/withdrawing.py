"""Withdrawals: what is signed about somebody who leaves, and whom we may therefore still ask for (DESIGN §5.8)."""

import csv
import os
from datetime import date
from pathlib import Path

import msgspec

from fhir_adapter.core.conflicts import Owner
from fhir_adapter.core.dates import read_date
from fhir_adapter.core.errors import UsageError
from fhir_adapter.domains.disposition import LEVELS
from fhir_adapter.domains.enrolment import Member
from fhir_adapter.steps.settling import DECISIONS
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.trial import COUNTED
from fhir_adapter.wire.sheets import SHEETS

WITHDRAWALS = "withdrawals"
"""The hospital of the sheet that `subjects withdraw` signs."""

ENDS_ASKING = "records"
"""The level at which nothing more may be asked; at the others only treatment or visits end."""

_SHEET = next(sheet for sheet in SHEETS if sheet.name == "disposition")


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """Who leaves, from what (treatment, visits, records), as of which day (YYYY-MM-DD), signed by whom, and why."""

    subject: str
    level: str
    effective: str
    by: str
    reason: str


class Known(msgspec.Struct, frozen=True):
    """Subjects by what their withdrawals say: no longer to be asked for; one without a level; all with a level."""

    ended: frozenset[str]
    undecided: frozenset[str]
    decided: frozenset[str]

    def may_ask(self, subject: str | None, found: Member) -> bool:
        """Whether somebody's records may be asked for: whoever withdrew only once the level allows it."""
        if subject in self.ended:
            return False
        return found.ask or (found.undecided and subject in self.decided and subject not in self.undecided)


def known(work: Workspace, today: date) -> Known:
    """What the settled trial database says of withdrawals by a day; one that lies ahead still ends nothing."""
    frame = work.trial.frames(("disposition",), standings=COUNTED)["disposition"]
    rows = frame[frame.event == "withdrawal"]
    begun = rows.date.isna() | rows.date.fillna("").le(today.isoformat())
    return Known(ended=frozenset(rows[rows.level.eq(ENDS_ASKING) & begun].subject),
                 undecided=frozenset(rows[rows.level.isna()].subject),
                 decided=frozenset(rows[rows.level.notna()].subject))


def unread(work: Workspace) -> bool:
    """Whether something may say whom we must not ask, and the trial database has not read it: a run was stopped before
    it came to that, or the trial database is a new one."""
    last = {one: work.vault.last_seq(one) for one in work.study.hospitals}
    read = {one: work.trial.cursor(one).seq for one in last}
    sheets = [name for name, one in work.study.hospitals.items() if one.pull.mode == "sheet"]
    decided = max((one.number for one in work.vault.decisions(work.trial.cursor(DECISIONS).seq)), default=0)
    if decided or any(read[one] < last[one] for one in sheets):
        return True
    is_new = any(last[one] and not read[one] for one in last)
    return is_new and (bool(work.vault.decisions()) or any(last[one] for one in sheets))


def sign(work: Workspace, wanted: Withdrawal) -> Path:
    """Writes the signed row into the sheet of withdrawals, in the place of one of the same day; where it is.

    Raises:
        UsageError: nobody of that number takes part, or level, day, reason or signature will not do.
    """
    signed = work.signed(wanted.by)
    if wanted.subject not in work.vault.subjects():
        raise UsageError(f"{wanted.subject}: no such subject; `fhir-adapter subjects list` shows them.")
    if wanted.level not in LEVELS:
        raise UsageError(f"--level is one of {', '.join(LEVELS)}.")
    if _day(wanted.effective) is None:
        raise UsageError("--effective is the day of the withdrawal, YYYY-MM-DD.")
    if not wanted.reason.strip():
        raise UsageError("A withdrawal needs a reason; it is kept in the audit trail.")
    if work.role_of(wanted.by) != Owner.INVESTIGATOR.value:
        raise UsageError(f"A withdrawal is signed by an investigator; {wanted.by} is {work.role_of(wanted.by)}.")
    path = _place(work)
    row = {"subject": wanted.subject, "date": wanted.effective, "event": "withdrawal", "level": wanted.level,
           "signed_by": wanted.by, "signed_on": signed.at.date().isoformat()}
    work.vault.note(signed, "subject withdrawn", f"subject {wanted.subject}",
                    {"level": wanted.level, "effective": wanted.effective, "reason": wanted.reason})
    others = [one for one in _rows(path) if any(one[name] != row.get(name, "") for name in _SHEET.key)]
    _write(path, [*others, row])
    return path


def forget(work: Workspace, subject: str) -> None:
    """Takes an erased subject's rows out of the sheet of withdrawals."""
    path = _place(work)
    if path.exists():
        _write(path, [row for row in _rows(path) if row["subject"] != subject])


def _place(work: Workspace) -> Path:
    return work.study.folder / "sync" / "supplements" / WITHDRAWALS / f"{_SHEET.name}.csv"


def _day(text: str) -> date | None:
    try:
        return read_date(text).day
    except ValueError:
        return None


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [{column: row.get(column) or "" for column in _SHEET.columns} for row in csv.DictReader(file)]


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    """The sheet with these rows, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _SHEET.columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    beside.replace(path)
