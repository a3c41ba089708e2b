"""What the rehearsal hospital says of itself: /metadata and /.well-known/smart-configuration."""

from typing import Any

from fhir_adapter.sandbox.parameters import NUMBERS, parameters

ALGORITHMS = ("ES384", "RS384")
"""Signatures accepted at the token endpoint."""

_INTERACTIONS = ("read", "vread", "history-instance", "history-type", "search-type")
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


def capability_statement(version: str, types: list[str], base_url: str, token_url: str | None) -> dict[str, Any]:
    """The CapabilityStatement in the shape of its FHIR version, with no parameter that is not implemented."""
    rest: dict[str, Any] = {
        "mode": "server",
        "resource": [_resource(version, type_) for type_ in types],
        "interaction": [{"code": "history-system"}],
    }
    if token_url is not None:
        uris = {"url": _OAUTH_URIS, "extension": [{"url": "token", "valueUri": token_url}]}
        rest["security"] = {"extension": [uris]}
    statement: dict[str, Any] = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-01-01",
        "kind": "instance",
        "implementation": {"description": "fhir-adapter rehearsal hospital", "url": base_url},
        "fhirVersion": NUMBERS[version],
        "format": ["application/fhir+json"],
        "rest": [rest],
    }
    if version == "STU3":
        statement["acceptUnknown"] = "both"
    return statement


def _resource(version: str, type_: str) -> dict[str, Any]:
    listed = [{"name": "_id", "type": "token"}, {"name": "_lastUpdated", "type": "date"}]
    listed += [{"name": one.name, "type": one.kind} for one in parameters(version, type_).values()]
    return {
        "type": type_,
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned",
        "searchParam": listed,
    }


def smart_configuration(token_url: str, methods: tuple[str, ...]) -> dict[str, Any]:
    """Where tokens are had and how."""
    capability = {"private_key_jwt": "client-confidential-asymmetric"}
    return {
        "token_endpoint": token_url,
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": list(methods),
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "scopes_supported": ["system/*.read", "system/*.rs"],
        "capabilities": [
            *sorted({capability.get(method, "client-confidential-symmetric") for method in methods}),
            "permission-v1",
            "permission-v2",
        ],
    }
