from typing import Any

import pytest

from placet.platform.proxy_headers import any_token, for_client, for_module, target


def scope(*headers: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    return {"headers": list(headers), "scheme": "https", "client": ("203.0.113.9", 1), "path": "/apps/a/"} | more


def passed(*headers: tuple[bytes, bytes], **options: Any) -> list[tuple[bytes, bytes]]:
    found = for_module(scope(*headers), "/apps/a", options.get("is_own_token", any_token))
    return [(name, value) for name, value in found if not name.startswith((b"x-forwarded-", b"forwarded"))]


@pytest.mark.parametrize(
    ("received", "kept"),
    [
        (b"placet_session=secret", None),
        (b"a=1; placet_session=secret; b=2", b"a=1; b=2"),
        (b"placet_session=secret; b=2", b"b=2"),
        (b"a=1;placet_session=secret", b"a=1"),
        (b" placet_session =secret; a=1", b"a=1"),
        (b"__Host-placet_session=secret; a=1", b"a=1"),
        (b"placet_openid=secret; a=1; __Host-placet_openid=secret", b"a=1"),
        (b"a=placet_session; xplacet_session=1", b"a=placet_session; xplacet_session=1"),
        (b"placet_session=one; placet_session=two", None),
        (b"odd;;  spacing = kept", b"odd;;  spacing = kept"),
    ],
)
def test_the_session_cookie_is_taken_out_and_others_stay_as_they_are(received: bytes, kept: bytes | None) -> None:
    assert passed((b"Cookie", received)) == ([] if kept is None else [(b"cookie", kept)])


@pytest.mark.parametrize(
    ("value", "stays"),
    [
        (b"Bearer secret", False),
        (b"bearer  secret", False),
        (b"Basic dXNlcjpwdw==", True),
        (b"Bearer other", True),
        (b"Token secret", True),
    ],
)
def test_the_servers_tokens_are_not_passed_on(value: bytes, stays: bool) -> None:
    found = passed((b"authorization", value), is_own_token=lambda token: token == "secret")
    assert found == ([(b"authorization", value)] if stays else [])


def test_by_default_no_bearer_token_is_passed_on() -> None:
    assert passed((b"authorization", b"Bearer other")) == []


def test_hop_by_hop_headers_end_here_both_ways() -> None:
    hop = [(name, b"x") for name in (b"Keep-Alive", b"TE", b"Trailer", b"Upgrade", b"Proxy-Authorization", b"Secret")]
    received = [*hop, (b"Connection", b"close, Secret"), (b"Accept", b"*/*"), (b"Accept", b"text/html")]
    assert passed(*received) == [(b"accept", b"*/*"), (b"accept", b"text/html")]
    assert for_client(received) == [(b"accept", b"*/*"), (b"accept", b"text/html")]


def test_repeated_cookies_stay_repeated_and_the_session_cannot_be_set() -> None:
    answered = [(b"Set-Cookie", b"a=1; Path=/"), (b"set-cookie", b"placet_session=x"), (b"Set-Cookie", b"b=2")]
    assert for_client(answered) == [(b"set-cookie", b"a=1; Path=/"), (b"set-cookie", b"b=2")]


def test_what_a_client_claims_about_proxies_is_replaced() -> None:
    claims = [(b"X-Forwarded-For", b"1.1.1.1"), (b"Forwarded", b"for=1.1.1.1"), (b"X-Real-IP", b"1.1.1.1")]
    headers = dict(for_module(scope(*claims, (b"host", b"example.org")), "/apps/a", any_token))
    assert headers == {
        b"host": b"example.org",
        b"x-forwarded-proto": b"https",
        b"x-forwarded-host": b"example.org",
        b"x-forwarded-prefix": b"/apps/a",
        b"x-forwarded-for": b"203.0.113.9",
        b"forwarded": b"for=203.0.113.9;proto=https;host=example.org",
    }


@pytest.mark.parametrize(
    ("client", "host", "said"),
    [
        (("2001:db8::1", 4711), b"example.org:8000", b'for="[2001:db8::1]";proto=https;host="example.org:8000"'),
        (None, b"", b"for=unknown;proto=https"),
        (("203.0.113.9", 1), b'a";for=evil', rb'for=203.0.113.9;proto=https;host="a\";for=evil"'),
    ],
)
def test_the_standard_header_says_the_same(client: Any, host: bytes, said: bytes) -> None:
    asked = scope(*([(b"host", host)] if host else [])) | {"client": client}
    assert dict(for_module(asked, "/apps/a", any_token))[b"forwarded"] == said


def test_a_length_beside_chunks_is_a_lie() -> None:
    received = [(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"5")]
    assert passed(*received) == [(b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"/apps/a/", b"/"),
        (b"/apps/a", b"/"),
        (b"/apps/a/x%2Fy", b"/x%2Fy"),
        (b"/%61pps/%61/x", b"/x"),
        (b"//apps//a//x", b"//x"),
        (b"/apps/a/../../service-center", b"/../../service-center"),
        (b"/apps/a/apps/a/x", b"/apps/a/x"),
        (b"/apps/ab/x", None),
        (b"/apps", None),
        (b"/other/a/x", None),
    ],
)
def test_the_prefix_is_taken_off_the_path_as_it_was_sent(raw: bytes, expected: bytes | None) -> None:
    assert target({"raw_path": raw, "path": "unused", "query_string": b""}, "/apps/a") == expected


def test_the_query_goes_along_and_a_path_alone_will_do() -> None:
    assert target({"raw_path": b"/apps/a/x", "query_string": b"a=%20&b"}, "/apps/a") == b"/x?a=%20&b"
    assert target({"path": "/apps/a/ü ?", "query_string": b""}, "/apps/a") == b"/%C3%BC%20%3F"
