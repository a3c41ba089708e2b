"""Runs: what the program was asked, what it counted, how it ended."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec

from fhir_adapter.store.instants import as_json, stamp
from fhir_adapter.store.opened import OpenVault
from fhir_adapter.store.records import Run

_COLUMNS = "id, command, hospitals, started_at, ended_at, exit_code, counts, mappings, program"


class Runs(OpenVault):
    """Beginning, ending and listing runs."""

    def start_run(self, command: str, hospitals: Collection[str], mappings: str, program: str, now: datetime) -> int:
        """Begins a run; `mappings` is the study's digest, `program` the version of this program."""
        with self.database.writing() as transaction:
            return int(transaction.value(
                "INSERT INTO run (command, hospitals, started_at, ended_at, exit_code, counts, mappings, program) "
                "VALUES (?, ?, ?, NULL, NULL, '{}', ?, ?) RETURNING id",
                (command, as_json(list(hospitals)), stamp(now), mappings, program),
            ))

    def finish_run(self, run: int, counts: Mapping[str, Any], exit_code: int, now: datetime) -> None:
        """Ends a run with its counts (any JSON) and its exit code; a run that was killed has neither."""
        self._seen.pop(run, None)
        with self.database.writing() as transaction:
            transaction.run("UPDATE run SET ended_at = ?, exit_code = ?, counts = ? WHERE id = ?",
                            (stamp(now), exit_code, as_json(counts), run))

    def runs(self, last: int = 10) -> list[Run]:
        """The last runs, newest first."""
        with self.database.reading() as transaction:
            rows = transaction.rows(f"SELECT {_COLUMNS} FROM run ORDER BY id DESC LIMIT ?", (last,))
        return [Run(
            id=row[0], command=row[1], hospitals=tuple(msgspec.json.decode(row[2])), started_at=row[3],
            ended_at=row[4], exit_code=row[5], counts=msgspec.json.decode(row[6]), mappings=row[7], program=row[8],
        ) for row in rows]
