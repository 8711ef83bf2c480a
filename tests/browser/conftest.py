"""A real Chromium, found on the machine; without one these tests fail."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one file: while Playwright is there its event loop runs, and tests that come later start their own."""
    path = next((found for found in map(shutil.which, NAMES) if found), None)
    if path is None:
        pytest.fail(f"No browser was found: none of {', '.join(NAMES)} is on the PATH. Install Chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        browser.close()
