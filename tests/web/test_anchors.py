"""The audit trail anchored outside: a chain that was cut short, or written anew from some entry on, is found out."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from fhir_adapter.core.errors import DatabaseError, UsageError
from fhir_adapter.desk import whole
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.audit import START, link_hash
from tests.databases import BACKENDS
from tests.store.test_people import untrigger
from tests.web.small import Small

Harm = Callable[[Workspace, int], None]


def _rewritten(work: Workspace, since: int) -> None:
    """What somebody does who may do anything with the database: another past, in a chain that holds."""
    entries = work.vault.audit_entries()
    untrigger(work.vault)
    previous = entries[since - 2].hash if since > 1 else START
    with work.vault.database.writing() as transaction:
        for one in entries[since - 1:]:
            words = (one.at, "somebody else", one.system_user, one.action, one.object, one.detail)
            made = link_hash(one.seq, words, previous)
            transaction.run("UPDATE audit SET actor = ?, previous = ?, hash = ? WHERE seq = ?",
                            (words[1], previous, made, one.seq))
            previous = made


def _cut_short(work: Workspace, after: int) -> None:
    untrigger(work.vault)
    with work.vault.database.writing() as transaction:
        transaction.run("DELETE FROM audit WHERE seq > ?", (after,))


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_anchor_finds_what_the_chain_cannot(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Cut off at the end, or written anew: the chain alone holds, against its anchors it does not."""
    server = request.getfixturevalue("_postgres").url() if backend == "postgresql" else ""
    with ExitStack() as stack:
        small = Small(backend, server, tmp_path / "study", stack)
        harms: tuple[tuple[Harm, int, str], ...] = (
            (_cut_short, 3, "its end was cut off"), (_rewritten, 2, "was written anew"))
        for harm, place, words in harms:
            with small.copy() as work:
                file = tmp_path / f"{words[:6]}.jsonl"
                first = whole.anchor_audit(work, file)
                assert whole.anchor_audit(work, file) == first  # nothing new, nothing added
                work.vault.note(work.signed("dm"), "look", "record 1")
                second = whole.anchor_audit(work, file)
                assert [json.loads(line)["seq"] for line in file.read_text().splitlines()] == [first.seq, second.seq]
                assert second.seq == first.seq + 1 == len(work.vault.audit_entries())
                assert "agrees" in whole.verify_audit(work, [file])

                harm(work, place)
                assert work.vault.verify_audit() == []
                assert "holds" in whole.verify_audit(work)
                with pytest.raises(DatabaseError, match=words):
                    whole.verify_audit(work, [file])
                with pytest.raises(DatabaseError, match=words):
                    whole.anchor_audit(work, file)
                assert len(file.read_text().splitlines()) == 2


def test_what_is_no_anchor_of_this_trail_is_said(tmp_path: Path) -> None:
    """Another vault's, a broken line, a missing file: each in words; a chain that is broken is not anchored."""
    with ExitStack() as stack:
        small = Small("sqlite", "", tmp_path / "study", stack)
        work = stack.enter_context(small.copy())
        other, broken = tmp_path / "other.jsonl", tmp_path / "broken.jsonl"
        whole.anchor_audit(work, other)
        other.write_text(other.read_text().replace(work.vault.id, "0" * 32))
        broken.write_text("{}\n")
        with pytest.raises(DatabaseError, match="another vault's"):
            whole.verify_audit(work, [other])
        with pytest.raises(UsageError, match="line 1: this is no anchor"):
            whole.verify_audit(work, [broken])
        with pytest.raises(UsageError, match="cannot be read"):
            whole.verify_audit(work, [tmp_path / "none.jsonl"])
        untrigger(work.vault)
        with work.vault.database.writing() as transaction:
            transaction.run("UPDATE audit SET detail = '{}' WHERE seq = 2")
        with pytest.raises(DatabaseError, match="entry 2 was changed"):
            whole.anchor_audit(work, tmp_path / "new.jsonl")
        assert not (tmp_path / "new.jsonl").exists()
