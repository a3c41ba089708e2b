"""Opens all rehearsal hospitals of a study, with throw-away keys where the study's files say that they lie.

A rehearsal hospital is one that is asked by search or bulk export, lives on loopback, has a folder of fixtures under
its id, and keeps its secrets as `file:` in a folder named `sandbox`. Anything else is never served and no
key of it is touched.
"""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from joserfc.jwk import ECKey, RSAKey

from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.study import Hospital, Study
from fhir_adapter.sandbox.auth import OPEN, Auth, Basic, Bearer, ClientSecret, SmartBackend
from fhir_adapter.sandbox.persona import PLAIN, Persona
from fhir_adapter.sandbox.personas import PERSONAS
from fhir_adapter.sandbox.quirks import BY_NAME, quirked
from fhir_adapter.sandbox.server import LOOPBACK, Rehearsal, Stage, serve

SECRETS = "sandbox"
"""The only folder that throw-away keys are written to or read from: `data/sandbox/`."""


@dataclass(frozen=True)
class Rehearsed:
    """The open rehearsal hospitals, and the study that asks them (its base addresses are those that answer)."""

    study: Study
    hospitals: dict[str, Rehearsal]

    @property
    def base_urls(self) -> dict[str, str]:
        """The base address of each hospital."""
        return {name: hospital.base_url for name, hospital in self.hospitals.items()}


@contextmanager
def rehearse(
    study: Study,
    folder: Path,
    *,
    ports: Literal["free", "fixed"] = "free",
    work: Path | None = None,
    persona: Persona = PLAIN,
) -> Iterator[Rehearsed]:
    """Opens the study's rehearsal hospitals from `folder/<hospital id>/` until the block ends.

    `ports`: `fixed` takes those of the study's base addresses. `work` is the folder that `file:data/sandbox/...`
    is relative to; without it the study's own folder. Keys are made (0600) where they are missing.

    Raises:
        UsageError: no hospital of the study can be rehearsed, a port is taken, or a secret is not throw-away.
    """
    chosen = [hospital for hospital in study.hospitals.values() if is_rehearsal(hospital, folder)]
    if not chosen:
        raise UsageError(f"no hospital of this study is for rehearsal: none on {LOOPBACK} has fixtures below {folder}")
    here = work if work is not None else study.folder
    with ExitStack() as stack:
        opened: dict[str, Rehearsal] = {}
        for hospital in chosen:
            port = urlsplit(hospital.base_url).port or 0
            stage = Stage(port=port if ports == "fixed" else 0)
            auth = _credentials(hospital, here)
            try:
                server = serve(
                    folder / hospital.id,
                    fhir_version=hospital.fhir_version,
                    auth=auth,
                    persona=persona,
                    stage=stage,
                )
                opened[hospital.id] = stack.enter_context(server)
            except OSError:
                raise UsageError(
                    f"{hospital.name}: port {stage.port} is taken; end what listens there, or change base_url in "
                    f"sync/hospitals/{hospital.id}.toml"
                ) from None
        yield Rehearsed(_moved(study, opened), opened)


def persona_of(name: str, quirks: tuple[str, ...] = ()) -> Persona:
    """A vendor's persona with these quirks on top.

    Raises:
        UsageError: there is no such persona or quirk; the text names those there are.
    """
    if name not in PERSONAS:
        raise UsageError(f"{name}: no such persona; there are {', '.join(PERSONAS)}.")
    for one in quirks:
        if one not in BY_NAME:
            raise UsageError(f"{one}: no such quirk; there are {', '.join(BY_NAME)}.")
    return quirked(PERSONAS[name], *quirks)


def is_rehearsal(hospital: Hospital, folder: Path) -> bool:
    """Whether this hospital is one of ours: asked over the wire, on loopback, with fixtures."""
    host = urlsplit(hospital.base_url).hostname
    return hospital.pull.mode in ("search", "bulk") and host == LOOPBACK and (folder / hospital.id).is_dir()


def _moved(study: Study, opened: dict[str, Rehearsal]) -> Study:
    hospitals = {
        name: hospital.model_copy(update={"base_url": opened[name].base_url}) if name in opened else hospital
        for name, hospital in study.hospitals.items()
    }
    return study.model_copy(update={"hospitals": hospitals})


def _credentials(hospital: Hospital, work: Path) -> Auth:
    """What the server knows of its client, made from the secrets that the client will use."""
    auth = hospital.auth
    client = auth.client_id or ""
    if auth.kind == "basic":
        return Basic(auth.username or "", _secret(hospital, auth.password, work))
    if auth.kind == "bearer":
        return Bearer(_secret(hospital, auth.token, work))
    if auth.kind == "client_secret":
        return ClientSecret(client, _secret(hospital, auth.client_secret, work))
    if auth.kind == "smart_backend":
        path = _place(hospital, auth.private_key, work)
        if not path.exists():
            _write(path, _new_key(auth.algorithm))
        return SmartBackend(client, {"keys": [_public_key(path, auth.algorithm)]})
    return OPEN


def _new_key(algorithm: str) -> bytes:
    key = ECKey.generate_key("P-384") if algorithm == "ES384" else RSAKey.generate_key(3072)
    return key.as_pem(private=True)


def _public_key(path: Path, algorithm: str) -> dict[str, str]:
    """The JWK that a client would have registered; its kid is the RFC 7638 thumbprint."""
    kind = ECKey if algorithm == "ES384" else RSAKey
    key = kind.import_key(path.read_bytes())
    public = {name: str(value) for name, value in key.as_dict(private=False).items()}
    return {**public, "kid": key.thumbprint(), "alg": algorithm, "use": "sig"}


def _secret(hospital: Hospital, reference: str | None, work: Path) -> str:
    path = _place(hospital, reference, work)
    if not path.exists():
        _write(path, secrets.token_urlsafe(24).encode())
    return path.read_text(encoding="ascii").strip()


def _place(hospital: Hospital, reference: str | None, work: Path) -> Path:
    """Where a throw-away secret lies; a secret anywhere else may be a real one."""
    kind, _, name = (reference or "").partition(":")
    path = work / name
    if kind != "file" or path.parent.name != SECRETS:
        raise UsageError(
            f"{hospital.name} is on {LOOPBACK} but its secret is not `file:data/{SECRETS}/...`: "
            "a rehearsal uses throw-away secrets only"
        )
    return path


def _write(path: Path, content: bytes) -> None:
    """A new file, 0600 from its first moment, whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(name).replace(path)
