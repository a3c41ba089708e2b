"""FHIR interoperability adapter for oncology trials; `flow.py` tells the whole story."""

__version__ = "0.1.0"
