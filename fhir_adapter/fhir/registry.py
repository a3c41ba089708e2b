"""Which structure reads which resource type: written by hand."""

from fhir_adapter.fhir.adverse_event import AdverseEvent
from fhir_adapter.fhir.body_structure import BodyStructure
from fhir_adapter.fhir.condition import Condition
from fhir_adapter.fhir.diagnostic_report import DiagnosticReport
from fhir_adapter.fhir.elements import Resource
from fhir_adapter.fhir.encounter import Encounter
from fhir_adapter.fhir.group import Group
from fhir_adapter.fhir.medication import Medication
from fhir_adapter.fhir.medication_administration import MedicationAdministration
from fhir_adapter.fhir.medication_dispense import MedicationDispense
from fhir_adapter.fhir.medication_request import MedicationRequest
from fhir_adapter.fhir.medication_statement import MedicationStatement
from fhir_adapter.fhir.observation import Observation
from fhir_adapter.fhir.patient import Patient
from fhir_adapter.fhir.procedure import Procedure
from fhir_adapter.fhir.research_study import ResearchStudy
from fhir_adapter.fhir.research_subject import ResearchSubject
from fhir_adapter.fhir.sheet import Sheet

TYPES: dict[str, type[Resource]] = {
    "AdverseEvent": AdverseEvent,
    "BodySite": BodyStructure,
    "BodyStructure": BodyStructure,
    "Condition": Condition,
    "DiagnosticReport": DiagnosticReport,
    "Encounter": Encounter,
    "Group": Group,
    "Medication": Medication,
    "MedicationAdministration": MedicationAdministration,
    "MedicationDispense": MedicationDispense,
    "MedicationRequest": MedicationRequest,
    "MedicationStatement": MedicationStatement,
    "Observation": Observation,
    "Patient": Patient,
    "Procedure": Procedure,
    "ResearchStudy": ResearchStudy,
    "ResearchSubject": ResearchSubject,
    "Sheet": Sheet,
}
"""Every resource type that is read; STU3 calls a BodyStructure BodySite."""
