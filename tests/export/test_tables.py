"""Results as files: what a cell looks like."""

import json
from decimal import Decimal
from pathlib import Path

from fhir_adapter.export import tables

ROWS = [(1, "=1+1", Decimal("13.20"), True, None), (2, "-3.5", Decimal(4), False, "α, \"β\"")]


def test_cells_are_exact_and_no_formula(tmp_path: Path) -> None:
    """Numbers as they are, also as text; a formula gets an apostrophe in CSV and none in JSON; nothing is empty."""
    table = {"t": (("n", "text", "exact", "flag", "words"), ROWS)}
    (plain,) = tables.write(table, tmp_path, "csv")
    assert plain.read_text(encoding="utf-8") == (
        "n,text,exact,flag,words\n1,'=1+1,13.20,true,\n2,-3.5,4,false,\"α, \"\"β\"\"\"\n")
    (told,) = tables.write(table, tmp_path, "json")
    assert json.loads(told.read_text(encoding="utf-8")) == [
        {"n": 1, "text": "=1+1", "exact": "13.20", "flag": True, "words": None},
        {"n": 2, "text": "-3.5", "exact": "4", "flag": False, "words": "α, \"β\""}]
