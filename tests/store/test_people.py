"""Decisions, the audit chain, identities and erasure."""

from random import Random

import msgspec
import pytest

from fhir_adapter.core.errors import DatabaseError, UsageError
from fhir_adapter.store.audit import chain_faults
from fhir_adapter.store.erasure import Person
from fhir_adapter.store.records import Cut, Identity, Kept, Member, NewDecision, Signature
from fhir_adapter.store.vault import Vault
from tests.databases import Databases
from tests.store.build import DM, NOW, everything, kept, page, pulling, vault, window

SECOND = Signature(by="pi1", system_user="tester", at=NOW)


def decision(**more: object) -> NewDecision:
    """A decision about a conflict."""
    fields = {"conflict_key": "c" * 32, "kind": "death_dates_disagree", "fingerprint": "f", "choice": "accept",
              "value": "x", "reason": "letter seen", **more}
    return NewDecision(**fields)  # type: ignore[arg-type]


def test_decisions_are_numbered_in_order_and_audited_with_them(database_urls: Databases) -> None:
    """A bulk of decisions is one transaction; each has its audit entry; numbers follow on."""
    with vault(database_urls) as opened:
        first = opened.decide([decision(), decision(choice="defer")], DM)
        second = opened.decide([decision(choice="defer", undoes=1)], DM)
        entries = opened.audit_entries()
        later = opened.decisions(after=2)

    assert [one.number for one in (*first, *second)] == [1, 2, 3]
    assert [one.action for one in entries] == ["decide"] * 3
    assert later == second
    assert (later[0].decided_by, later[0].decided_at) == ("dm1", "2026-03-01T12:00:00.000000+00:00")


@pytest.mark.parametrize("statement", [
    "UPDATE decision SET reason = 'other'", "DELETE FROM decision",
    "UPDATE audit SET actor = 'other'", "DELETE FROM audit",
])
def test_decisions_and_audit_can_only_grow(database_urls: Databases, statement: str) -> None:
    """The database itself refuses to change or remove what people did."""
    with vault(database_urls) as opened:
        opened.decide([decision()], DM)
        before = everything(opened, ("decision", "audit"))
        with pytest.raises(DatabaseError), opened.database.writing() as transaction:
            transaction.run(statement)

        assert everything(opened, ("decision", "audit")) == before


def test_nobody_has_the_right_to_change_what_people_did(database_urls: Databases) -> None:
    """On PostgreSQL not even the tables' owner who has taken the triggers off; to add is allowed."""
    if database_urls.backend == "sqlite":
        return  # SQLite knows no rights: who may write the file may write all of it
    with vault(database_urls) as opened:
        opened.decide([decision()], DM)
        for table, column in (("audit", "actor"), ("decision", "reason"), ("cut", "reason"), ("signature", "meaning")):
            _as_owner(opened, table, f"SELECT * FROM {table}")
            for said in (f"UPDATE {table} SET {column} = ''", f"DELETE FROM {table}", f"TRUNCATE {table}"):
                with pytest.raises(DatabaseError, match="InsufficientPrivilege"):
                    _as_owner(opened, table, said)

        assert len(opened.decide([decision()], DM)) == 1


def _as_owner(opened: Vault, table: str, said: str) -> None:
    """A statement of whoever owns a table and has no other rights, with its triggers taken off."""
    with opened.database.writing() as transaction:
        transaction.run("CREATE ROLE desk_owner")
        transaction.run("GRANT USAGE ON SCHEMA vault TO desk_owner")
        transaction.run(f"ALTER TABLE {table} OWNER TO desk_owner")
        transaction.run("SET LOCAL ROLE desk_owner")
        transaction.run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        transaction.run(said)
        transaction.run("RESET ROLE")
        transaction.run(f"ALTER TABLE {table} OWNER TO CURRENT_USER")
        transaction.run(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        transaction.run("REVOKE USAGE ON SCHEMA vault FROM desk_owner")
        transaction.run("DROP ROLE desk_owner")


def test_the_audit_chain_shows_tampering(database_urls: Databases) -> None:
    """With the triggers taken off by force, a changed and a missing entry are still seen."""
    with vault(database_urls) as opened:
        for number in range(4):
            opened.note(DM, "look", f"record {number}", {"n": number})
        whole = opened.verify_audit()
        untrigger(opened)
        with opened.database.writing() as transaction:
            transaction.run("UPDATE audit SET detail = '{}' WHERE seq = 2")
        changed = opened.verify_audit()
        with opened.database.writing() as transaction:
            transaction.run("DELETE FROM audit WHERE seq = 2")
        missing = opened.verify_audit()

    assert whole == []
    assert changed == ["entry 2 was changed"]
    assert missing == ["entry 2 is missing before entry 3", "entry 3 does not follow the one before it"]


def test_an_empty_chain_is_whole() -> None:
    """Nothing was done, nothing is wrong."""
    assert list(chain_faults([])) == []


def untrigger(opened: Vault) -> None:
    from fhir_adapter.store.triggers import drop_triggers

    with opened.database.writing() as transaction:
        drop_triggers(transaction, ("audit",))


def test_remarks_and_cuts_are_kept(database_urls: Databases) -> None:
    """A remark decides nothing; a cut's name is used once."""
    cut = Cut(name="interim", data_cutoff="2026-06-30", known_at="2026-07-15", digest="d", reason="DMC",
              signed_by="pi1", signed_at="2026-07-16")
    with vault(database_urls) as opened:
        opened.remark("c1", "called the site", DM)
        opened.lock_cut(cut, DM, ("I lock this", "Dana Manager"))
        with pytest.raises(UsageError):
            opened.lock_cut(cut, DM)
        remarks, cuts = opened.remarks("c1"), opened.cuts()
        signed = [(one.about, one.content, one.meaning, one.printed) for one in opened.signatures()]

    assert signed == [("cut interim", "d", "I lock this", "Dana Manager")]
    assert remarks == [("called the site", "dm1", "2026-03-01T12:00:00.000000+00:00")]
    assert cuts == [cut]


def test_the_oldest_number_survives_a_join_and_a_split_undoes_it(database_urls: Databases) -> None:
    """ATC-002 was there first; joined with it, patients of ATC-001 become ATC-002; a split gives one back."""
    with vault(database_urls) as opened:
        lease = pulling(opened)
        west = Identity(hospital="west", patient="p1", subject="ATC-002", basis="trial number")
        east = Identity(hospital="east", patient="p9", subject="ATC-001", basis="trial number")
        changed = opened.assign(lease, [west, east], NOW), opened.assign(lease, [west, east], NOW)
        kept_number = opened.join(lease, ["ATC-001", "ATC-002"], "decision 1", NOW)
        joined = opened.subjects()
        opened.split(lease, east, NOW)
        found = opened.identity("east", "p9"), opened.identity("east", "nobody"), opened.subjects()

    assert changed == (2, 0)
    assert (kept_number, joined) == ("ATC-002", ["ATC-002"])
    assert found == (east, None, ["ATC-002", "ATC-001"])


def test_a_random_number_is_given_once(database_urls: Databases) -> None:
    """The same patient keeps it; the number says nothing about the patient; a taken one is drawn again."""
    with vault(database_urls) as opened:
        lease = pulling(opened)
        numbers = [opened.assign_random(lease, "west", patient, Random(7), NOW) for patient in ("p1", "p1", "p2")]

    assert numbers[0] == numbers[1] != numbers[2]
    assert all(number.startswith("S-") for number in numbers)


def test_only_changed_members_are_written(database_urls: Databases) -> None:
    """A cohort that is read again unchanged writes nothing."""
    members = [Member(patient="p1", state="active", source="ResearchSubject"), Member(patient="p2", state="on-study")]
    with vault(database_urls) as opened:
        lease = pulling(opened)
        numbers = [opened.set_members(lease, "west", listed, NOW) for listed in (
            members, members, [Member(patient="p2", state="off-study")])]
        found = opened.members("west")

    assert numbers == [2, 0, 1]
    assert found["p2"].state == "off-study"


def test_erasing_a_person_leaves_a_mark_only(database_urls: Databases) -> None:
    """Two different people sign; versions, identity, membership and the windows that name the person are gone."""
    with vault(database_urls) as opened:
        lease = pulling(opened)
        asked = window(opened, lease)
        opened.keep_page(lease, "west", page(kept("o1", b"canary"), window=asked.id, url="https://w/?patient=p1"), NOW)
        neighbours = [Kept(entry=kept(f"n{number}", b"{}").entry, patient="p2") for number in (1, 2)]
        for one, asked_for in zip(neighbours, ("p1,p2", "p10,p2"), strict=True):
            address = f"https://w/?patient={asked_for}"
            entry = msgspec.structs.replace(one.entry, url=address)
            opened.keep_page(lease, "west", page(msgspec.structs.replace(one, entry=entry)), NOW)
        opened.set_members(lease, "west", [Member(patient="p1")], NOW)
        opened.assign(lease, [Identity(hospital="west", patient="p1", subject="ATC-001", basis="x")], NOW)
        opened.remark("c" * 32, "canary", DM)
        opened.learn(lease, "west", "absent", {"Observation/o1": "1", "Observation/n1": "1"}, NOW)
        person = Person(subject="ATC-001", patients=(("west", "p1"),), conflicts=("c" * 32,))
        with pytest.raises(UsageError):
            opened.erase([lease], person, "pulled by mistake", (DM, DM))
        opened.erase([lease], person, "pulled by mistake", (DM, SECOND))
        lost = opened.lost([opened.key("west", "Observation", one) for one in ("o1", "n1", "n2")])
        left = opened.members("west"), opened.identities(), opened.windows("west")
        urls = [(one.fhir_id, one.url) for one in opened.versions("west", 0, 9)]
        erased = opened.erased("west", ["p1", "p2"])
        lessons = list(opened.lessons("west", "absent"))
        remarks = opened.remarks("c" * 32)
        actions = [one.action for one in opened.audit_entries()]
        faults = opened.verify_audit()
        opened.keep_page(lease, "west", page(kept("o2", b"{}"), run=2), NOW)
        seqs = [one.seq for one in opened.versions("west", 0, 9)]

    assert lost == {opened.key("west", "Observation", "o1")}
    assert (remarks, lessons) == ([], ["Observation/n1"])
    assert left == ({}, [], [])
    assert urls == [("n1", "erased"), ("n2", "https://w/?patient=p10,p2")]
    assert erased == {"p1"}
    assert (actions, faults) == (["remark", "erase", "erase"], [])
    assert seqs == [2, 3, 4], "a sequence number is never given twice, or a cursor would skip a version"
