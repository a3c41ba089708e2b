"""Who is who: what the vault's Patients say about each other, and what people decided about it.

Only opaque keys leave the vault: a dispute never says which identifier two records share.
"""

import json
from collections.abc import Iterable

import msgspec

from fhir_adapter.core.conflicts import Decision
from fhir_adapter.core.errors import UsageError
from fhir_adapter.domains.enrolment import survivors
from fhir_adapter.domains.reading import target
from fhir_adapter.fhir.decode import Unreadable, decode
from fhir_adapter.review.disputes import Dispute, Member
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.records import UNMERGED, Identity, Kind, Lease

IDENTITY_KINDS = frozenset({"merged_patient", "merge_taken_back", "one_person_two_hospitals"})


class Person(msgspec.Struct, frozen=True):
    """A patient of one hospital: opaque key, subject, business identifiers, and the patient that replaces it or from
    which it was parted again."""

    hospital: str
    patient: str
    key: str
    subject: str
    identifiers: frozenset[tuple[str, str]]
    replaced_by: str | None
    unmerged_from: str | None


def persons(work: Workspace) -> list[Person]:
    """Every patient whom the identity map knows and whose record the vault has."""
    found = []
    identities = work.vault.identities()
    heads = work.vault.heads_of([work.vault.key(one.hospital, "Patient", one.patient) for one in identities])
    for one in identities:
        key = work.vault.key(one.hospital, "Patient", one.patient)
        head = heads.get(key)
        if head is None or head.kind != Kind.CONTENT or one.hospital not in work.study.hospitals:
            continue
        try:
            patient = decode("Patient", head.body, work.study.hospitals[one.hospital].fhir_version)
        except Unreadable:
            continue
        replacing = target(patient.replaced_by, "Patient", work.study.hospitals[one.hospital].base_url)
        found.append(Person(one.hospital, one.patient, key, one.subject, frozenset(patient.identifiers),
                            replacing[1] if replacing is not None else None,
                            one.basis.removeprefix(UNMERGED) if one.basis.startswith(UNMERGED) else None))
    return found


def identity_disputes(work: Workspace) -> list[Dispute]:
    """Patients that were replaced by others (joined, to be confirmed) or are no longer (parted, to be confirmed), and
    persons who seem to be two subjects."""
    everyone = persons(work)
    return [*_merged(everyone), *_parted(everyone), *_one_at_two(everyone)]


def _merged(everyone: Iterable[Person]) -> list[Dispute]:
    found = []
    known = {(one.hospital, one.patient): one for one in everyone}
    for hospital in sorted({one.hospital for one in known.values()}):
        links = {one.patient: one.replaced_by for one in known.values()
                 if one.hospital == hospital and one.replaced_by is not None}
        final, _ = survivors(links)
        for old, new in sorted(final.items()):
            before, after = known[hospital, old], known.get((hospital, new))
            if after is not None:
                found.append(_dispute("merged_patient", (before, after), before.subject,
                                      "The hospital replaced one patient record by another."))
    return found


def _parted(everyone: Iterable[Person]) -> list[Dispute]:
    known = {(one.hospital, one.patient): one for one in everyone}
    pairs = [(known.get((one.hospital, one.unmerged_from)), one) for one in known.values() if one.unmerged_from]
    return [_dispute("merge_taken_back", (other, one), other.subject,
                     "The hospital had merged two patient records and has taken that back.")
            for other, one in pairs if other is not None and other.subject != one.subject]


def _one_at_two(everyone: Iterable[Person]) -> list[Dispute]:
    holders: dict[tuple[str, str], list[Person]] = {}
    for one in everyone:
        for identifier in one.identifiers:
            holders.setdefault(identifier, []).append(one)
    found: dict[str, Dispute] = {}
    for group in holders.values():
        if len({one.hospital for one in group}) > 1 and len({one.subject for one in group}) > 1:
            pair = tuple(sorted(group, key=lambda one: (one.hospital, one.key)))
            dispute = _dispute("one_person_two_hospitals", pair, min(one.subject for one in pair),
                               "Patients of two hospitals carry the same identifier, and are two subjects.")
            found[dispute.key] = dispute
    return [found[key] for key in sorted(found)]


def _dispute(kind: str, pair: tuple[Person, ...], subject: str, message: str) -> Dispute:
    members = tuple(Member("", "", one.hospital, one.key, "link") for one in pair)
    keys = tuple(sorted(one.key for one in pair))
    return Dispute(kind=kind, scope=keys, subject=subject, members=members, values=keys, message=message, holds=False)


def identity_value(work: Workspace, members: Iterable[str]) -> str:
    """What a decision about identity stores: the subject of each patient (by opaque key) before it."""
    by_key = _by_key(work)
    return json.dumps({key: by_key[key].subject for key in sorted(set(members)) if key in by_key})


def moved_by(work: Workspace, decision: Decision) -> dict[tuple[str, str], str]:
    """Which patients would be another subject were this decision signed: (hospital, patient) -> subject."""
    if decision.kind not in IDENTITY_KINDS or decision.choice not in ("join", "split"):
        return {}
    before: dict[str, str] = json.loads(decision.value or "{}")
    by_key = _by_key(work)
    patients = [by_key[key] for key in sorted(before) if key in by_key]
    if decision.choice == "split":
        return {(one.hospital, one.patient): f"{patients[0].subject}~{place}"
                for place, one in enumerate(patients[1:], start=2)}
    joined = {one.subject for one in patients}
    oldest = next((number for number in work.vault.subjects() if number in joined), None)
    return {(one.hospital, one.patient): oldest for one in by_key.values()
            if oldest is not None and one.subject in joined and one.subject != oldest}


def apply_identity(work: Workspace, lease: Lease, decision: Decision) -> None:
    """Joins or splits the patients of a decision; undoing one restores who they were before it.

    Facts follow when their records are mapped again (steps/mapping.py sees that the identity map has changed).
    """
    before: dict[str, str] = json.loads(decision.value or "{}")
    by_key = _by_key(work)
    patients = [by_key[key] for key in sorted(before) if key in by_key]
    if not patients:
        raise UsageError("The decision names no patient that this vault knows.")
    now = work.clock()
    if decision.undoes is not None:
        work.vault.assign(lease, [_as(one, before[key], f"decision {decision.number}")
                                  for key, one in sorted(by_key.items()) if key in before], now)
    elif decision.choice == "join":
        work.vault.join(lease, sorted({one.subject for one in patients}), f"decision {decision.number}", now)
    elif decision.choice == "split":
        for place, one in enumerate(patients[1:], start=2):
            work.vault.split(lease, _as(one, f"{patients[0].subject}~{place}", f"decision {decision.number}"), now)


def _as(one: Identity, subject: str, basis: str) -> Identity:
    return Identity(hospital=one.hospital, patient=one.patient, subject=subject, basis=basis)


def _by_key(work: Workspace) -> dict[str, Identity]:
    return {work.vault.key(one.hospital, "Patient", one.patient): one for one in work.vault.identities()}
