"""What the rehearsal hospital says of itself: /metadata and /.well-known/smart-configuration."""

from dataclasses import dataclass
from typing import Any

from fhir_adapter.sandbox.parameters import NUMBERS, parameters
from fhir_adapter.sandbox.persona import Persona
from fhir_adapter.sandbox.switches import Door

ALGORITHMS = ("ES384", "RS384")
"""Signatures accepted at the token endpoint."""

_INTERACTIONS = ("read", "vread", "history-instance", "history-type", "search-type")
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_BULK = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"
_EXPORTS = {"system": "export", "patient": "patient-export", "group": "group-export"}
_LEVEL_OF = {"Patient": "patient", "Group": "group"}


@dataclass(frozen=True)
class Described:
    """What a hospital tells of itself."""

    version: str
    persona: Persona
    base_url: str
    token_url: str | None
    types: tuple[str, ...]


def capability_statement(told: Described) -> dict[str, Any]:
    """The CapabilityStatement in the shape of its FHIR version, with no parameter that is not implemented."""
    history = [{"code": "history-system"}] if told.persona.paging.history else []
    rest: dict[str, Any] = {"mode": "server", "resource": [_resource(told, type_) for type_ in told.types]}
    if history:
        rest["interaction"] = history
    if "system" in told.persona.bulk.levels:
        rest["operation"] = [_operation(told.version, "system")]
    if told.token_url is not None:
        uris = {"url": _OAUTH_URIS, "extension": [{"url": "token", "valueUri": told.token_url}]}
        rest["security"] = {"extension": [uris]}
    statement: dict[str, Any] = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-01-01",
        "kind": "instance",
        "implementation": {"description": "fhir-adapter rehearsal hospital", "url": told.base_url},
        "fhirVersion": told.persona.records.says_version or NUMBERS[told.version],
        "format": ["application/fhir+json"],
        "rest": [rest],
    }
    if told.version == "STU3":
        statement["acceptUnknown"] = "both"
    return statement


def _resource(told: Described, type_: str) -> dict[str, Any]:
    persona = told.persona
    history = persona.paging.history
    codes = [code for code in _INTERACTIONS if history or not code.startswith(("history", "vread"))]
    if type_ in persona.asking.by_id_only:
        codes.remove("search-type")
    listed = [{"name": "_id", "type": "token"}]
    if not persona.lacks_last_updated(type_):
        listed.append({"name": "_lastUpdated", "type": "date"})
    listed += [{"name": one.name, "type": one.kind} for one in parameters(told.version, type_).values()]
    described: dict[str, Any] = {
        "type": type_,
        "interaction": [{"code": code} for code in codes],
        "versioning": "versioned" if history else "no-version",
        "searchParam": listed,
    }
    level = _LEVEL_OF.get(type_)
    if told.version != "STU3" and level in persona.bulk.levels:
        described["operation"] = [_operation(told.version, level or "")]
    return described


def _operation(version: str, level: str) -> dict[str, Any]:
    """`$export` of a level; STU3 refers to its definition by a Reference."""
    url = _BULK + _EXPORTS[level]
    return {"name": "export", "definition": {"reference": url} if version == "STU3" else url}


def smart_configuration(token_url: str, methods: tuple[str, ...], door: Door) -> dict[str, Any]:
    """Where tokens are had and how; of the keywords only `token_endpoint` is always right (quirk Q28)."""
    capability = {"private_key_jwt": "client-confidential-asymmetric"}
    versions = {"v1": ["permission-v1"], "v2": ["permission-v2"]}.get(door.scopes, ["permission-v1", "permission-v2"])
    told: dict[str, Any] = {
        "token_endpoint": token_url,
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": list(methods),
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "scopes_supported": ["system/*.read", "system/*.rs"],
        "capabilities": [
            *sorted({capability.get(method, "client-confidential-symmetric") for method in methods}),
            *versions,
        ],
    }
    if door.discovery == "wrong_keywords":
        told["grant_types_supported"] = ["authorization_code"]
        told["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
        told["token_endpoint_auth_signing_alg_values_supported"] = ["RS256"]
        told["capabilities"] = ["launch-ehr", "client-public"]
    return told
