"""The desk's routes: one file a screen."""

from fastapi import APIRouter

from fhir_adapter.web.routes import bulk, conflict, queue, sign_in, subject

ALL: tuple[APIRouter, ...] = (sign_in.router, queue.router, bulk.router, conflict.router, subject.router)
"""Every router, in the order of the navigation."""
