"""Cleaning up by keyboard alone, without a script: which modules nobody uses, all but one of them, gone."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import update

from builders import DAY, NOW, limit
from console_server import SIGN_IN, USAGE, running
from placet.store.schema import modules

pytestmark = pytest.mark.browser


def test_clean_up_by_keyboard_alone(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        server.install(features={"software_units": limit(10)})
        for name, units in (("kept", 4), ("gone", 3), ("used", 2)):
            server.publish(name, units)
        with server.guard.database.write() as connection:
            old = modules.c.name != "used"
            connection.execute(update(modules).where(old).values(changed_at=NOW - 200 * DAY))
        context = browser.new_context(
            base_url=server.url, java_script_enabled=False, viewport={"width": 360, "height": 800}
        )
        page = context.new_page()
        page.goto(f"{SIGN_IN}?code={server.code()}")
        page.goto(f"{USAGE}/software_units")
        expect(page.get_by_text("9 of 10 Software Units")).to_be_visible()

        page.get_by_label("Not used for").focus()
        page.keyboard.press("Control+A")
        page.keyboard.type("180")
        page.keyboard.press("Enter")
        expect(page.get_by_role("checkbox", name="used", exact=True)).to_have_count(0)
        expect(page.get_by_text("Nothing has been changed yet.")).to_be_visible()
        page.get_by_role("checkbox", name="gone", exact=True).focus()
        for key in ("Tab", "Space", "Tab"):
            page.keyboard.press(key)
        expect(page.get_by_role("checkbox", name="kept", exact=True)).not_to_be_checked()
        expect(page.get_by_role("button", name="Delete the chosen modules")).to_be_focused()
        page.keyboard.press("Enter")

        expect(page.get_by_text("1 module deleted; 3 Software Units given back.")).to_be_visible()
        expect(page.get_by_text("6 of 10 Software Units")).to_be_visible()
        context.close()
