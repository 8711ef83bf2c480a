"""Passwords in a real browser: set by a link, used, changed, by keyboard alone and without a script."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from builders import EVERYTHING
from console_server import SIGN_IN, ConsoleServer, running
from placet.store.credentials import Role

pytestmark = pytest.mark.browser

FIRST, SECOND = "four words put together", "other words put together"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ConsoleServer]:
    with running(tmp_path / "data") as server:
        server.install(features=EVERYTHING)
        server.platform.people.add("maria", Role.DEVELOPER, actor="root")
        yield server


def typed(page: Page, *texts: str) -> None:
    """Type into one field after the other, from the one with the focus on, and send the form."""
    for number, text in enumerate(texts):
        if number:
            page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Enter")


def serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [item["id"] for item in found if item["impact"] in {"serious", "critical"}]


def test_from_the_link_to_another_password_by_keyboard_and_without_a_script(
    browser: Browser, server: ConsoleServer
) -> None:
    code, _ = server.platform.people.passwords.make_link("maria", actor="root")
    with browser.new_context(base_url=server.url, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"/service-center/set-password?code={code}")
        page.get_by_label("New password", exact=True).focus()
        typed(page, FIRST, FIRST)
        expect(page.get_by_role("status")).to_contain_text("Your password is set")
        expect(page.get_by_label("User name")).to_be_focused()
        typed(page, "maria", "not the password")
        expect(page.get_by_role("alert")).to_contain_text("do not fit together")
        page.get_by_label("Password").focus()
        typed(page, FIRST)
        expect(page.get_by_text("maria")).not_to_have_count(0)
        page.goto("/service-center/credentials")
        page.get_by_role("link", name="Change your password").click()
        page.get_by_label("Old password").focus()
        typed(page, FIRST, SECOND, SECOND)
        expect(page.get_by_role("status")).to_contain_text("Your password is changed.")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("User name").focus()
        typed(page, "maria", SECOND)
        expect(page).to_have_url(f"{server.url}/service-center/")


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_a_link_can_be_read_by_everybody(
    browser: Browser, server: ConsoleServer, width: int, scheme: str
) -> None:
    code, _ = server.platform.people.passwords.make_link("maria", actor="root")
    viewport = {"width": width, "height": 800}
    with browser.new_context(base_url=server.url, viewport=viewport, color_scheme=scheme) as context:  # type: ignore[arg-type]
        page = context.new_page()
        for path in (f"/service-center/set-password?code={code}", f"{SIGN_IN}?why=code"):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            assert serious(page) == []
