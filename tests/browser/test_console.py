"""What is done in the Service Center, in a real browser: without JavaScript, light and dark, by keyboard alone."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from builders import DAY, NOW, OTHER_SERIAL, limit, numeric, switch
from console_server import LICENSING, MODULES, OVERVIEW, SIGN_IN, USAGE, ConsoleServer, running
from placet.guard import Queued
from placet.license import Enforcement, Grant
from placet.store.credentials import Role

pytestmark = pytest.mark.browser

SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]
FEATURES = {"software_units": limit(20, 10), "users": limit(5), "run": switch()}
MESSAGE = (
    "This server is consuming more resources than allowed by its license. Either the license contract must be changed "
    "or the features usage decreased"
)
NAMED = re.compile(r"\S")
HOSTILE = "<script>document.title='evil'</script>\u202e" + "W" * 150


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ConsoleServer]:
    with running(tmp_path / "data") as server:
        yield server


def use_up(server: ConsoleServer) -> None:
    """Let all that the overview tells of seats and meters be there."""
    server.guard.lease("private_instances", HOSTILE, timedelta(minutes=5))
    with pytest.raises(Queued):
        server.guard.lease("private_instances", f"{HOSTILE}2", timedelta(minutes=5), queue=True)
    server.guard.take_block("test_queries", 10**9, holder=HOSTILE)


@contextmanager
def a_page(browser: Browser, server: ConsoleServer, width: int = 1280, **options: Any) -> Iterator[Page]:
    """A page without JavaScript, which asks nobody but this server for anything and logs no error."""
    context = browser.new_context(
        base_url=server.url, java_script_enabled=False, viewport={"width": width, "height": 900}, **options
    )
    page = context.new_page()
    asked: list[str] = []
    told: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    try:
        yield page
        assert [url for url in asked if not url.startswith(f"{server.url}/")] == []
        assert [text for text in told if "Content Security Policy" in text or "blocked" in text] == []
    finally:
        context.close()


def sign_in(page: Page, server: ConsoleServer, role: Role = Role.ADMINISTRATOR) -> None:
    page.goto(f"{SIGN_IN}?code={server.code(role)}")
    assert page.url == f"{server.url}{OVERVIEW}"


def overflow(page: Page) -> int:
    """How many pixels a page is wider than the window."""
    session = page.context.new_cdp_session(page)
    metrics = session.send("Page.getLayoutMetrics")
    session.detach()
    return round(metrics["cssContentSize"]["width"] - metrics["cssLayoutViewport"]["clientWidth"])


def contrasts(page: Page) -> list[str]:
    """The texts whose contrast to what is behind them is below 4.5 (WCAG 2.2, 1.4.3)."""
    return list(page.evaluate(CONTRAST))


CONTRAST = """() => {
  const channel = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = parts(getComputedStyle(element).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("main *, header *")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || element.closest("svg")) continue;
    const [a, b] = [luminance(parts(getComputedStyle(element).color)), luminance(behind(element))];
    if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5) low.push(element.textContent.trim().slice(0, 60));
  }
  return low;
}"""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_everything_written_can_be_read(
    browser: Browser, server: ConsoleServer, scheme: Literal["light", "dark"]
) -> None:
    server.install(features=FEATURES)
    server.publish("orders", 22)
    fewer = {"software_units": limit(10, 10), "private_instances": Grant(kind="seats", limit=1)}
    per_feature = Enforcement.PER_FEATURE
    server.install(jti="L-2", sequence=2, features=fewer, exp=numeric(NOW + 9 * DAY), enforcement=per_feature)
    use_up(server)
    with a_page(browser, server, color_scheme=scheme) as page:
        sign_in(page, server)
        for path in (USAGE, MODULES, LICENSING):
            page.goto(path)
            for summary in page.locator("summary").all():
                summary.click()
            assert contrasts(page) == []
        page.set_input_files("#license-file", {"name": "x", "mimeType": "text/plain", "buffer": server.a_license()})
        page.get_by_role("button", name="Check").click()
        for path in (None, OVERVIEW, SIGN_IN, "/problems/", "/problems/over_limit"):
            if path is not None:
                page.goto(path)
            assert contrasts(page) == []


def test_sign_in_by_link_upload_and_see_the_state_change(
    browser: Browser, server: ConsoleServer, tmp_path: Path
) -> None:
    file = tmp_path / "license.json"
    file.write_bytes(server.a_license(features=FEATURES))
    with a_page(browser, server) as page:
        code = server.code()
        page.goto(f"{SIGN_IN}?code={code}")
        assert page.url == f"{server.url}{OVERVIEW}"
        expect(page.get_by_role("alert")).to_have_text("No license was found for this server")
        expect(page.locator("[data-state]")).to_have_text("No license")

        page.get_by_role("link", name="Get a license, and install it").click()
        page.get_by_label("License file").set_input_files(file)
        page.get_by_role("button", name="Check").click()
        result = page.get_by_role("region", name="What this license would change")
        expect(result).to_be_visible()
        expect(result.get_by_role("row", name="Software Units")).to_contain_text("gained")
        expect(page.locator("[data-state]")).to_have_text("No license")

        page.get_by_role("button", name="Install this license").click()
        expect(page.get_by_role("heading", name="The license is installed")).to_be_visible()
        expect(page.locator("[data-state]")).to_have_text("License active")
        expect(page.get_by_role("alert")).to_have_count(0)
        page.get_by_role("link", name="Back to the license").click()
        assert page.url == f"{server.url}{LICENSING}"
        page.goto(OVERVIEW)
        expect(page.get_by_role("meter", name="Software Units")).to_have_attribute("aria-valuemax", "22")
        page.goto(f"{SIGN_IN}?code={code}")
        expect(page.get_by_role("alert")).to_contain_text("This one-time link does not work any more.")


def test_what_would_be_blocked_is_acknowledged_with_the_box(browser: Browser, server: ConsoleServer) -> None:
    server.install(features=FEATURES)
    server.publish("orders", 12)
    smaller = server.a_license(jti="L-2", sequence=2, features={"software_units": limit(5)})
    with a_page(browser, server) as page:
        sign_in(page, server)
        page.goto(LICENSING)
        page.set_input_files("#license-file", {"name": "license.json", "mimeType": "text/plain", "buffer": smaller})
        page.get_by_role("button", name="Install", exact=True).click()
        told = page.locator("[data-code=acknowledgement_required]")
        expect(told).to_have_text(
            "The license was not installed because operations that are allowed now would be refused. Acknowledge this "
            "to install it"
        )
        page.locator("#acknowledge-checked").check()
        page.get_by_role("button", name="Install this license").click()
        expect(page.get_by_role("alert")).to_have_text(MESSAGE)
        page.goto(OVERVIEW)
        expect(page.get_by_text("over the limit", exact=True)).to_be_visible()


def test_a_license_of_another_server_is_refused(browser: Browser, server: ConsoleServer) -> None:
    wrong = server.a_license(serial_number=OTHER_SERIAL)
    with a_page(browser, server, 360) as page:
        sign_in(page, server)
        page.goto(LICENSING)
        page.set_input_files("#license-file", {"name": "license.json", "mimeType": "text/plain", "buffer": wrong})
        page.get_by_role("button", name="Check").click()
        expect(page.locator("[data-code=wrong_server]")).to_have_text(
            "The license found is not valid for this server because it was issued to a server with serial number "
            f"'{OTHER_SERIAL}'"
        )
        assert overflow(page) <= 0


def test_a_file_that_is_far_too_large_is_answered_with_a_page(browser: Browser, server: ConsoleServer) -> None:
    with a_page(browser, server) as page:
        sign_in(page, server)
        page.goto(LICENSING)
        huge = {"name": "license.json", "mimeType": "text/plain", "buffer": b"x" * (6 * 1024 * 1024)}
        page.set_input_files("#license-file", huge)
        page.get_by_role("button", name="Check").click()
        expect(page.locator("[data-code=request_too_large]")).to_contain_text("The file is larger than 256 KiB")


def test_by_keyboard_alone(browser: Browser, server: ConsoleServer, tmp_path: Path) -> None:
    file = tmp_path / "license.json"
    file.write_bytes(server.a_license(features=FEATURES))
    with a_page(browser, server) as page:
        page.goto(SIGN_IN)
        expect(page.get_by_label("User name")).to_be_focused()
        tab_to(page, page.locator("summary"))
        page.keyboard.press("Enter")
        tab_to(page, page.get_by_label("One-time code or token"))
        page.keyboard.type(server.code())
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{OVERVIEW}")

        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()

        tab_to(page, page.get_by_role("link", name="Get a license, and install it"))
        page.keyboard.press("Enter")
        page.get_by_label("License file").set_input_files(file)
        tab_to(page, page.get_by_role("button", name="Check"))
        page.keyboard.press("Enter")
        expect(page.locator("#result")).to_be_focused()
        tab_to(page, page.get_by_role("button", name="Install this license"))
        page.keyboard.press("Space")
        expect(page.get_by_role("heading", name="The license is installed")).to_be_visible()

        tab_to(page, page.get_by_role("button", name="Sign out"))
        page.keyboard.press("Enter")
        expect(page.get_by_text("You are signed out.")).to_be_visible()


def tab_to(page: Page, target: Any) -> None:
    """Press Tab until the target has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.locator("*:focus").count() and target.and_(page.locator("*:focus")).count():
            expect(target).to_be_in_viewport()
            return
    pytest.fail("The target cannot be reached with the Tab key.")


def test_every_control_has_a_name_and_every_page_one_heading(browser: Browser, server: ConsoleServer) -> None:
    server.install(features=FEATURES)
    server.publish("orders", 12)
    with a_page(browser, server) as page:
        sign_in(page, server)
        for path in (OVERVIEW, LICENSING, USAGE, MODULES, SIGN_IN, "/problems/", "/problems/expired", "/problems/nope"):
            page.goto(path)
            assert page.get_by_role("heading", level=1).count() == 1
            assert page.get_by_role("main").count() == 1
            for role in ("button", "link", "textbox", "checkbox", "meter", "region"):
                named = page.get_by_role(role, name=NAMED).count()  # type: ignore[arg-type]
                assert page.get_by_role(role).count() == named  # type: ignore[arg-type]


def test_somebody_not_signed_in_comes_to_sign_in(browser: Browser, server: ConsoleServer) -> None:
    with a_page(browser, server) as page:
        page.goto(OVERVIEW)
        expect(page.get_by_role("status")).to_contain_text("Sign in first.")
        page.locator("summary").click()
        page.get_by_label("One-time code or token").fill("wrong")
        page.get_by_role("button", name="Sign in with it").click()
        expect(page.get_by_role("alert")).to_contain_text("That is no code or token in force.")
        page.get_by_label("One-time code or token").fill(server.token(Role.DEVELOPER))
        page.get_by_role("button", name="Sign in with it").click()
        assert page.url == f"{server.url}{OVERVIEW}"
        expect(page.get_by_text("Ask your Service Center administrator.")).to_be_visible()
