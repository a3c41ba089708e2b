"""A lesion and its role, as one source states it."""

from typing import Annotated

from fhir_adapter.core.facts import Fact, column


class Lesion(Fact, frozen=True, kw_only=True):
    """A lesion and its role, as one source states it."""

    lesion: Annotated[str, column("opaque key of the lesion (BodyStructure)", source="BodyStructure")]
    label: Annotated[str | None, column("L1, L2, ... within the subject; set when the subject is settled")] = None
    role: Annotated[str | None, column("role", codes=("target", "non-target", "new", "none"), source="CDISC TUMIDENT, carrier, supplement lesions")] = None
    site: Annotated[str | None, column("organ or site concept", source="BodyStructure.location")] = None
    node: Annotated[bool | None, column("whether it is a lymph node")] = None
    irradiated_before: Annotated[bool | None, column("whether it lay in an earlier radiation field", source="supplement lesions")] = None
