"""The physical dose delivered to one volume by one radiotherapy record."""

from decimal import Decimal
from typing import Annotated

from fhir_adapter.core.facts import Fact, column


class RadiotherapyVolume(Fact, frozen=True, kw_only=True):
    """The physical dose delivered to one volume by one radiotherapy record."""

    volume: Annotated[str | None, column("opaque key of the volume", source="volume reference")] = None
    dose_cgy: Annotated[Decimal | None, column("physical dose delivered", unit="cGy", source="totalDoseDelivered")] = None
    dose_text: Annotated[str | None, column("dose value exactly as written")] = None
    dose_unit: Annotated[str | None, column("dose unit as written")] = None
    fractions: Annotated[int | None, column("fractions delivered to this volume", unit="fractions", source="fractionsDelivered")] = None
