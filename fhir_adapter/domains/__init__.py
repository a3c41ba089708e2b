"""Understands: one file is one clinical domain: its fact, its mapper, what makes two facts the same.

`ALL` is written by hand: a new domain is one file and its name here.
"""

from fhir_adapter.core.facts import Domain
from fhir_adapter.domains import (
    demographic,
    disposition,
    drug_administration,
    medication,
    vital_status,
)

ALL: tuple[Domain, ...] = (
    demographic.DOMAIN,
    vital_status.DOMAIN,
    disposition.DOMAIN,
    drug_administration.DOMAIN,
    medication.DOMAIN,
)
"""Every clinical domain."""
