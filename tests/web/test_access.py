"""Which requests come from this site's own pages."""

from typing import Any

import pytest
from litestar.connection import ASGIConnection

from placet.web.access import is_from_own_site


def a_request(**headers: str) -> ASGIConnection[Any, Any, Any, Any]:
    told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return ASGIConnection({"type": "http", "method": "POST", "path": "/", "headers": told})  # type: ignore[arg-type,typeddict-item]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://127.0.0.1:8000", "host": "127.0.0.1:8000"},
        {"origin": "https://center.example", "host": "center.example"},  # TLS ended before the request came here
        {"origin": "https://center.example", "host": "Center.Example"},
        {"origin": "http://[::1]:8000", "host": "[::1]:8000", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "same-origin", "host": "center.example"},
    ],
)
def test_a_page_of_this_site(headers: dict[str, str]) -> None:
    assert is_from_own_site(a_request(**headers))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "center.example"},
        {"host": "center.example", "sec_fetch_site": "cross-site"},
        {"host": "center.example", "sec_fetch_site": "same-site"},
        {"host": "center.example", "sec_fetch_site": "none"},
        {"host": "center.example", "origin": "https://evil.example", "sec_fetch_site": "same-origin"},
        {"host": "center.example", "origin": "https://center.example:444"},
        {"host": "center.example", "origin": "https://center.example.evil.example"},
        {"host": "center.example", "origin": "https://evil@center.example"},
        {"host": "center.example", "origin": "https://center.example/"},
        {"host": "center.example", "origin": "center.example"},
        {"host": "center.example", "origin": "file://center.example"},
        {"host": "center.example", "origin": ""},
        {"host": "center.example", "origin": "http://["},
        {"host": "center.example", "origin": "x" * 10_000},
        {"host": "", "origin": "null"},
        {"host": "", "origin": "https://"},
        {"origin": "https://"},
    ],
)
def test_any_other_page(headers: dict[str, str]) -> None:
    assert not is_from_own_site(a_request(**headers))
