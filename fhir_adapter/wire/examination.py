"""Examines a connection step by step, for whoever has to mend it: name, TLS, token, /metadata, one question a type."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec

from fhir_adapter.core.errors import AdapterError, NotAllowed, UsageError
from fhir_adapter.core.study import Hospital
from fhir_adapter.core.windows import Question
from fhir_adapter.wire import plan, search
from fhir_adapter.wire.auth import credentials
from fhir_adapter.wire.client import Client, Means
from fhir_adapter.wire.connection import Connection
from fhir_adapter.wire.faults import Fault
from fhir_adapter.wire.origin import Pin

NOBODY = "fhir-adapter-doctor"
"""The patient that is asked for where no member is known: an id that nobody has."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One step: what was tried, whether it went well, what was seen, and how to mend it."""

    step: str
    is_well: bool
    seen: str
    remedy: str = ""


def examine(hospital: Hospital, means: Means, patient: str | None = None) -> Iterator[Finding]:
    """The steps of asking a hospital, in order; it ends with the first on which the later ones stand.

    `patient` is a member of the cohort, if one is known; nobody else's records are asked for.
    """
    place = f"sync/hospitals/{hospital.id}.toml"
    try:
        pull = hospital.pull
        client = Client(hospital, Pin(hospital.base_url, pull.aliases, pull.file_origins), means)
    except UsageError as error:
        yield Finding(step="settings", is_well=False, seen=str(error), remedy=f"mend {place}")
        return
    try:
        yield Finding(step="settings", is_well=True, seen=f"{hospital.fhir_version}, {hospital.auth.kind}")
        yield from _steps(client, place, patient)
    finally:
        client.close()


def _steps(client: Client, place: str, patient: str | None) -> Iterator[Finding]:
    for found in (_name(client), _reached(client)):
        yield found
        if not found.is_well:
            return
    connection = Connection(client)
    try:
        client.credentials = credentials(client, connection.token_url, connection.grants)
        client.credentials.headers()
    except AdapterError as error:
        yield Finding(step="credentials", is_well=False, seen=str(error), remedy=_for_credentials(error, place))
        return
    granted = f"granted: {connection.granted}" if connection.granted else client.hospital.auth.kind
    yield Finding(step="credentials", is_well=not connection.withheld, seen=granted, remedy=(
        f"the hospital withholds {', '.join(connection.withheld)}; ask for it, or narrow auth.scope"
        if connection.withheld else ""))
    try:
        listed = len(connection.capability.types)
    except AdapterError as error:
        yield Finding(step="metadata", is_well=False, seen=str(error),
                      remedy=f"check base_url and fhir_version in {place}")
        return
    yield Finding(step="metadata", is_well=True, seen=f"{listed} types listed")
    for kind in ("ResearchSubject", "Patient", *plan.clinical_types(client.hospital)):
        yield _asked(connection, kind, patient)


def _name(client: Client) -> Finding:
    """Whether the host's name leads anywhere; not looked up where a proxy or a test stands between."""
    host = urlsplit(client.pin.base).hostname or ""
    if client.means.transport is not None:
        return Finding(step="name", is_well=True, seen="not looked up")
    try:
        found = {one[4][0] for one in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return Finding(step="name", is_well=False, seen=f"{host}: no such host",
                       remedy="check base_url; behind a proxy set HTTPS_PROXY, inside a VPN connect it")
    return Finding(step="name", is_well=True, seen=f"{host}: {len(found)} addresses")


def _reached(client: Client) -> Finding:
    """Whether the server answers at all, over TLS where the address says so; credentials are not shown."""
    scheme = urlsplit(client.pin.base).scheme
    try:
        client.get(client.pin.base + "/metadata", known=False, attempts=1)
    except Fault as fault:
        if fault.status is None:
            remedy = ("check the port, the firewall, and with https the certificate: a private authority goes under "
                      "[auth.tls] authority, a client certificate under certificate and key")
            return Finding(step=f"{scheme} connection", is_well=False, seen=str(fault), remedy=remedy)
    except AdapterError:
        pass
    return Finding(step=f"{scheme} connection", is_well=True, seen="the server answers")


def _for_credentials(error: AdapterError, place: str) -> str:
    if isinstance(error, UsageError):
        return f"mend [auth] in {place}"
    if "/metadata" in str(error):
        return f"the token endpoint is named there; mend {place}, or name it yourself as auth.token_url"
    if isinstance(error, NotAllowed):
        return "compare client_id, key and scope with what the hospital registered; does it know our public key?"
    return "is token_url right, and does this machine reach it?"


def _asked(connection: Connection, kind: str, patient: str | None) -> Finding:
    """One small question about a type."""
    who = patient or NOBODY
    parameters: tuple[tuple[str, str], ...] = ((plan.patient_parameter(kind), who), ("_count", "1"))
    if kind == "Patient":
        parameters = (("_id", who), ("_count", "1"))
    elif kind == "ResearchSubject":
        parameters = (("_count", "1"),)
    settings = connection.hospital.types.get(kind)
    extra = tuple(settings.parameters.items()) if settings is not None else ()
    question = Question(type=kind, patients=(who,) if kind not in ("Patient", "ResearchSubject") else (),
                        parameters=parameters + extra)
    try:
        page = next(iter(search.pages(connection, question)))
    except AdapterError as error:
        return Finding(step=kind, is_well=False, seen=str(error), remedy="ask the hospital for read access to it")
    if page.gaps and search.wants_category(page.gaps[0].status, page.gaps[0].issues):
        return Finding(step=kind, is_well=True, seen="wants a category; each is asked")
    if page.gaps and (page.gaps[0].status in (404, 501) or "not-supported" in page.gaps[0].issues):
        return Finding(step=kind, is_well=False, seen=page.gaps[0].message, remedy=(
            "the server does not have this type; once the hospital has confirmed that, declare it under "
            f"[types.{kind}] unavailable with a signature"))
    if page.gaps:
        return Finding(step=kind, is_well=False, seen=page.gaps[0].message, remedy=(
            "ask the hospital for a scope or permission for it, or declare it under "
            f"[types.{kind}] unavailable with a signature"))
    seen = "answers" if page.honoured or not question.patients else "answers, and ignores the patient filter"
    return Finding(step=kind, is_well=True, seen=seen)
