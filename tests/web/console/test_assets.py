"""The stylesheets, the script and the icon: kept by browsers for as long as they are the same."""

import re

import httpx2
import pytest

from console_server import SIGN_IN, Document
from placet.web.console.assets import ASSETS


def test_pages_name_their_files_by_their_content(stranger: httpx2.Client) -> None:
    page = Document(stranger.get(SIGN_IN).text)
    for sheet in page.all("link", rel="stylesheet"):
        see_that_it_is_kept(stranger.get(sheet.attributes["href"]), "text/css")
    see_that_it_is_kept(stranger.get(page.one("script").attributes["src"]), "text/javascript")
    icon = stranger.get(page.one("link", rel="icon").attributes["href"])
    assert icon.headers["content-type"] == "image/svg+xml"


def see_that_it_is_kept(answer: httpx2.Response, media_type: str) -> None:
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    for foreign in ("http://", "https://", "@import", "import "):
        assert foreign not in answer.text


def test_without_the_hash_the_browser_asks_again_and_is_told_it_is_the_same(stranger: httpx2.Client) -> None:
    answer = stranger.get("/service-center/static/theme.css")
    assert answer.headers["cache-control"] == "no-cache"
    etag = answer.headers["etag"]
    for held in (etag, f'"other", W/{etag}', "*"):
        again = stranger.get("/service-center/static/theme.css", headers={"If-None-Match": held})
        assert again.status_code == 304
        assert again.content == b""
    changed = stranger.get("/service-center/static/theme.css", headers={"If-None-Match": '"other"'})
    assert changed.status_code == 200


def test_there_are_no_other_files(stranger: httpx2.Client) -> None:
    for name in ("nope.css", "..%2f__init__.py", "%2e%2e", "x" * 3000):
        assert stranger.get(f"/service-center/static/{name}").status_code == 404


def palettes() -> dict[str, dict[str, str]]:
    """The colours of the stylesheet by name, light and dark."""
    css = ASSETS["theme.css"].content.decode()
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    found = {
        name: dict(re.findall(r"--([\w-]+): (#\w{6});", text)) for name, text in [("light", light), ("dark", dark)]
    }
    assert found["light"].keys() == found["dark"].keys()
    return found


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_enough_contrast(scheme: str) -> None:
    colours = palettes()[scheme]
    grounds = ("paper", "sheet", "sunken", "accent-soft", "error-soft", "warning-soft")
    texts = [(text, ground) for text in ("ink", "soft", "accent", "error", "warning") for ground in grounds]
    assert {pair for pair in [*texts, ("on-accent", "accent")] if _between(colours, pair) < 4.5} == set()  # 1.4.3
    parts = [("edge", "paper"), ("edge", "sheet"), ("accent", "sunken"), ("error", "error-soft"), ("mark", "sheet")]
    assert {pair for pair in parts if _between(colours, pair) < 3} == set()  # 1.4.11


def _between(colours: dict[str, str], pair: tuple[str, str]) -> float:
    return contrast(colours[pair[0]], colours[pair[1]])
