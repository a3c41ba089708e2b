"""Reads resources: one file per resource type; the same question answered for every FHIR version."""
