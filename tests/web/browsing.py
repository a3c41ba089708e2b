"""A real browser: Debian's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.web.conftest import PASSWORD, Desk


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; where there is none, a failure in CI and a named skip elsewhere."""
    program = shutil.which("chromium")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no chromium; .ci/run installs it", pytrace=False)
        pytest.skip("there is no chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def signed_in(browser: Browser, desk: Desk, name: str, *, javascript: bool = True) -> Iterator[Page]:
    """A page of somebody who has signed in through the form; errors of a script or of the policy fail the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, base_url=desk.base,
                                  java_script_enabled=javascript)
    page, faults = context.new_page(), list[str]()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if "Content Security Policy" in message.text
            else None)
    page.goto("/sign-in")
    page.fill("[name=name]", name)
    page.fill("[name=password]", PASSWORD)
    page.click("button.main")
    page.wait_for_url("**/queue")
    try:
        yield page
        assert faults == []
    finally:
        context.close()
