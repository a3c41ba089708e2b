"""A hospital for rehearsal: a FHIR server on loopback that serves NDJSON, with vendor personas and switchable faults.

`serve(folder, ...)` opens one hospital and closes it again; `rehearse(study, folder, ...)` opens all of a study's
rehearsal hospitals with throw-away keys. It is for the demo, for tests, and for users before they go live.
It listens on 127.0.0.1 only.
"""

from fhir_adapter.sandbox.auth import OPEN, Auth, Basic, Bearer, ClientSecret, Open, SmartBackend
from fhir_adapter.sandbox.persona import PERSONAS, PLAIN, Fault, Persona
from fhir_adapter.sandbox.rehearse import Rehearsed, rehearse
from fhir_adapter.sandbox.requests import Seen, UnexpectedRequests
from fhir_adapter.sandbox.server import Rehearsal, Stage, serve

__all__ = [
    "OPEN",
    "PERSONAS",
    "PLAIN",
    "Auth",
    "Basic",
    "Bearer",
    "ClientSecret",
    "Fault",
    "Open",
    "Persona",
    "Rehearsal",
    "Rehearsed",
    "Seen",
    "SmartBackend",
    "Stage",
    "UnexpectedRequests",
    "rehearse",
    "serve",
]
