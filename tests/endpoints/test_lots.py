"""Many subjects derived in lots: the same conclusions as all at once."""

import pandas as pd
import pytest

from benchmarks.cohort import cohort
from fhir_adapter.endpoints import derivation
from tests.endpoints.build import PROTOCOL, TERMS


def test_lots_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's conclusions rest on another subject: lots of 7 give what one of 40 gives, in the same order."""
    facts = cohort(40)
    whole = derivation.derive(facts, PROTOCOL, TERMS)
    monkeypatch.setattr(derivation, "AT_ONCE", 7)
    parts = derivation.derive(facts, PROTOCOL, TERMS)

    assert len(whole.frames["time_point"]) > 100
    for name, frame in whole.frames.items():
        pd.testing.assert_frame_equal(parts.frames[name], frame, check_dtype=False, obj=name)
    pd.testing.assert_frame_equal(parts.doubts, whole.doubts)
