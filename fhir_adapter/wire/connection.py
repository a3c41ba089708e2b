"""A connection to one hospital: client, credentials and capability, joined."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from random import Random

import httpx

from fhir_adapter.core.errors import HospitalUnavailable, UsageError
from fhir_adapter.core.study import Hospital
from fhir_adapter.wire.auth import credentials
from fhir_adapter.wire.client import Client, Means
from fhir_adapter.wire.faults import Fault
from fhir_adapter.wire.metadata import Capability, read_capability
from fhir_adapter.wire.origin import Pin


class Connection:
    """One hospital that answers: what it can, and what we have learned about how it wants to be asked."""

    def __init__(self, client: Client) -> None:
        """Takes a client; /metadata is asked once, when first needed."""
        self.client = client
        self.hospital = client.hospital
        self.learned: dict[str, set[str]] = {}
        self.notes: dict[str, str] = {}
        self.granted: str | None = None
        self._capability: Capability | None = None

    @property
    def capability(self) -> Capability:
        """What the server lists in /metadata.

        Raises:
            HospitalUnavailable: it does not answer, or with something else.
            UsageError: it speaks another FHIR version than configured.
        """
        if self._capability is None:
            self._capability = self._ask_capability(known=self.client.credentials is not None)
        return self._capability

    def learn(self, kind: str, habit: str) -> None:
        """Remembers how a type has to be asked.

        `no_sort`, `no_since`, `no_study`, `no_strict`, `no_list`, `no_id_list`, `no_span`, `no_count`: without those
        words; `fan_out`: by category; `unfiltered`: the patient filter is ignored; `brittle`: fails for good in this
        run; `vague`: its totals are estimates, as far as this run can tell.
        """
        self.learned.setdefault(kind, set()).add(habit)

    def knows(self, kind: str, habit: str) -> bool:
        """Whether that has been learned."""
        return habit in self.learned.get(kind, ())

    def grants(self, scope: str) -> None:
        """Takes note of the scopes that the token endpoint granted; they may be fewer than asked for (Q28)."""
        self.granted = scope

    @property
    def withheld(self) -> tuple[str, ...]:
        """The scopes that were asked for and not granted."""
        if self.granted is None:
            return ()
        return tuple(sorted(set(self.hospital.auth.scope.split()) - set(self.granted.split())))

    def address(self, path: str) -> str:
        """The address of a path below the base URL."""
        return f"{self.client.pin.base}/{path}"

    def token_url(self) -> str | None:
        """The token endpoint that /metadata names (oauth-uris), asked without credentials."""
        return self._ask_capability(known=False).token_url

    def _ask_capability(self, *, known: bool) -> Capability:
        try:
            reply = self.client.get(self.address("metadata"), known=known)
        except Fault as fault:
            if fault.status in (401, 403):
                raise HospitalUnavailable(
                    f"{self.hospital.name}: the server answers, and refuses us /metadata ({fault}); ask the hospital "
                    "whether it wants a header (auth.headers, such as Epic-Client-ID) or to know our network") from None
            raise HospitalUnavailable(f"{self.hospital.name}: /metadata does not answer ({fault}); "
                                      "check base_url and the network") from None
        return read_capability(reply.body, self.hospital)


@contextmanager
def connect(hospital: Hospital, *, folder: Path, clock: Callable[[], datetime], sleep: Callable[[float], None],
            random: Random, transport: httpx.BaseTransport | None = None) -> Iterator[Connection]:
    """`joined` with these means, as most callers have them.

    Raises:
        UsageError, NotAllowed, HospitalUnavailable: as `joined`.
    """
    means = Means(folder=folder, clock=clock, sleep=sleep, random=random, transport=transport)
    with joined(hospital, means) as connection:
        yield connection


@contextmanager
def joined(hospital: Hospital, means: Means, learned: Mapping[str, Iterable[str]] | None = None
           ) -> Iterator[Connection]:
    """Opens a connection to a hospital that is asked over HTTP, and checks its /metadata and our credentials.

    `means.folder` is where `file:` secrets and certificates are looked for; its clock gives an aware datetime; its
    `random` must be unguessable in production (`random.SystemRandom()`): assertion ids come from it. `learned` is what
    earlier runs found out about how types want to be asked.

    Raises:
        UsageError: the configuration is wrong or contradicts the server.
        NotAllowed: the server or its token endpoint refuses us.
        HospitalUnavailable: the server does not answer, or not as a FHIR server.
    """
    if hospital.pull.mode not in ("search", "bulk"):
        raise UsageError(f"{hospital.name}: mode {hospital.pull.mode} is read from a folder, not over HTTP")
    pull = hospital.pull
    client = Client(hospital, Pin(hospital.base_url, pull.aliases, pull.file_origins), means)
    try:
        connection = Connection(client)
        connection.learned = {kind: set(habits) for kind, habits in (learned or {}).items()}
        client.credentials = credentials(client, connection.token_url, connection.grants)
        _ = connection.capability
        yield connection
    finally:
        client.close()
