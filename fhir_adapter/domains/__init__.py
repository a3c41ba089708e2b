"""Understands: one file is one clinical domain: its fact, its mapper, what makes two facts the same.

`ALL` is written by hand: a new domain is one file and its name here.
"""

from fhir_adapter.core.facts import Domain
from fhir_adapter.domains import (
    adverse_event,
    anticancer_therapy,
    biomarker,
    demographic,
    deviation,
    diagnosis,
    disposition,
    drug_administration,
    hospital_stay,
    lab_result,
    lesion,
    lesion_measurement,
    medical_history,
    medication,
    performance_status,
    procedure,
    radiotherapy,
    radiotherapy_volume,
    response_assessment,
    safety_report,
    tumor_assessment,
    vital_sign,
    vital_status,
)

ALL: tuple[Domain, ...] = (
    demographic.DOMAIN,
    vital_status.DOMAIN,
    disposition.DOMAIN,
    drug_administration.DOMAIN,
    medication.DOMAIN,
    anticancer_therapy.DOMAIN,
    procedure.DOMAIN,
    radiotherapy.DOMAIN,
    radiotherapy_volume.DOMAIN,
    lab_result.DOMAIN,
    vital_sign.DOMAIN,
    performance_status.DOMAIN,
    lesion.DOMAIN,
    lesion_measurement.DOMAIN,
    tumor_assessment.DOMAIN,
    response_assessment.DOMAIN,
    *adverse_event.DOMAINS,
    diagnosis.DOMAIN,
    medical_history.DOMAIN,
    biomarker.DOMAIN,
    hospital_stay.DOMAIN,
    deviation.DOMAIN,
    safety_report.DOMAIN,
)
"""Every clinical domain."""
