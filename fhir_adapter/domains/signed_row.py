"""A supplement's row that counts only when somebody signed it, and whose every wrong cell refuses the row."""

from fhir_adapter.core.dates import PartialDate, read_date
from fhir_adapter.domains.cells import Cells


class SignedRow(Cells):
    """The cells of a row whose mistakes all refuse it: half a death or half a withdrawal is worse than none."""

    __slots__ = ()

    def filled(self, column: str) -> str | None:
        """A cell that must not be empty."""
        found = self.text(column)
        if found is None:
            self.wrong(column, "is empty")
        return found

    def day(self, column: str, *, required: bool = False) -> PartialDate | None:
        """A date; an impossible one refuses the row, an empty one only when the date is required."""
        written = self.filled(column) if required else self.text(column)
        if written is None:
            return None
        try:
            return read_date(written)
        except ValueError as error:
            self.wrong(column, str(error))
            return None

    def word(self, column: str, allowed: tuple[str, ...]) -> str | None:
        """A word out of a closed list, or nothing; any other refuses the row."""
        return self.one_of(column, allowed) if self.text(column) else None

    def record(self, column: str, hospital_column: str, types: tuple[str, ...]) -> str | None:
        """The opaque key of a hospital's record, written Type/id; it must be one that we have."""
        written = self.filled(column)
        if written is None:
            return None
        kind, slash, name = written.rpartition("/")
        if not slash or kind not in types:
            self.wrong(column, f"is not written {types[0]}/id")
            return None
        try:
            records = self.reading.records_of(self.text(hospital_column) or "")
        except KeyError:
            self.wrong(hospital_column, "no hospital of the study")
            return None
        if records.body(kind, name) is None:
            self.wrong(column, "the hospital's record is not here")
        return records.key(kind, name)

    def signed(self) -> None:
        """By whom and on which day."""
        self.filled("signed_by")
        self.day("signed_on", required=True)
