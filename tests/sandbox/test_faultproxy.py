"""The proxy that breaks connections: each fault as a client meets it, by a schedule that replays."""

import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fhir_adapter.sandbox import Rehearsal, serve
from fhir_adapter.sandbox.faultproxy import KINDS, NetFault, behind_faults, fault_proxy, listed, seeded
from tests.sandbox.build import hospital, link, observation, patient


@pytest.fixture
def west(tmp_path: Path) -> Iterator[Rehearsal]:
    """A hospital with a page of some thousand bytes."""
    with serve(hospital(tmp_path / "west", [patient(), *(observation(f"o{n}") for n in range(50))])) as running:
        yield running


def test_without_faults_it_only_carries(west: Rehearsal) -> None:
    """Several requests on one connection; the hospital's links lead through the proxy, and afterwards no more."""
    with behind_faults(west, listed([])) as proxy, httpx.Client() as client:
        assert west.base_url == f"{proxy.origin}/fhir"
        following: str | None = f"{west.base_url}/Observation?_count=20"
        rows = 0
        while following:
            assert following.startswith(proxy.origin)
            bundle = client.get(following).json()
            rows, following = rows + len(bundle["entry"]), link(bundle)
        assert (rows, proxy.exchanges, proxy.struck) == (50, 3, [])
    assert west.base_url == f"http://127.0.0.1:{west.port}/fhir"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (NetFault(kind="refuse"), (httpx.ReadError, httpx.RemoteProtocolError)),
        (NetFault(kind="reset", after=500), (httpx.ReadError,)),
        (NetFault(kind="truncate", after=500), (httpx.RemoteProtocolError,)),
        (NetFault(kind="stall", after=500, seconds=1.0), (httpx.ReadTimeout,)),
        (NetFault(kind="tls"), (httpx.RemoteProtocolError, httpx.ReadError)),
    ],
)
def test_a_fault_hits_one_exchange(west: Rehearsal, fault: NetFault, error: tuple[type[Exception], ...]) -> None:
    """The second of three on one client: the first and the third are well."""
    with behind_faults(west, listed([None, fault])) as proxy, httpx.Client(timeout=0.5) as client:
        address = f"{west.base_url}/Observation?_count=50"
        assert len(client.get(address).json()["entry"]) == 50
        with pytest.raises(error):
            client.get(address)
        assert len(client.get(address).json()["entry"]) == 50
        assert proxy.struck == [(1, fault.kind)]


def test_a_drip_is_slow_and_whole(west: Rehearsal) -> None:
    """Nothing is lost."""
    with behind_faults(west, listed([NetFault(kind="drip", seconds=0.3)])):
        begun = time.monotonic()
        assert len(httpx.get(f"{west.base_url}/Observation?_count=50").json()["entry"]) == 50
        assert time.monotonic() - begun >= 0.25


def test_a_tls_failure(west: Rehearsal) -> None:
    """A client of https gets an alert instead of a handshake."""
    with fault_proxy(west.port, listed([NetFault(kind="tls")])) as proxy:
        with pytest.raises(httpx.ConnectError) as caught:
            httpx.get(f"https://127.0.0.1:{proxy.port}/fhir/metadata", verify=ssl.create_default_context())
        assert "handshake" in str(caught.value).lower() or "alert" in str(caught.value).lower()


def test_down_means_refused(west: Rehearsal) -> None:
    """Nobody listens for a while; then the same port answers again."""
    with behind_faults(west, listed([])) as proxy:
        port = proxy.port
        with proxy.down(), pytest.raises(httpx.ConnectError):
            httpx.get(f"{west.base_url}/Patient/p1")
        assert proxy.port == port
        assert httpx.get(f"{west.base_url}/Patient/p1").status_code == 200


def test_a_seed_replays() -> None:
    """The same faults for the same seed, others for another; none after the last exchange."""
    one, again, other = (tuple(seeded(seed, share=0.5)(n) for n in range(60)) for seed in (1, 1, 2))

    assert one == again != other
    assert {fault.kind for fault in one if fault} <= set(KINDS)
    assert 10 < len([fault for fault in one if fault]) < 40
    assert one[50:] == (None,) * 10


def test_nothing_is_left_behind(west: Rehearsal) -> None:
    """No thread, no port, also with a client still connected."""
    with httpx.Client() as client:
        with fault_proxy(west.port, listed([])) as proxy:
            client.get(f"{proxy.origin}/fhir/Patient/p1")
        assert not [one for one in threading.enumerate() if one.name.startswith("faultproxy")]
        with pytest.raises(httpx.TransportError):
            client.get(f"{proxy.origin}/fhir/Patient/p1")
