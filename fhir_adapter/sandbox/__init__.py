"""A hospital for rehearsal: a FHIR server on loopback that serves NDJSON, with vendor personas and switchable faults.

`serve(folder, ...)` opens one hospital and closes it again; `rehearse(study, folder, ...)` opens all of a study's
rehearsal hospitals with throw-away keys. It is for the demo, for tests, and for users before they go live.
It listens on 127.0.0.1 only.
"""

from fhir_adapter.sandbox.auth import OPEN, Auth, Basic, Bearer, ClientSecret, Open, SmartBackend
from fhir_adapter.sandbox.persona import PLAIN, Fault, Persona
from fhir_adapter.sandbox.personas import PERSONAS
from fhir_adapter.sandbox.rehearse import Rehearsed, rehearse
from fhir_adapter.sandbox.requests import Seen, UnexpectedRequests
from fhir_adapter.sandbox.server import Rehearsal, Stage, serve
from fhir_adapter.sandbox.switches import Asking, Bulk, Door, Limit, Paging, Records, Time

__all__ = [
    "OPEN",
    "PERSONAS",
    "PLAIN",
    "Asking",
    "Auth",
    "Basic",
    "Bearer",
    "Bulk",
    "ClientSecret",
    "Door",
    "Fault",
    "Limit",
    "Open",
    "Paging",
    "Persona",
    "Records",
    "Rehearsal",
    "Rehearsed",
    "Seen",
    "SmartBackend",
    "Stage",
    "Time",
    "UnexpectedRequests",
    "rehearse",
    "serve",
]
