"""How clean each subject is: what still stands between the study and its lock."""

import json

import msgspec

from fhir_adapter.core.desk import Account
from fhir_adapter.review.disputes import digest
from fhir_adapter.steps.showing import visible
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.worklist import Filter


class Cleanliness(msgspec.Struct, frozen=True, kw_only=True):
    """What still stands between one subject and the lock. `endorsed`: signed by, and whether that still holds."""

    subject: str
    hospitals: tuple[str, ...]
    blocking: int
    others: int
    queries: int
    provisional: int
    endorsed: str
    holds: bool
    settling: int = 0

    @property
    def clean(self) -> bool:
        """Nothing is open that blocks a cut, no query waits, and no decision is still being worked in."""
        return not self.blocking and not self.queries and not self.settling


def cleanliness(work: Workspace, viewer: Account) -> list[Cleanliness]:
    """Every subject that this person may see, by number."""
    open_ones = work.trial.open_by_subject(Filter(scope=viewer.scope))
    settling = work.trial.open_by_subject(Filter(scope=viewer.scope, state="settling"))
    waiting = [one for one in work.vault.queries() if one.state != "closed"]
    rows = work.trial.work_rows({one.conflict_key for one in waiting})
    asked: dict[str, int] = {}
    for one in waiting:
        row = rows.get(one.conflict_key)
        if row is not None and visible(row, viewer):
            asked[row.subject] = asked.get(row.subject, 0) + 1
    times = work.trial.frames(("time_to_event",))["time_to_event"]
    unsure = times[times.provisional.astype(bool) & times.headline.astype(bool)].groupby("subject").size().to_dict()
    signed = {one.about.removeprefix("subject "): one for one in work.vault.signatures()
              if one.about.startswith("subject ")}
    found = []
    for known in work.trial.all_rows("subject"):
        hospitals = tuple(json.loads(known["hospitals"]))
        if viewer.scope is not None and not set(hospitals) & set(viewer.scope):
            continue
        subject = known["subject"]
        blocking, others = open_ones.get(subject, (0, 0))
        endorsed = signed.get(subject)
        found.append(Cleanliness(
            subject=subject, hospitals=hospitals, blocking=blocking, others=others,
            queries=asked.get(subject, 0), provisional=int(unsure.get(subject, 0)),
            endorsed=f"{endorsed.printed}, {endorsed.signed_at[:10]}" if endorsed else "",
            settling=sum(settling.get(subject, (0, 0))),
            holds=endorsed is not None and endorsed.content == content_of_subject(work, subject)))
    return found


def content_of_subject(work: Workspace, subject: str) -> str:
    """SHA-256 over every fact that counts for a subject: what an investigator's endorsement is bound to."""
    frames = work.trial.frames(work.trial.tables.facts, [subject], standings=("current", "held"))
    parts = []
    for name, frame in sorted(frames.items()):
        told = frame.drop(columns=[one for one in ("standing", "held_by", "held_kind") if one in frame])
        parts.append(name + told.astype(str).to_csv(index=False))
    return digest(*parts)
