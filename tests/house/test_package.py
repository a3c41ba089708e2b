"""What is installed: the wheel, the locks, the speed of `--help`."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house.house import PACKAGE, ROOT

LOCKS = ("runtime", "build", "test", "real")
# What the wheel is made of; until all of it is written there is no wheel.
WHEEL_NEEDS = ("README.md", "mappings", "sync", "fixtures/hospitals", "fixtures/decisions.csv", "fixtures/README.md")
NOT_FOR_HELP = ("pandas", "lifelines", "matplotlib", "fhir.resources", "sqlalchemy")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    missing = [name for name in WHEEL_NEEDS if not (ROOT / name).exists()]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"no wheel yet: {', '.join(missing)} not written")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_puts_one_name_into_site_packages(wheel: Path) -> None:
    """Nothing but the package and its metadata; never a top-level sync or mappings."""
    with zipfile.ZipFile(wheel) as archive:
        top = {name.split("/")[0] for name in archive.namelist()}

    assert {name for name in top if not name.endswith(".dist-info")} == {"fhir_adapter"}


def test_wheel_carries_the_kit(wheel: Path) -> None:
    """Every file of mappings/ and sync/ and the demo's hospitals; neither the generator nor the golden results."""
    with zipfile.ZipFile(wheel) as archive:
        kit = {name.removeprefix("fhir_adapter/_kit/") for name in archive.namelist() if "/_kit/" in name}
    tracked = subprocess.run(
        ["git", "ls-files", "mappings", "sync", "fixtures/hospitals", "fixtures/decisions.csv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()

    assert set(tracked) - kit == set()
    assert {name for name in kit if name.endswith(".py") or "golden" in name} == set()
    assert {name.split("/")[0] for name in kit} == {"mappings", "sync", "fixtures"}


def test_installed_kit_is_found(wheel: Path, tmp_path: Path) -> None:
    """Away from any checkout the kit stands beside the program."""
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    done = subprocess.run(
        [sys.executable, "-c", "from fhir_adapter.kit import kit_path; print(kit_path())"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert Path(done.stdout.strip()) == (site / "fhir_adapter" / "_kit").resolve()


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_place(name: str) -> None:
    """A lock says what and with which hash, never from where: no registry, no find-links, no folder of a machine."""
    lines = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8").splitlines()
    places = r"://|index-url|find-links|trusted-host|(^|\s)-[fi]\s|@ |(^|[\s=])~?/\w"

    assert [line for line in lines if re.search(places, line)] == []


@pytest.mark.parametrize("name", LOCKS)
def test_lock_pins_everything_with_hashes(name: str) -> None:
    """`pip install --require-hashes` takes it."""
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    pinned = re.compile(r"[A-Za-z0-9._\[\]-]+==\S+( ; [^\n]+)? \\\n(\s+--hash=sha256:[0-9a-f]{64}( \\)?\n)+")

    assert len(entries) > 0
    assert [entry.splitlines()[0] for entry in entries if not pinned.match(entry)] == []


def test_locks_that_share_an_environment_agree() -> None:
    """What the tests run with is what users get."""
    pins = {}
    for name in ("runtime", "build", "test"):
        text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
        pins[name] = set(re.findall(r"^([A-Za-z0-9._-]+==[^\s;]+)", text, flags=re.MULTILINE))

    assert pins["runtime"] | pins["build"] <= pins["test"]


def test_help_imports_nothing_heavy() -> None:
    """`fhir-adapter --help` answers at once."""
    if not (PACKAGE / "cli" / "app.py").is_file():
        return
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "fhir_adapter", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    imported = set(re.findall(r"^import time:.*\| +(\S+)$", done.stderr, flags=re.MULTILINE))

    assert done.returncode == 0, done.stderr[-2000:]
    assert "fhir_adapter.cli.app" in imported
    assert [name for name in sorted(imported) if name.startswith(NOT_FOR_HELP)] == []
