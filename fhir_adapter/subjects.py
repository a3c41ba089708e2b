"""Who takes part and who leaves, beside `flow.py`. One function for each verb."""

from collections.abc import Iterable

import msgspec

from fhir_adapter import flow, study
from fhir_adapter.core.runs import silent
from fhir_adapter.steps import deciding, erasing, withdrawing
from fhir_adapter.steps.deciding import Choice
from fhir_adapter.steps.withdrawing import Withdrawal
from fhir_adapter.steps.workspace import Workspace

__all__ = ["Withdrawal"]

_OPEN = "withdrawal_level_open"


def withdraw(work: Workspace, wanted: Withdrawal) -> list[str]:
    """Sign that somebody leaves, and from what: a row of a sheet, and the open question of the hospital's record."""
    path = withdrawing.sign(work, wanted)
    anew = msgspec.structs.replace(work, study=study.remember_sheets(work.study, withdrawing.WITHDRAWALS))
    outcome = flow.sync(anew, [withdrawing.WITHDRAWALS], silent)
    for key in _open_questions(anew, wanted.subject):
        deciding.decide(anew, Choice(conflict=key, choice="set_level", value=wanted.level, reason=wanted.reason,
                                     by=wanted.by))
        flow.apply(anew)
    ends = wanted.level == withdrawing.ENDS_ASKING
    said = "no longer asked for from that day on" if ends else "still asked for"
    return [f"{wanted.subject} withdrew ({wanted.level}) as of {wanted.effective}: {said}; what is there stays.",
            f"Signed in {path.relative_to(work.study.folder)}; to take it back, delete its row there and sync.",
            *(message for one in outcome.hospitals for message in one.messages)]


def erase(work: Workspace, subject: str, *, reason: str, by: tuple[str, str]) -> list[str]:
    """Remove a person from both databases, with two people's signatures; only a mark stays."""
    return erasing.erase(work, subject, reason, by)


def _open_questions(work: Workspace, subject: str) -> Iterable[str]:
    rows = work.trial.rows("conflict", "subject", [subject])
    return sorted(str(one["key"]) for one in rows if one["kind"] == _OPEN and one["state"] == "open")
