"""Every page of the console in a real browser: at three widths, light and dark, with and without the script.

A page is opened once, and looked at as it changes. A view with a part in its path has an example in ``EXAMPLES``.
"""

import re
import time
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from console_server import LICENSING, MODULES, OVERVIEW, SIGN_IN, USAGE, ConsoleServer, running
from console_states import hostile, rich
from placet.web.console.views import VIEWS

pytestmark = pytest.mark.browser

WIDTHS = (360, 768, 1440)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
UNITS = f"{USAGE}/software_units?holder=module-0&unused=1"
PLACES = ("target-size", "scrollable-region-focusable")
COLOURS = ("color-contrast",)
RULES: dict[tuple[int, str], tuple[str, ...] | None] = {
    (360, "light"): None,
    (360, "dark"): COLOURS,
    (768, "light"): PLACES,
    (768, "dark"): (),
    (1440, "light"): (*PLACES, *COLOURS),  # where the navigation stands beside
    (1440, "dark"): COLOURS,
}
"""What axe looks at anew, since no more than that changes: the colours with the theme, what has room with the width."""
EXAMPLES: dict[str, str] = {f"{USAGE}/{{name:str}}": UNITS}
PAGES = [EXAMPLES.get(view.path, view.path) for view in VIEWS]
PAGES += [f"{USAGE}/{name}?unused=1&range=1y" for name in ("users", "private_instances", "test_queries")]
PUBLIC = [SIGN_IN, "/problems/", "/problems/over_limit", "/problems/nope"]

CONTENT = """() => {
  const wanted = document.querySelectorAll("main :is(h1, h2, h3, th, td, label, a, button, dt, dd, summary)");
  // Each page is another browser's, with a session of its own.
  const apart = "[data-filter], [data-copy], [data-of-session]";
  const added = element => element.closest(apart) || element.querySelector("[data-countdown]")
    || element.matches("[data-countdown]");
  const said = element => {
    const copy = element.cloneNode(true);
    copy.querySelectorAll("time").forEach(time => time.remove());  // a front-end has beaten since
    return copy.textContent.trim();
  };
  return [...wanted].filter(element => !added(element)).map(said);
}"""
FINISHED = "() => document.getAnimations().forEach(animation => animation.finish())"


class Watched(msgspec.Struct):
    """A page, and what it asked for and said while it was open."""

    page: Page
    asked: list[str]
    said: list[str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    with running(tmp_path_factory.mktemp("rich") / "data") as server:
        rich(server)
        yield server


@pytest.fixture(scope="module")
def hostile_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    with running(tmp_path_factory.mktemp("hostile") / "data") as server:
        hostile(server)
        yield server


def signed_in(browser: Browser, server: ConsoleServer, **options: Any) -> BrowserContext:
    context = browser.new_context(base_url=server.url, **options)
    context.request.get(f"{SIGN_IN}?code={server.code()}")
    return context


@pytest.fixture(scope="module")
def watched(browser: Browser, server: ConsoleServer) -> Iterator[Watched]:
    with signed_in(browser, server) as context:
        yield watch(context)


@pytest.fixture(scope="module")
def without_script(browser: Browser, server: ConsoleServer, watched: Watched) -> Iterator[Page]:
    """A page without JavaScript, in the same session."""
    session = watched.page.context.storage_state()
    options: dict[str, Any] = {"java_script_enabled": False, "storage_state": session}
    with browser.new_context(base_url=server.url, **options) as context:
        yield context.new_page()


def watch(context: BrowserContext) -> Watched:
    found = Watched(context.new_page(), [], [])
    found.page.on("request", lambda request: found.asked.append(request.url))
    found.page.on("console", lambda message: found.said.append(f"{message.type}: {message.text}"))
    found.page.on("pageerror", lambda error: found.said.append(f"error: {error}"))
    return found


def overflow(page: Page) -> int:
    """How many pixels a page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def findings(page: Page, rules: tuple[str, ...] | None) -> list[str]:
    """What axe finds that is serious or critical, by all its rules (``None``; this comes first) or by some of them."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules is not None:
        options["runOnly"] = {"type": "rule", "values": rules}
    axe = Axe() if rules is None else Axe("void 'it is in the page already'")
    found = axe.run(page, options=options).response["violations"]
    return [
        f"{item['id']}: {node['html'][:120]} {node['failureSummary']}"
        for item in found
        if item["impact"] in {"serious", "critical"}
        for node in item["nodes"]
    ]


def see_everything(watched: Watched, server: ConsoleServer, path: str) -> None:
    """Look at a page at every width, light and dark; with axe at all of it once, then at what a change may break."""
    open_page(watched, path)
    for width in WIDTHS:
        watched.page.set_viewport_size({"width": width, "height": 900})
        assert overflow(watched.page) <= 0, (path, width)
        for scheme in SCHEMES:
            watched.page.emulate_media(color_scheme=scheme)
            watched.page.evaluate(FINISHED)
            rules = RULES[width, scheme]
            assert rules == () or findings(watched.page, rules) == [], (path, width, scheme)
    see_that_it_was_quiet(watched, server, path)


def open_page(watched: Watched, path: str) -> None:
    """Open a page at the smallest width, and all that can be unfolded in it."""
    watched.asked.clear()
    watched.said.clear()
    watched.page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    watched.page.goto(path, wait_until="load")
    for summary in watched.page.locator("main summary").all():
        summary.click()


def see_that_it_was_quiet(watched: Watched, server: ConsoleServer, path: str) -> None:
    """Nothing was asked of another host, and the browser complained of nothing but an expected 404."""
    assert [text for text in watched.said if "404" not in text or path not in PUBLIC] == []
    assert [url for url in watched.asked if not url.startswith(f"{server.url}/")] == []


@pytest.mark.parametrize("path", [*PAGES, "/service-center/password", *PUBLIC])
def test_a_page_is_whole_at_every_width_light_and_dark(watched: Watched, server: ConsoleServer, path: str) -> None:
    assert "{" not in path, f"{path}: name an example of it in EXAMPLES"
    see_everything(watched, server, path)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_says_the_same_without_the_script(watched: Watched, without_script: Page, path: str) -> None:
    watched.page.goto(path)
    without_script.goto(path)
    content = without_script.evaluate(CONTENT)
    assert content == watched.page.evaluate(CONTENT)
    assert len(content) > 2


@pytest.fixture(scope="module")
def watched_hostile(browser: Browser, hostile_server: ConsoleServer) -> Iterator[Watched]:
    with signed_in(browser, hostile_server) as context:
        yield watch(context)


@pytest.mark.parametrize("path", [*PAGES, *PUBLIC])
def test_hostile_names_are_text(watched_hostile: Watched, hostile_server: ConsoleServer, path: str) -> None:
    page = watched_hostile.page
    open_page(watched_hostile, path)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert overflow(page) <= 0, width
    assert "evil" not in page.title()
    assert page.evaluate("document.querySelectorAll('main script, main img, main iframe').length") == 0
    see_that_it_was_quiet(watched_hostile, hostile_server, path)


def test_the_navigation_opens_without_a_script_and_stands_beside_where_there_is_room(without_script: Page) -> None:
    page = without_script
    page.set_viewport_size({"width": 360, "height": 700})
    page.goto(OVERVIEW)
    navigation = page.get_by_role("navigation", name="Service Center")
    expect(navigation).to_be_hidden()
    page.get_by_role("button", name="Menu").focus()
    page.keyboard.press("Enter")
    expect(navigation).to_be_visible()
    expect(navigation.get_by_role("link", name="Overview")).to_have_attribute("aria-current", "page")
    page.keyboard.press("Escape")
    expect(navigation).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    navigation.get_by_role("link", name="Usage").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Usage")
    page.set_viewport_size({"width": 1440, "height": 700})
    expect(navigation).to_be_visible()
    expect(page.get_by_role("button", name="Menu")).to_be_hidden()


def test_a_table_is_filtered(watched: Watched) -> None:
    page = watched.page
    page.goto(MODULES)
    page.get_by_label("Filter").fill("MODULE-1")
    expect(page.locator("#modules-table tbody tr:visible")).to_have_count(2)  # module-1 and module-10
    expect(page.get_by_role("status")).to_have_text("2 of 11 shown")
    page.get_by_label("Filter").fill("")
    expect(page.locator("#modules-table tbody tr:visible")).to_have_count(11)


def test_a_file_is_dropped_onto_the_form(watched: Watched, server: ConsoleServer) -> None:
    page = watched.page
    page.goto(LICENSING)
    form = page.locator("form.upload")
    text = server.a_license(jti="L-7", sequence=7).decode()
    carried = page.evaluate_handle(
        "text => { const data = new DataTransfer(); data.items.add(new File([text], 'x.license')); return data; }", text
    )
    form.dispatch_event("dragenter", {"dataTransfer": carried})
    expect(form).to_have_class(re.compile("dropping"))
    form.dispatch_event("drop", {"dataTransfer": carried})
    expect(form).not_to_have_class(re.compile("dropping"))
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("heading", name="What this license would change")).to_be_visible()


def test_the_serial_number_is_copied(browser: Browser, server: ConsoleServer) -> None:
    with signed_in(browser, server, permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        page.goto(OVERVIEW)
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == server.serial_number


def test_expiry_is_counted_down_by_the_servers_clock(watched: Watched) -> None:
    watched.page.goto(OVERVIEW)
    told = watched.page.locator("[data-countdown]").first
    expect(told).to_have_text(re.compile(r"^(20 days left|19 days, 23 hours left)$"))


def test_a_page_follows_what_changes_and_keeps_what_is_open(watched: Watched, server: ConsoleServer) -> None:
    page = watched.page
    page.goto(USAGE)
    page.locator("#holders-users summary").click()
    with page.expect_response(lambda answer: answer.url.endswith("/live")):
        page.reload()
    page.locator("#holders-users summary").click()
    page.locator("h1").click()
    before = time.monotonic()
    server.platform.people.deactivate("li", actor="ada")
    expect(page.get_by_text("3 of 5 Users")).to_be_visible(timeout=10_000)
    assert time.monotonic() - before < 10
    expect(page.locator("#holders-users")).to_have_attribute("open", "")


def test_a_page_that_nobody_sees_follows_nothing_until_it_is_seen_again(
    watched: Watched, server: ConsoleServer
) -> None:
    page = watched.page
    page.goto(OVERVIEW)
    seen = "hidden => { Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden}); "
    seen += "document.dispatchEvent(new Event('visibilitychange')); }"
    page.evaluate(seen, True)
    server.platform.people.deactivate("amara", actor="ada")
    count = sum(url.endswith("/live") for url in watched.asked)
    page.evaluate(seen, False)
    expect(page.locator(".figures")).to_contain_text("3 deactivated")
    assert sum(url.endswith("/live") for url in watched.asked) == count + 1
