"""The desk's routes: one file a screen."""

from fastapi import APIRouter

from fhir_adapter.web.routes import (
    administration,
    api,
    audit,
    bulk,
    codes,
    conflict,
    files,
    queue,
    results,
    runs,
    sign_in,
    subject,
)

ALL: tuple[APIRouter, ...] = (
    sign_in.router, queue.router, files.router, bulk.router, conflict.router, subject.router, codes.router,
    results.router, runs.router, audit.router, administration.router, api.open_router, api.router,
)
"""Every router, in the order of the navigation."""
