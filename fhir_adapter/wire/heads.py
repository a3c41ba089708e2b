"""Reads the head of a record: type, id, version, and whose it is. Nothing else of it is decoded here."""

import re
from collections.abc import Mapping

import msgspec

from fhir_adapter.core.windows import Entry

_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PATIENT = re.compile(r"Patient/([^/?#]+)(?:/_history/[^/?#]+)?")


class _Reference(msgspec.Struct):
    reference: str | None = None


class _Meta(msgspec.Struct, rename="camel"):
    version_id: str | None = None
    last_updated: str | None = None


class _Head(msgspec.Struct, rename="camel"):
    """What is read of every record. R5 renamed ResearchSubject.individual to subject; STU3 BodySite has `patient`."""

    resource_type: str = ""
    id: str | None = None
    meta: _Meta | None = None
    subject: _Reference | list[_Reference] | None = None
    patient: _Reference | None = None
    individual: _Reference | None = None


_decoder = msgspec.json.Decoder(_Head)


class HeadError(Exception):
    """A head that cannot be read; the text says why without any value. `malformed` tells bad JSON from a bad head."""

    def __init__(self, message: str, *, malformed: bool) -> None:
        super().__init__(message)
        self.malformed = malformed


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Type, id (empty if there is none), server's version, and references to patients."""

    type: str
    id: str
    version_id: str
    last_updated: str
    subjects: tuple[str, ...]

    def entry(self, body: bytes, url: str) -> Entry:
        """The record as an Entry."""
        return Entry(type=self.type, id=self.id, version_id=self.version_id, last_updated=self.last_updated,
                     subjects=self.subjects, body=body, url=url)


def read_head(body: bytes, names: Mapping[str, str] | None = None, base: str = "") -> Head:
    """The head of one resource.

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
    if not _TYPE.fullmatch(head.resource_type):
        raise HeadError("a record has no resourceType", malformed=False)
    meta = head.meta or _Meta()
    subject = head.subject if isinstance(head.subject, list) else (head.subject,)
    references = [found.reference for found in (*subject, head.patient, head.individual)
                  if found is not None and found.reference]
    texts = (head.id or "", meta.version_id or "", meta.last_updated or "", *references)
    if CONTROL.search("".join(texts)):
        raise HeadError("id, meta or subject of a record holds a control character", malformed=False)
    subjects = dict.fromkeys([_person(reference, names, base) for reference in references])
    return Head(type=head.resource_type, id=texts[0], version_id=texts[1], last_updated=texts[2],
                subjects=tuple(subjects))


def _person(reference: str, names: Mapping[str, str] | None, base: str) -> str:
    reference = names.get(reference, reference) if names else reference
    match = _PATIENT.fullmatch(reference.removeprefix(f"{base}/") if base else reference)
    return f"Patient/{match[1]}" if match else reference
