"""`python -m tests.web.pictures` takes the pictures of the review desk that stand in docs/, as its pages are now."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page

from fhir_adapter import flow
from fhir_adapter.steps.accounts import hash_password
from tests.databases import sqlite_databases
from tests.flow.conftest import hall
from tests.promises.conftest import hurried
from tests.web.browsing import chromium, signed_in
from tests.web.conftest import ACCOUNTS, PASSWORD, Desk, served

DOCS = Path(__file__).parents[2] / "docs"


def _queue(page: Page, _desk: Desk) -> None:
    page.goto("/queue")
    page.wait_for_selector("tr.current")


def _conflict(page: Page, desk: Desk) -> None:
    page.goto(f"/conflicts/{desk.conflict('unit_implausible')}?choice=confirm")


def _subject(page: Page, _desk: Desk) -> None:
    page.goto("/subjects/ATC-001")


def _results(page: Page, _desk: Desk) -> None:
    page.goto("/results")


def _codes(page: Page, _desk: Desk) -> None:
    page.goto("/mappings?domain=MedicationAdministration")


PICTURES: dict[str, tuple[Callable[[Page, Desk], None], int]] = {
    "queue": (_queue, 720), "conflict": (_conflict, 900), "subject": (_subject, 900), "results": (_results, 1100),
    "codes": (_codes, 900),
}
"""Name -> how to get there, and how high the window is."""


def main() -> None:
    """Takes them all."""
    with TemporaryDirectory(prefix="fhir-adapter-") as folder, hall(Path(folder) / "hall") as shown, \
            shown.workspace(sqlite_databases(Path(folder))) as opened:
        work = hurried(opened)
        flow.sync(work, [])
        for account in ACCOUNTS:
            work.vault.add_account(account, hash_password(PASSWORD), work.signed("dm1"))
        with served(work) as desk, chromium() as browser, signed_in(browser, desk, "dm") as page:
            for name, (go, height) in PICTURES.items():
                page.set_viewport_size({"width": 1280, "height": height})
                go(page, desk)
                page.screenshot(path=DOCS / f"review-desk-{name}.png")


if __name__ == "__main__":
    main()
