"""Words: frozen values that every room shares. No network, no SQL session, no FHIR models."""
