"""A provider that lies, is slow or down: what it says is believed only where it proves it, and failures are told."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from placet.platform.openid import Identified, NotIdentified, OpenId
from placet.platform.openid_http import LARGEST_ANSWER, ProviderClient, ProviderFailed
from placet.platform.openid_settings import OpenIdSettings
from store_support import threads

KEY = RSAKey.generate_key(2048, {"kid": "1", "use": "sig"})
OTHERS = RSAKey.generate_key(2048, {"kid": "1", "use": "sig"})
NOW = 1_800_000_000
BACK = "https://placet.example/service-center/sign-in/openid/return"


class Liar:
    """A provider whose every answer a test may change; it tells the truth else. A claim of ``None`` is left out."""

    def __init__(self, address: str) -> None:
        self.issuer = address
        self.description: dict[str, Any] = {
            "issuer": address,
            **{name: f"{address}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")},
        }
        self.keys: list[Mapping[str, Any]] = [KEY.as_dict(private=False)]
        self.claims: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode(
            {"alg": "RS256", "kid": "1"}, claims, KEY
        )
        self.answers: dict[str, Callable[[], tuple[int, bytes]]] = {}
        self.nonce = ""
        self.asked: list[tuple[str, dict[str, list[str]], str]] = []
        self.settings = OpenIdSettings(issuer=address, client_id="placet", client_secret="of placet: +/&", title="Acme")

    def answer(self, path: str, form: str, authorization: str) -> tuple[int, bytes]:
        self.asked.append((path, parse_qs(form), authorization))
        if path in self.answers:
            return self.answers[path]()
        if path == "/.well-known/openid-configuration":
            return 200, json.dumps(self.description).encode()
        if path == "/jwks_uri":
            return 200, json.dumps({"keys": self.keys}).encode()
        truth = {"iss": self.issuer, "aud": "placet", "sub": "4711", "iat": NOW, "exp": NOW + 300}
        claims = truth | {"nonce": self.nonce, "preferred_username": "maria"} | self.claims
        token = self.sign({name: value for name, value in claims.items() if value is not None})
        return 200, json.dumps({"id_token": token, "access_token": "x", "token_type": "Bearer"}).encode()

    def openid(self, seconds: float = 10.0, **changes: Any) -> OpenId:
        settings = OpenIdSettings(
            **({name: getattr(self.settings, name) for name in self.settings.__struct_fields__} | changes)
        )
        return OpenId(settings, client=ProviderClient(settings, timeout_seconds=seconds), clock=lambda: NOW)

    def sign_in(self, openid: OpenId | None = None, **answered: str) -> Identified:
        provider = openid or self.openid()

        async def both() -> Identified:
            address, begun = await provider.begin(BACK)
            query = parse_qs(urlsplit(address).query)
            self.nonce = query["nonce"][0]
            return await provider.end({"code": "a code", "state": begun.state} | answered, begun, BACK)

        return threads.race(1, lambda _: anyio.run(both))[0]  # where Playwright has a loop, none may run


@pytest.fixture
def liar() -> Iterator[Liar]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            status, content = made.answer(self.path, body, self.headers.get("authorization", ""))
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Liar(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def test_the_truth_is_believed(liar: Liar) -> None:
    who = liar.sign_in()
    assert (who.name, who.identity.issuer, who.identity.subject, who.is_administrator) == (
        *("maria", liar.issuer, "4711"),
        None,
    )
    (form,) = [form for path, form, _ in liar.asked if path == "/token_endpoint"]
    assert form.keys() == {"grant_type", "code", "redirect_uri", "code_verifier"}
    assert len(form["code_verifier"][0]) == 43
    (authorization,) = [sent for path, _, sent in liar.asked if path == "/token_endpoint"]
    assert authorization == "Basic cGxhY2V0Om9mK3BsYWNldCUzQSslMkIlMkYlMjY="


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "of another issuer": ({"iss": "https://other.example"}, "is of another issuer"),
    "of no issuer": ({"iss": None}, "is of another issuer"),
    "for another client": ({"aud": "other"}, "is for another client"),
    "for several, not saying whose": ({"aud": ["placet", "other"]}, "is for another client"),
    "for several, given to another": ({"aud": ["placet", "other"], "azp": "other"}, "is for another client"),
    "for nobody": ({"aud": None}, "is for another client"),
    "expired": ({"exp": NOW - 60}, "has expired"),
    "without an end": ({"exp": None}, "has no instant 'exp'"),
    "with an end that is none": ({"exp": "tomorrow"}, "has no instant 'exp'"),
    "with an end that is a truth": ({"exp": True}, "has no instant 'exp'"),
    "of tomorrow": ({"iat": NOW + 86_400}, "is from the future"),
    "not yet in force": ({"nbf": NOW + 86_400}, "is from the future"),
    "of another sign-in": ({"nonce": "another"}, "is not of this sign-in"),
    "of no sign-in": ({"nonce": None}, "is not of this sign-in"),
    "with a nonce that is none": ({"nonce": ["x"]}, "is not of this sign-in"),
    "about nobody": ({"sub": None}, "does not say who it is about"),
    "about a number": ({"sub": 4711}, "does not say who it is about"),
    "about too much": ({"sub": "x" * 256}, "does not say who it is about"),
}


@pytest.mark.parametrize(("claims", "why"), LIES.values(), ids=LIES)
def test_a_token_that_does_not_hold(liar: Liar, claims: dict[str, Any], why: str) -> None:
    liar.claims = claims
    with pytest.raises(ProviderFailed, match=why) as caught:
        liar.sign_in()
    assert "Acme cannot sign you in at the moment" in str(caught.value)
    assert "tell your Platform Server administrator" in str(caught.value)


def unsigned(claims: dict[str, Any]) -> str:
    return (
        ".".join(jwt.encode({"alg": "RS256"}, claims, KEY).split(".")[:2]).replace(
            "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9", "eyJhbGciOiJub25lIn0"
        )
        + "."
    )


FORGED: dict[str, Callable[[dict[str, Any]], str]] = {
    "by another key of that id": lambda claims: jwt.encode({"alg": "RS256", "kid": "1"}, claims, OTHERS),
    "by a key that is not its": lambda claims: jwt.encode({"alg": "RS256", "kid": "2"}, claims, OTHERS),
    "by nobody": unsigned,
    "with the client's secret": lambda claims: jwt.encode(
        {"alg": "HS256", "kid": "1"}, claims, OctKey.import_key("of placet: +/& and more of it")
    ),
    "with the public key as a secret": lambda claims: jwt.encode(
        {"alg": "HS256", "kid": "1"}, claims, OctKey.import_key(KEY.as_dict(private=False)["n"])
    ),
    "with an algorithm of another key": lambda claims: jwt.encode(
        {"alg": "ES256", "kid": "1"}, claims, ECKey.generate_key("P-256")
    ),
    "and changed": lambda claims: jwt.encode({"alg": "RS256", "kid": "1"}, claims, KEY)[:-8] + "AAAAAAAA",
    "not at all": lambda _: "no token",
    "as nothing": lambda _: "",
    "at length": lambda claims: jwt.encode({"alg": "RS256", "kid": "1"}, claims | {"x": "x" * 70_000}, KEY),
}


@pytest.mark.parametrize("sign", FORGED.values(), ids=FORGED)
def test_a_token_that_is_signed_otherwise(liar: Liar, sign: Callable[[dict[str, Any]], str]) -> None:
    liar.sign = sign
    with pytest.raises(ProviderFailed, match="ID token"):
        liar.sign_in()


@pytest.mark.filterwarnings("ignore:Key size")
def test_a_key_says_for_itself_what_it_is_for(liar: Liar) -> None:
    for told in ({"use": "enc"}, {"alg": "RS512"}, {"kty": "oct", "k": "c2VjcmV0"}):
        liar.keys = [KEY.as_dict(private=False) | told, "nonsense", {}]  # type: ignore[list-item]
        with pytest.raises(ProviderFailed, match="none of its keys"):
            liar.sign_in()
    small = RSAKey.generate_key(1024, {"kid": "1"})
    liar.keys, liar.sign = [small.as_dict(private=False)], lambda claims: jwt.encode({"alg": "RS256"}, claims, small)
    with pytest.raises(ProviderFailed, match="none of its keys"):
        liar.sign_in()


def test_a_new_key_is_looked_for_once_more(liar: Liar) -> None:
    openid = liar.openid()
    liar.sign_in(openid)
    new = ECKey.generate_key("P-256", {"kid": "2"})
    liar.keys.append(new.as_dict(private=False))
    liar.sign = lambda claims: jwt.encode({"alg": "ES256", "kid": "2"}, claims, new)
    assert openid._keys is not None
    openid._keys = (openid._keys[0] - 60, openid._keys[1])
    assert liar.sign_in(openid).name == "maria"
    asked = [path for path, _, _ in liar.asked]
    assert (asked.count("/jwks_uri"), asked.count("/.well-known/openid-configuration")) == (2, 1)


@pytest.mark.parametrize(
    ("description", "why"),
    [
        ({"issuer": "https://other.example"}, "it says that it is 'https://other.example'"),
        ({"authorization_endpoint": "http://evil.example/"}, "its sign-in page is missing, or not one over https"),
        ({"authorization_endpoint": None}, "its sign-in page is missing"),
        ({"token_endpoint": "http://192.0.2.1/"}, "its token endpoint is missing, or not one over https"),
        ({"token_endpoint": 7}, "its token endpoint is missing"),
        ({"jwks_uri": "file:///etc/passwd"}, "its key set is missing, or not one over https"),
        ({"authorization_response_iss_parameter_supported": True}, "is not from this provider"),
    ],
)
def test_a_description_that_cannot_be_used(liar: Liar, description: dict[str, Any], why: str) -> None:
    liar.description |= description
    with pytest.raises(ProviderFailed, match=why):
        liar.sign_in()


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token_endpoint", "/jwks_uri"])
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((200, b"<html>"), "no JSON object"),
        ((200, b"[1]"), "no JSON object"),
        ((200, b"[" * 100_000), "no JSON object"),
        ((200, b"\xff" * 10), "no JSON object"),
        ((200, b" " * (LARGEST_ANSWER + 1)), "more than 1,048,576 bytes"),
        ((503, b"{}"), "answered 503"),
        ((302, b"{}"), "answered 302"),
    ],
)
def test_an_answer_that_is_none(liar: Liar, path: str, answer: tuple[int, bytes], why: str) -> None:
    liar.answers[path] = lambda: answer
    with pytest.raises(ProviderFailed, match=why):
        liar.sign_in()


def test_a_provider_that_is_slow_is_waited_for_so_long(liar: Liar) -> None:
    let_go = threading.Event()

    def slow() -> tuple[int, bytes]:
        let_go.wait(30)
        return 200, b"{}"

    liar.answers["/token_endpoint"] = slow
    began = time.monotonic()
    with pytest.raises(ProviderFailed, match=r"its token endpoint did not answer within 0\.3 seconds"):
        liar.sign_in(liar.openid(0.3))
    assert time.monotonic() - began < 10
    let_go.set()


def test_a_provider_that_is_down() -> None:
    openid = OpenId(OpenIdSettings(issuer="http://127.0.0.1:9", client_id="placet"))
    with pytest.raises(ProviderFailed, match="cannot be reached"):
        threads.race(1, lambda _: anyio.run(openid.begin, BACK))


@pytest.mark.parametrize(
    ("answered", "why"),
    [
        ({"state": "another"}, "not the sign-in that this browser began last"),
        ({"state": "é\ud800"}, "not the sign-in that this browser began last"),
        ({"error": "access_denied"}, "you or it said no"),
        ({"error": "<b>call 0800</b>"}, "it answered with an error"),
    ],
)
def test_what_the_browser_brings_back_is_not_what_was_begun(liar: Liar, answered: dict[str, str], why: str) -> None:
    with pytest.raises(NotIdentified, match=why) as caught:
        liar.sign_in(**answered)
    assert "0800" not in str(caught.value)
    assert not [path for path, _, _ in liar.asked if path == "/token_endpoint"]


@pytest.mark.parametrize("answered", [{"iss": "https://other.example"}, {"code": ""}])
def test_an_answer_of_another_provider_or_without_a_code(liar: Liar, answered: dict[str, str]) -> None:
    with pytest.raises(ProviderFailed):
        liar.sign_in(**answered)


@pytest.mark.parametrize(("error", "kind"), [("invalid_grant", NotIdentified), ("server_error", ProviderFailed)])
def test_a_code_that_is_refused(liar: Liar, error: str, kind: type[Exception]) -> None:
    liar.answers["/token_endpoint"] = lambda: (400, json.dumps({"error": error}).encode())
    with pytest.raises(kind):
        liar.sign_in()


@pytest.mark.parametrize(
    ("claim", "claims", "why"),
    [
        ("name", {}, "has no claim 'name'"),
        ("preferred_username", {"preferred_username": ["maria"]}, "has no claim"),
        ("preferred_username", {"preferred_username": "  "}, "has no claim"),
        ("email", {"email": "maria@example.com"}, "is verified"),
        ("email", {"email": "maria@example.com", "email_verified": "true"}, "is verified"),
    ],
)
def test_no_name_that_could_be_used(liar: Liar, claim: str, claims: dict[str, Any], why: str) -> None:
    liar.claims = claims
    with pytest.raises(NotIdentified, match=why):
        liar.sign_in(liar.openid(name_claim=claim))


@pytest.mark.parametrize(
    ("rule", "claims", "found"),
    [
        (("groups", "admins"), {"groups": ["users", "admins"]}, True),
        (("groups", "admins"), {"groups": "admins"}, True),
        (("groups", "admins"), {"groups": "no admins"}, False),
        (("groups", "admins"), {}, False),
        (("groups", "admins"), {"groups": {"admins": True}}, False),
        (("realm_access.roles", "admins"), {"realm_access": {"roles": ["admins"]}}, True),
        (("realm_access.roles", "admins"), {"realm_access": ["roles"]}, False),
        (("https://x.example/roles", "admins"), {"https://x.example/roles": ["admins"]}, True),
    ],
)
def test_who_is_an_administrator(liar: Liar, rule: tuple[str, str], claims: dict[str, Any], found: bool) -> None:
    liar.claims = claims
    assert liar.sign_in(liar.openid(administrators=rule)).is_administrator is found


def test_a_client_without_a_secret_and_one_that_sends_it_in_the_form(liar: Liar) -> None:
    liar.sign_in(liar.openid(client_secret=None))
    liar.description["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    liar.sign_in()
    public, posted = [(form, sent) for path, form, sent in liar.asked if path == "/token_endpoint"]
    assert (public[0]["client_id"], "client_secret" in public[0], public[1]) == (["placet"], False, "")
    assert (posted[0]["client_secret"], posted[1]) == (["of placet: +/&"], "")


@pytest.mark.parametrize(
    "issuer",
    [
        "http://sso.example",
        "http://127.0.0.1.evil.example",
        "ftp://sso.example",
        "sso.example",
        "https://",
        "https://user@sso.example",
        "https://sso.example?x=1",
        "https://sso.example#x",
        "https://sso.example:port",
        "https://sso.example/" + "x" * 400,
        "https://sso example",
        "",
    ],
)
def test_an_issuer_that_cannot_be(issuer: str) -> None:
    with pytest.raises(ValueError, match="issuer"):
        OpenIdSettings(issuer=issuer, client_id="placet")


@pytest.mark.parametrize("issuer", ["https://sso.example", "https://sso.example:8443/realms/x/", "http://[::1]:9000"])
def test_an_issuer_that_can_be(issuer: str) -> None:
    assert OpenIdSettings(issuer=issuer, client_id="placet").issuer == issuer
