"""A lesion and its role, as one source states it."""

from collections.abc import Iterator
from typing import Annotated, Any

from fhir_adapter.core.concepts import Match
from fhir_adapter.core.facts import Domain, Fact, Ignored, column
from fhir_adapter.domains.cells import Cells
from fhir_adapter.domains.observed import unusable
from fhir_adapter.domains.reading import Reading
from fhir_adapter.domains.signed_row import SignedRow
from fhir_adapter.fhir.body_structure import BodyStructure
from fhir_adapter.fhir.elements import CodeableConcept
from fhir_adapter.fhir.observation import Observation
from fhir_adapter.fhir.sheet import Sheet


class Lesion(Fact, frozen=True, kw_only=True):
    """A lesion and its role, as one source states it."""

    lesion: Annotated[str, column("opaque key of the lesion (BodyStructure)", source="BodyStructure")]
    label: Annotated[str | None, column("L1, L2, ... within the subject; set when the subject is settled")] = None
    role: Annotated[
        str | None,
        column(
            "role", codes=("target", "non-target", "new", "none"), source="CDISC TUMIDENT, carrier, supplement lesions"
        ),
    ] = None
    site: Annotated[str | None, column("organ or site concept", source="BodyStructure.location")] = None
    node: Annotated[bool | None, column("whether it is a lymph node")] = None
    irradiated_before: Annotated[
        bool | None, column("whether it lay in an earlier radiation field", source="supplement lesions")
    ] = None


LIST = "lesion_role"
ROLES = ("target", "non-target", "new", "none")
_VOLUME = "mcode-radiotherapy-volume"


def read(resource: BodyStructure | Observation | Sheet, reading: Reading) -> Iterator[Any]:
    """A lesion, its site and its role: from a BodyStructure, a CDISC or DICOM coded Observation, or a signed sheet.

    Roles in order of trust (profiles.md §5.1): the hospital's own carrier, then coded statements of the record itself.
    mCODE has no place for a role: a BodyStructure without one yields a lesion whose role is None, never a guess.
    An irradiated volume is no lesion.
    """
    if isinstance(resource, Observation):
        return _observed(resource, reading)
    if isinstance(resource, Sheet):
        return _signed(resource, reading) if resource.sheet.removesuffix(".csv") == "lesions" else iter(())
    return _described(resource, reading)


def _described(body: BodyStructure, reading: Reading) -> Iterator[Any]:
    profiles = body.meta.profile if body.meta is not None else ()
    found = _stated_role(body, reading)
    if any([profile.split("|")[0].endswith(_VOLUME) for profile in profiles]):
        yield Ignored("irradiated volume")
        return
    if found is not None and found.found == "unmatched":
        yield Ignored(found.note)
        return
    if body.active is False:
        yield Ignored("not_active")
        return
    site, node = None, None
    if body.site is not None:
        where = reading.look_up("body_site", body.site)
        if where.found == "mapped":
            site, node = where.concept, is_node(reading, where.concept)
        elif where.found != "unmatched":
            yield reading.code_doubt(where, "location", holds=False)
    role = found.concept if found is not None and found.found == "mapped" else None
    yield Lesion(element="", lesion=reading.origin.resource, role=role, site=site, node=node)
    if found is not None and role is None:
        yield reading.code_doubt(found, "extension", holds=False)


def _stated_role(body: BodyStructure, reading: Reading) -> Match | None:
    """What the carrier says; else what a coded statement of the record says; None when neither says anything."""
    for carried in reading.carried("lesion_role"):
        return role_of(reading, carried)
    for _, concept in body.stated:
        match = reading.meanings(concept).get(LIST)
        if match is not None:
            return match
    return None


def role_of(reading: Reading, carried: str) -> Match:
    """What a carried text or code means as a role."""
    return reading.look_up(LIST, CodeableConcept(text=carried))


_SAID = {"yes": True, "no": False}


def is_node(reading: Reading, site: str) -> bool | None:
    """Whether a site is a lymph node; None when its term does not say."""
    return _SAID.get(reading.concepts.term("body_site", site).get("node", ""))


def _observed(observation: Observation, reading: Reading) -> Iterator[Any]:
    """CDISC TUMIDENT (NCIt C94523) or a DICOM lesion code whose value is the role and whose focus is the lesion."""
    match = reading.meanings(observation.code).get("lesion_measurement")
    if match is None or match.concept != "tumor_identification":
        return iter(())
    return _identified(observation, reading, match)


def _identified(observation: Observation, reading: Reading, match: Match) -> Iterator[Any]:
    aside = unusable(reading, observation, match)
    if aside is not None:
        yield aside
        return
    lesion = reading.key_of(observation.body, "BodyStructure")
    if lesion is None:
        yield reading.problem("missing_element", "a lesion's role that names no lesion", "focus", refuses=True)
        return
    carried = reading.carried("lesion_role")
    role = role_of(reading, carried[0]) if carried else reading.look_up(LIST, observation.value_codeable_concept)
    if role.found == "unmatched":
        yield Ignored(role.note)
    elif role.found != "mapped":
        yield reading.code_doubt(role, "value")
    else:
        yield Lesion(element="value", lesion=lesion, role=role.concept)


def _signed(sheet: Sheet, reading: Reading) -> Iterator[Any]:
    cells = SignedRow(sheet, reading)
    cells.signed()
    lesion = cells.lesion("hospital", "lesion")
    role = cells.one_of("role", ROLES, required=False)
    node, irradiated = cells.yes_no("node"), cells.yes_no("irradiated_before")
    site = _site_of(cells)
    yield from cells.problems
    if lesion is not None and not cells.refused:
        if node is None and site is not None:
            node = is_node(reading, site)
        yield Lesion(element="role", lesion=lesion, role=role, site=site, node=node, irradiated_before=irradiated)


def _site_of(cells: Cells) -> str | None:
    """A site by its concept's own name, or by a text that the list knows."""
    written = cells.text("site")
    if written is None or cells.reading.concepts.term("body_site", written):
        return written
    match = cells.reading.look_up("body_site", CodeableConcept(text=written))
    if match.found == "mapped":
        return match.concept
    cells.wrong("site", "no site that mappings/terms/body_site.csv knows", refuses=False)
    return None


DOMAIN = Domain(
    name="lesion",
    fact=Lesion,
    title="lesions and their roles",
    reads=("BodyStructure", "BodySite", "Observation", "Sheet"),
    read=read,
    same=("lesion",),
    agree=("role",),
    lists=("lesion_measurement/tumor_identification",),
)
