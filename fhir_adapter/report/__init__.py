"""Shows: one self-contained page, and its figures as files. Pure values in, files out; no session, no clock.

`write` is the one door. matplotlib and Jinja2 are loaded only when something is written.
"""

from fhir_adapter.report.context import Context, Frozen
from fhir_adapter.report.page import write

__all__ = ["Context", "Frozen", "write"]
