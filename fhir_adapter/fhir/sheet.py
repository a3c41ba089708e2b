"""A row of a supplement: not FHIR, but read like one more resource type (`Sheet`)."""

from fhir_adapter.fhir.elements import Resource


class Sheet(Resource, frozen=True, kw_only=True):
    """One signed row: the sheet's name and the cells by column; an empty cell is an empty text."""

    resource_type: str = "Sheet"
    sheet: str
    row: dict[str, str]

    def cell(self, column: str) -> str:
        """The text of a cell without surrounding blanks; empty if the column is missing."""
        return self.row.get(column, "").strip()
