"""More patients like those of the fixtures: every copy has ids and trial numbers of its own, the rest is as it was.

Codes, medications, readers and studies are shared, as they are between patients of one hospital.
"""

import re
import shutil
from pathlib import Path

from fhir_adapter import kit

OWN = re.compile(rb"\bzz([wes])-(?!study|med|pr-reader)")
NUMBER = re.compile(rb"\bATC-(\d{3})\b")
CANARY = re.compile(rb"\bZZCANARY-")
SHARED = ("Medication", "ResearchStudy")
"""Types of which a hospital has one set for all patients."""

DRESS = (
    b'{"language":"en","text":{"status":"generated","div":"<div xmlns=\\"http://www.w3.org/1999/xhtml\\"><p><b>Narrative'
    b'</b></p><table><tr><td>made</td><td>by the server, told to people</td></tr></table></div>"},"note":[{"time":'
    b'"2025-03-04T05:06:07Z","authorReference":{"reference":"Practitioner/zz-somebody","display":"Somebody Else"},'
    b'"text":"Nothing that the trial asks."}],'
)
META = (
    b'"meta":{"source":"urn:oid:2.999.1.2.3#aBcDeFgHiJkLmNoP","security":[{"system":'
    b'"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N","display":"normal"}],"tag":[{"system":'
    b'"https://hospital.example/fhir/tag","code":"interface-17","display":"Laboratory interface"}],'
)

HOSPITALS = ("west", "east", "south")


def renumbered(text: bytes, copy: int) -> bytes:
    """The same records of other people; copy 0 is the original."""
    if not copy:
        return text
    text = OWN.sub(rb"zz\g<1>%d-" % copy, text)
    text = NUMBER.sub(lambda found: b"ATC-%d%s" % (copy, found[1]), text)
    return CANARY.sub(b"ZZCANARY%d-" % copy, text)


def lines(hospital: str, type: str, copies: int = 1) -> list[bytes]:
    """The records of one type at a hospital, so many times, one a line."""
    original = (kit.fixtures_path() / "hospitals" / hospital / f"{type}.ndjson").read_bytes()
    return [line for copy in range(1 if type in SHARED else copies) for line in renumbered(original, copy).splitlines()]


def dressed(line: bytes) -> bytes:
    """The record with what hospitals' servers add and we do not read: narrative, note, source, security, tag.

    It brings the fixtures' mean of 0.7 KB near the 1.5 KB that performance.md measured with.
    """
    return line.replace(b"{", DRESS, 1).replace(b'"meta":{', META, 1)


def types(hospital: str) -> list[str]:
    """The types that a hospital has records of."""
    folder = kit.fixtures_path() / "hospitals" / hospital
    return sorted(path.stem for path in folder.glob("*.ndjson") if path.stem != "history")


def write_hospitals(folder: Path, copies: int) -> None:
    """The fixtures' hospitals with so many times their patients, for a rehearsal server."""
    for hospital in HOSPITALS:
        (folder / hospital).mkdir(parents=True)
        for name in [*types(hospital), "history"]:
            text = b"".join(line + b"\n" for line in lines(hospital, name, copies))
            (folder / hospital / f"{name}.ndjson").write_bytes(text)


def write_study(folder: Path, copies: int) -> None:
    """The shipped study, its sheets with the rows of every copy."""
    shutil.copytree(kit.kit_path() / "mappings", folder / "mappings")
    shutil.copytree(kit.kit_path() / "sync", folder / "sync")
    for path in (folder / "sync" / "supplements").rglob("*.csv"):
        head, *rows = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(head + b"".join(renumbered(b"".join(rows), copy) for copy in range(copies)))
