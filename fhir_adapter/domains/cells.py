"""The cells of a supplement's row: read by column, each mistake a Problem that names sheet, row and column."""

from fhir_adapter.core.dates import PartialDate, read_date
from fhir_adapter.core.problems import Problem
from fhir_adapter.domains.reading import Reading, Records
from fhir_adapter.fhir.sheet import Sheet

_BODY_TYPES = ("BodyStructure", "BodySite")
_YES_NO = {"yes": True, "no": False}


class Cells:
    """Reads the cells of one row and keeps the Problems that it met on the way."""

    __slots__ = ("problems", "reading", "sheet")

    def __init__(self, sheet: Sheet, reading: Reading) -> None:
        self.sheet = sheet
        self.reading = reading
        self.problems: list[Problem] = []

    @property
    def refused(self) -> bool:
        """Whether a mistake forbids the use of the row."""
        return any(problem.refuses for problem in self.problems)

    def wrong(self, column: str, what: str, *, code: str = "sheet_cell", refuses: bool = True) -> None:
        """Remember a mistake in one cell, without its value."""
        row = self.reading.row
        place = f"row {row}, " if row else ""
        message = f"sheet {self.sheet.sheet}, {place}column {column}: {what}"
        self.problems.append(self.reading.problem(code, message, column, refuses=refuses))

    def text(self, column: str) -> str | None:
        """A cell that may be empty."""
        return self.sheet.cell(column) or None

    def one_of(self, column: str, allowed: tuple[str, ...], *, required: bool = True) -> str | None:
        """A cell of a closed list; case does not count."""
        written = self.sheet.cell(column)
        found = next((code for code in allowed if code.casefold() == written.casefold()), None)
        if found is None and (written or required):
            what = f"none of {', '.join(allowed)}" if written else "is empty"
            self.wrong(column, what, refuses=required)
        return found

    def yes_no(self, column: str) -> bool | None:
        """A cell that says yes or no, or nothing."""
        written = self.one_of(column, tuple(_YES_NO), required=False)
        return None if written is None else _YES_NO[written]

    def date(self, column: str) -> PartialDate | None:
        """A date; an impossible one is a Problem and leaves the field empty."""
        written = self.sheet.cell(column)
        if not written:
            return None
        try:
            return read_date(written)
        except ValueError as error:
            self.wrong(column, str(error), code="bad_date", refuses=False)
            return None

    def lesion(self, hospital_column: str, column: str, *, required: bool = True) -> str | None:
        """The opaque key of the lesion that a hospital and a BodyStructure reference or identifier value name."""
        written = self.sheet.cell(column)
        if not written:
            if required:
                self.wrong(column, "is empty")
            return None
        try:
            records = self.reading.records_of(self.sheet.cell(hospital_column))
        except KeyError:
            self.wrong(hospital_column, "no hospital of the study", refuses=required)
            return None
        kind, _, name = written.rpartition("/")
        if kind in _BODY_TYPES:
            return self._referenced(records, kind, name, column)
        return self._identified(records, written, column, required)

    def _referenced(self, records: Records, kind: str, name: str, column: str) -> str:
        """STU3 hospitals call a BodyStructure BodySite; the sheet may use either word."""
        other = _BODY_TYPES[1 - _BODY_TYPES.index(kind)]
        for known in (kind, other):
            if records.body(known, name) is not None:
                return records.key(known, name)
        self.wrong(column, "the hospital's record is not here", code="unresolved_reference", refuses=False)
        return records.key(kind, name)

    def _identified(self, records: Records, value: str, column: str, required: bool) -> str | None:
        keys = {key for kind in _BODY_TYPES for key in records.keys_of_identifier(kind, value)}
        if len(keys) == 1:
            return keys.pop()
        self.wrong(column, "names several lesions" if keys else "names no lesion that we have", refuses=required)
        return None
