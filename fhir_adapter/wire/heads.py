"""Reads the head of a record: type, id, version, and whose it is. Nothing else of it is decoded here."""

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from fhir_adapter.core.windows import Entry

_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PATIENT = re.compile(r"Patient/([^/?#]+)(?:/_history/[^/?#]+)?")


class _Reference(msgspec.Struct, gc=False):
    reference: str | None = None


class _Meta(msgspec.Struct, rename="camel", gc=False):
    version_id: str | None = None
    last_updated: str | None = None


class _Head(msgspec.Struct, rename="camel", gc=False):
    """What is read of every record. R5 renamed ResearchSubject.individual to subject; STU3 BodySite has `patient`."""

    resource_type: str = ""
    id: str | None = None
    meta: _Meta | None = None
    subject: _Reference | list[_Reference] | None = None
    patient: _Reference | None = None
    individual: _Reference | None = None


_decoder = msgspec.json.Decoder(_Head)


def has_control(text: str) -> bool:
    """Whether a text holds a control character; most texts are printable, which is quicker to see."""
    return not text.isprintable() and _CONTROL.search(text) is not None


class HeadError(Exception):
    """A head that cannot be read; the text says why without any value. `malformed` tells bad JSON from a bad head."""

    def __init__(self, message: str, *, malformed: bool) -> None:
        super().__init__(message)
        self.malformed = malformed


def read_entry(body: bytes, url: str = "", names: Mapping[str, str] | None = None, base: str = "") -> Entry:
    """One resource as an Entry: its bytes, and of its content the head alone; the id is empty if there is none.

    References become `Patient/<id>` where they name a patient of the answering server: relative, or absolute under
    `base`, with or without a version. `names` gives what an address inside the same Bundle stands for. Others stay as
    written: the same id at another server is another person (Q32).

    Raises:
        HeadError: the bytes are no JSON object, or type, id, meta or subject have a shape that no FHIR version has.
    """
    try:
        head = _decoder.decode(body)
    except msgspec.ValidationError:
        raise HeadError("type, id, meta or subject of a record has the wrong shape", malformed=False) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise HeadError("a record is not JSON", malformed=True) from None
    if not _is_type(head.resource_type):
        raise HeadError("a record has no resourceType", malformed=False)
    identity, meta = head.id or "", head.meta
    version_id, last_updated = ("", "") if meta is None else (meta.version_id or "", meta.last_updated or "")
    references = _references(head)
    if has_control("".join((identity, version_id, last_updated, *references))):
        raise HeadError("id, meta or subject of a record holds a control character", malformed=False)
    if names:
        references = [names.get(reference, reference) for reference in references]
    subjects = tuple([_person(reference, base) for reference in references])
    return Entry(type=head.resource_type, id=identity, version_id=version_id, last_updated=last_updated,
                 subjects=subjects if len(subjects) < 2 else tuple(dict.fromkeys(subjects)), body=body, url=url)


def _references(head: _Head) -> list[str]:
    subject = head.subject if isinstance(head.subject, list) else (head.subject,)
    return [found.reference for found in (*subject, head.patient, head.individual)
            if found is not None and found.reference]


@lru_cache(maxsize=256)
def _is_type(text: str) -> bool:
    return _TYPE.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _person(reference: str, base: str) -> str:
    match = _PATIENT.fullmatch(reference.removeprefix(f"{base}/") if base else reference)
    return f"Patient/{match[1]}" if match else reference
