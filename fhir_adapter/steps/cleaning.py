"""How clean each subject is: what still stands between the study and its lock, and who is frozen until somebody thaws.

Open, then clean, endorsed by the investigator, frozen by a data manager, locked in a cut. A freeze is a signature over
every fact that counts: it holds until somebody thaws the subject, or until its data are others.
"""

import json
from collections.abc import Collection

import msgspec

from fhir_adapter.core.desk import Account
from fhir_adapter.core.errors import UsageError
from fhir_adapter.steps.accounts import by_account
from fhir_adapter.steps.freezing import ENDORSED, FROZEN, contents, last_signed
from fhir_adapter.steps.projecting import completeness
from fhir_adapter.steps.showing import visible
from fhir_adapter.steps.summing_up import unacknowledged
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.desk_book import Signed
from fhir_adapter.store.worklist import Filter


class Cleanliness(msgspec.Struct, frozen=True, kw_only=True):
    """What still stands between one subject and the lock.

    `endorsed`, `frozen`: signed by whom and when (empty: not), and whether that still holds for the data as they are.
    """

    subject: str
    hospitals: tuple[str, ...]
    blocking: int
    others: int
    queries: int
    provisional: int
    endorsed: str
    holds: bool
    settling: int = 0
    frozen: str = ""
    frozen_holds: bool = False

    @property
    def clean(self) -> bool:
        """Nothing is open that blocks a cut, no query waits, and no decision is still being worked in."""
        return not self.blocking and not self.queries and not self.settling

    @property
    def state(self) -> str:
        """`open`, `clean`, `endorsed` or `frozen`: each is more than the one before."""
        if not self.clean:
            return "open"
        if not (self.endorsed and self.holds):
            return "clean"
        return "frozen" if self.frozen and self.frozen_holds else "endorsed"


def cleanliness(work: Workspace, viewer: Account, subject: str = "") -> list[Cleanliness]:
    """Every subject that this person may see, by number; or one of them."""
    asked = Filter(scope=viewer.scope, subject=subject)
    open_ones = work.trial.open_by_subject(asked)
    settling = work.trial.open_by_subject(msgspec.structs.replace(asked, state="settling"))
    queries = _queries(work, viewer)
    times = work.trial.frames(("time_to_event",), [subject] if subject else None)["time_to_event"]
    unsure = times[times.provisional.astype(bool) & times.headline.astype(bool)].groupby("subject").size().to_dict()
    endorsed, frozen = last_signed(work, ENDORSED), last_signed(work, FROZEN)
    now = contents(work, {one for one in endorsed.keys() | frozen.keys() if subject in ("", one)})
    found = []
    for known in work.trial.rows("subject", "subject", [subject]) if subject else work.trial.all_rows("subject"):
        hospitals, one = tuple(json.loads(known["hospitals"])), known["subject"]
        if viewer.scope is not None and not set(hospitals) & set(viewer.scope):
            continue
        blocking, others = open_ones.get(one, (0, 0))
        found.append(Cleanliness(
            subject=one, hospitals=hospitals, blocking=blocking, others=others, queries=queries.get(one, 0),
            provisional=int(unsure.get(one, 0)), settling=sum(settling.get(one, (0, 0))),
            endorsed=_by(endorsed.get(one)), holds=one in endorsed and endorsed[one].content == now[one],
            frozen=_by(frozen.get(one)), frozen_holds=one in frozen and frozen[one].content == now[one]))
    return found


def between(work: Workspace, viewer: Account, found: Collection[Cleanliness]) -> list[str]:
    """What stands between the study and its lock, in words; nothing: nothing."""
    conflicts = work.trial.counted_conflicts(Filter(scope=viewer.scope))
    hospitals = [name for name in work.study.hospitals if viewer.scope is None or name in viewer.scope]
    counted = (
        (sum(row[-1] for row in conflicts if row[1]), "open conflicts that block a cut"),
        (sum(one.queries for one in found), "queries that wait for a hospital"),
        (sum(one.settling for one in found), "decisions that are still being worked in"),
        (sum(1 for one in found if not (one.endorsed and one.holds)), "subjects that no investigator has endorsed"),
        (sum(1 for one in found if one.state != "frozen"), "subjects that are not frozen"),
        (sum(1 for row in completeness(work) if row.open_since and row.hospital in hospitals),
         "types of a hospital that are not whole"),
        (sum(unacknowledged(work, name) for name in hospitals), "refused records that nobody has acknowledged"))
    return [f"{count:,} {words}" for count, words in counted if count]


def endorse(work: Workspace, viewer: Account, subject: str, meaning: str) -> None:
    """The investigator's signature on a subject's data, after the password was asked for."""
    _sign(work, viewer, ENDORSED + subject, meaning, contents(work, {subject})[subject])


def freeze(work: Workspace, viewer: Account, subject: str, meaning: str) -> None:
    """Freezes a subject, after the password was asked for: nobody decides about it until it is thawed.

    Raises UsageError for one that is not clean, or whose endorsement is missing or no longer holds.
    """
    (now,) = cleanliness(work, msgspec.structs.replace(viewer, hospitals=()), subject) or (None,)
    if now is None or now.state != "endorsed":
        raise UsageError("Only a subject that is clean and endorsed by its investigator can be frozen.")
    _sign(work, viewer, FROZEN + subject, meaning, contents(work, {subject})[subject])


def thaw(work: Workspace, viewer: Account, subject: str, reason: str) -> None:
    """Ends a freeze, after the password was asked for. Raises UsageError for a subject that is not frozen."""
    if subject not in last_signed(work, FROZEN):
        raise UsageError("That subject is not frozen.")
    _sign(work, viewer, FROZEN + subject, f"thawed: {reason.strip()}", "")


def _queries(work: Workspace, viewer: Account) -> dict[str, int]:
    """Queries that are not closed, by subject."""
    waiting = [one for one in work.vault.queries() if one.state != "closed"]
    rows = work.trial.work_rows({one.conflict_key for one in waiting})
    found: dict[str, int] = {}
    for one in waiting:
        row = rows.get(one.conflict_key)
        if row is not None and visible(row, viewer):
            found[row.subject] = found.get(row.subject, 0) + 1
    return found


def _sign(work: Workspace, viewer: Account, about: str, meaning: str, content: str) -> None:
    work.vault.sign(about, content, meaning.strip(), viewer.printed, by_account(work, viewer.name))


def _by(signed: Signed | None) -> str:
    return f"{signed.printed}, {signed.signed_at[:10]}" if signed else ""
