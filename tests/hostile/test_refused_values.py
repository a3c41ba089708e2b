"""What the database itself does not take: one record waits in quarantine, everybody else's are facts."""

from collections.abc import Callable

import msgspec
import pytest

from fhir_adapter import flow
from fhir_adapter.core.errors import DatabaseError
from fhir_adapter.core.facts import Fact
from fhir_adapter.core.runs import Counts, silent
from fhir_adapter.steps.leases import trial_lease
from fhir_adapter.steps.mapping import Mapper, map_hospital
from fhir_adapter.store.records import Version
from fhir_adapter.store.trial import MappedRecord, Place
from tests.hostile.conftest import Open
from tests.hostile.ward import Ward

REFUSED: dict[str, Callable[[Fact], Fact]] = {
    "a number beyond every column": lambda fact: msgspec.structs.replace(fact, index=2**70),
    "a code outside of its list": lambda fact: msgspec.structs.replace(fact, **{"severity": "dreadful"}),
}


class Careless(Mapper):
    """The real mapper, but facts of one record are spoilt on their way to the database."""

    def __init__(self, ward: Ward, spoilt: str, spoil: Callable[[Fact], Fact]) -> None:
        super().__init__(ward.work)
        self.key, self.spoil = ward.work.vault.key(ward.name, *spoilt.split("/")), spoil

    def map(self, version: Version) -> MappedRecord:
        """What the version says, spoilt if it is the one."""
        found = super().map(version)
        if version.key != self.key:
            return found
        facts = [(table, key, self.spoil(fact)) for table, key, fact in found.facts]
        return msgspec.structs.replace(found, facts=facts)


def mapped(ward: Ward, mapper: Mapper) -> Counts:
    """Maps what the ward has pulled."""
    with trial_lease(ward.work) as lease:
        run = ward.work.vault.runs(1)[0].id
        return map_hospital(ward.work, mapper, ward.work.study.hospitals[ward.name], lease, run, silent)


@pytest.mark.parametrize("what", REFUSED)
def test_a_value_that_the_database_refuses_leaves_its_neighbours_alone(open_ward: Open, what: str) -> None:
    """The record gets the problem `value_refused`, all others are facts, and the cursor has passed them all."""
    with open_ward(people=2) as ward:
        flow.pull(ward.work, [])
        bad = f"AdverseEvent/{ward.person(2)}-e1"
        counts = mapped(ward, Careless(ward, bad, REFUSED[what]))
        assert ward.landed(*ward.good) == ward.good - {bad}
        assert ward.quarantine() == {bad: "value_refused"}
        assert counts.quarantined == 1
        assert counts.mapped + counts.waiting + counts.ignored + 1 == ward.work.vault.last_seq(ward.name)
        assert [row["code"] for row in ward.work.trial.rows("problem", "hospital", [ward.name])] == ["value_refused"]
        ward.assert_discreet(())
        assert ward.work.trial.cursor(ward.name).seq == ward.work.vault.last_seq(ward.name)


def test_a_database_that_refuses_for_another_reason_stops_the_mapping(open_ward: Open) -> None:
    """A fact that is there already is no record's fault: nothing is quarantined, and the cursor stays."""
    with open_ward(people=1) as ward:
        flow.pull(ward.work, [])

        class Doubling(Mapper):
            def map(self, version: Version) -> MappedRecord:
                found = super().map(version)
                return msgspec.structs.replace(found, facts=[*found.facts, *found.facts])

        with pytest.raises(DatabaseError) as raised:
            mapped(ward, Doubling(ward.work))
        assert type(raised.value) is DatabaseError
        assert ward.quarantine() == {}
        assert ward.work.trial.cursor(ward.name) == Place()
