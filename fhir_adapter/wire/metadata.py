"""What a server says it can: its CapabilityStatement, as far as questions depend on it.

Neither what it lists nor what it leaves out can be trusted alone: sekmet-fhir stores AdverseEvent without listing it
(servers.md, trap 4). So nothing is skipped because of this; it only chooses the words of a question.
"""

import msgspec

from fhir_adapter.core.errors import HospitalUnavailable, UsageError
from fhir_adapter.core.study import FhirVersion, Hospital

_VERSIONS: tuple[tuple[str, FhirVersion], ...] = (
    ("3.", "STU3"), ("4.0", "R4"), ("4.1", "R4B"), ("4.3", "R4B"), ("5.", "R5"),
)


class TypeCapability(msgspec.Struct, frozen=True, kw_only=True):
    """What a server lists for one resource type."""

    parameters: frozenset[str] = frozenset()
    interactions: frozenset[str] = frozenset()

    @property
    def has_history(self) -> bool:
        """Whether the history of the whole type is listed, where deletes are read."""
        return "history-type" in self.interactions


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """What a server lists: its FHIR version (None if it does not say), per type, and its token endpoint."""

    version: FhirVersion | None = None
    types: dict[str, TypeCapability] = {}
    token_url: str | None = None

    def of(self, kind: str) -> TypeCapability:
        """What is listed for a type; nothing for a type that is not."""
        return self.types.get(kind, TypeCapability())


class _Code(msgspec.Struct):
    code: str | None = None


class _Name(msgspec.Struct):
    name: str | None = None


class _Resource(msgspec.Struct, rename="camel"):
    type: str = ""
    interaction: list[_Code] = []
    search_param: list[_Name] = []


class _Uri(msgspec.Struct, rename="camel"):
    url: str = ""
    value_uri: str | None = None
    extension: list["_Uri"] = []


class _Security(msgspec.Struct):
    extension: list[_Uri] = []


class _Rest(msgspec.Struct, rename="camel"):
    mode: str = ""
    resource: list[_Resource] = []
    search_param: list[_Name] = []
    security: _Security = msgspec.field(default_factory=_Security)


class _Statement(msgspec.Struct, rename="camel"):
    resource_type: str = ""
    fhir_version: str | None = None
    rest: list[_Rest] = []


def read_capability(body: bytes, hospital: Hospital) -> Capability:
    """The capability in the answer to /metadata.

    Raises:
        HospitalUnavailable: the answer is no CapabilityStatement.
        UsageError: its FHIR version is another than the hospital's file says.
    """
    try:
        statement = msgspec.json.decode(body, type=_Statement)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        statement = _Statement()
    if statement.resource_type != "CapabilityStatement":
        raise HospitalUnavailable(f"{hospital.name}: /metadata is no CapabilityStatement; check base_url")
    version = next((name for start, name in _VERSIONS if (statement.fhir_version or "").startswith(start)), None)
    if version is not None and version != hospital.fhir_version:
        raise UsageError(f"{hospital.name}: the server speaks FHIR {version}, but its file says "
                         f"{hospital.fhir_version}; mend fhir_version in sync/hospitals/{hospital.id}.toml")
    rest = next((part for part in statement.rest if part.mode in ("server", "")), _Rest())
    everywhere = {parameter.name for parameter in rest.search_param if parameter.name}
    types = {
        resource.type: TypeCapability(
            parameters=frozenset({found.name for found in resource.search_param if found.name} | everywhere),
            interactions=frozenset(found.code for found in resource.interaction if found.code),
        )
        for resource in rest.resource
    }
    return Capability(version=version, types=types, token_url=_token_url(rest.security))


def _token_url(security: _Security) -> str | None:
    for extension in security.extension:
        if extension.url.endswith("/oauth-uris"):
            return next((part.value_uri for part in extension.extension if part.url == "token"), None)
    return None
