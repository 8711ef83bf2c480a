"""The stylesheet and the icon: kept by browsers for as long as they are the same."""

import httpx2

from console_server import SIGN_IN, Document


def test_pages_name_their_stylesheet_by_its_content(stranger: httpx2.Client) -> None:
    page = Document(stranger.get(SIGN_IN).text)
    url = page.one("link", rel="stylesheet").attributes["href"]
    answer = stranger.get(url)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "http" not in answer.text
    assert "@import" not in answer.text
    icon = stranger.get(page.one("link", rel="icon").attributes["href"])
    assert icon.headers["content-type"] == "image/svg+xml"


def test_without_the_hash_the_browser_asks_again_and_is_told_it_is_the_same(stranger: httpx2.Client) -> None:
    answer = stranger.get("/service-center/static/placet.css")
    assert answer.headers["cache-control"] == "no-cache"
    etag = answer.headers["etag"]
    for held in (etag, f'"other", W/{etag}', "*"):
        again = stranger.get("/service-center/static/placet.css", headers={"If-None-Match": held})
        assert again.status_code == 304
        assert again.content == b""
    changed = stranger.get("/service-center/static/placet.css", headers={"If-None-Match": '"other"'})
    assert changed.status_code == 200


def test_there_are_no_other_files(stranger: httpx2.Client) -> None:
    for name in ("nope.css", "..%2f__init__.py", "%2e%2e", "x" * 3000):
        assert stranger.get(f"/service-center/static/{name}").status_code == 404
