"""Signing in with an OpenID provider: the authorization code flow with PKCE (OpenID Connect Core, RFC 7636, RFC 9700).

1. The provider describes itself (Discovery section 4); its ``issuer`` is the one configured, letter for letter.
2. The browser is sent there with a state, a nonce and the challenge of a verifier, each 256 random bits.
3. It comes back with the same state, from the same issuer (RFC 9207), and with a code.
4. The code is exchanged for an ID token, with the verifier and this server's own secret.
5. The ID token is verified (:mod:`.openid_tokens`); a key that is not known is looked for once more.
6. Its claims say who it is, and, where that was configured, whether an administrator.

What begins a sign-in is kept by the browser, in a cookie, so that every server of a farm can end it and nobody can fill
a server's memory. No access token is kept.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

import msgspec

from placet.platform.openid_http import ProviderClient
from placet.platform.openid_settings import OpenIdSettings, may_be_asked
from placet.platform.openid_tokens import Key, TokenRejected, UnknownKey, keys_of, verify_id_token
from placet.store.identities import Identity

DESCRIBED_FOR_SECONDS = 3600.0
KEYS_AGAIN_SECONDS = 10.0


class NotIdentified(Exception):
    """The provider did not say who somebody is, or not in a way that can be used; the text says what to do."""


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that has begun, as the browser keeps it."""

    state: str
    nonce: str
    verifier: str


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """Who somebody is, as the provider says. ``is_administrator`` is ``None`` where it is not asked about that."""

    identity: Identity
    name: str
    is_administrator: bool | None


class OpenId:
    """One provider."""

    def __init__(
        self, settings: OpenIdSettings, *, client: ProviderClient | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        self._client = client or ProviderClient(settings)
        self._clock = clock
        self._description: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, tuple[Key, ...]] | None = None

    async def begin(self, redirect_uri: str) -> tuple[str, Begun]:
        """Answer where to send a browser, and what it is to keep. Raises :class:`.ProviderFailed`."""
        endpoint = (await self._described()).get("authorization_endpoint")
        if not isinstance(endpoint, str) or not may_be_asked(endpoint, self.settings.issuer):
            raise self._client.failed("the address of its sign-in page is missing, or not one over https")
        begun = Begun(state=_random(), nonce=_random(), verifier=_random())
        challenge = base64.urlsafe_b64encode(hashlib.sha256(begun.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.settings.scope,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return endpoint + ("&" if "?" in endpoint else "?") + urlencode(query), begun

    async def end(self, answer: Mapping[str, str], begun: Begun, redirect_uri: str) -> Identified:
        """Answer who the provider says it is that came back with ``answer``, the query of its redirect.

        Raises :class:`.ProviderFailed` and :class:`NotIdentified`.
        """
        description = await self._described()
        self._check_answer(answer, begun, description)
        token = await self._exchange(answer["code"], begun, redirect_uri, description)
        claims = await self._verified(token, begun, description)
        return self._identified(claims)

    def _check_answer(self, answer: Mapping[str, str], begun: Begun, description: Mapping[str, Any]) -> None:
        state = answer.get("state", "").encode(errors="surrogatepass")
        if not secrets.compare_digest(state, begun.state.encode()):
            raise NotIdentified(
                "What came back is not the sign-in that this browser began last; perhaps two were begun at once, or it "
                "took more than ten minutes. Begin again."
            )
        issuer = answer.get("iss")
        says_it = description.get("authorization_response_iss_parameter_supported") is True
        if (issuer is None and says_it) or issuer not in {None, self.settings.issuer}:
            raise self._client.failed("what came back is not from this provider")
        if "error" in answer:
            denied = answer["error"] == "access_denied"
            raise NotIdentified(
                f"{self.settings.provider} did not sign you in: "
                + ("you or it said no." if denied else "it answered with an error.")
                + " Begin again, or sign in another way."
            )
        if not answer.get("code"):
            raise self._client.failed("it sent neither a code nor an error")

    async def _exchange(self, code: str, begun: Begun, redirect_uri: str, description: Mapping[str, Any]) -> object:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": begun.verifier,
        }
        own, headers = self._client_authentication(description)
        what = "token endpoint"
        answered = await self._client.post(str(description.get("token_endpoint", "")), what, form | own, headers)
        if answered.status == 200:
            return answered.document.get("id_token")
        error = str(answered.document.get("error"))[:40]
        if error == "invalid_grant":
            raise NotIdentified(
                f"{self.settings.provider} does not take the code any more that your browser brought back: it was "
                "used, or is too old. Begin again."
            )
        hint = (
            ", so its client id or secret is another there"
            if error in {"invalid_client", "unauthorized_client"}
            else ""
        )
        raise self._client.failed(f"its {what} answered {answered.status} ({error}) to this server{hint}")

    def _client_authentication(self, description: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
        """The members and headers that say who this server is (RFC 6749 section 2.3.1)."""
        client_id, secret = self.settings.client_id, self.settings.client_secret
        if secret is None:
            return {"client_id": client_id}, {}
        methods = description.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if "client_secret_basic" not in methods and "client_secret_post" in methods:
            return {"client_id": client_id, "client_secret": secret}, {}
        pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
        return {}, {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    async def _verified(self, token: object, begun: Begun, description: Mapping[str, Any]) -> Mapping[str, Any]:
        known = {"issuer": self.settings.issuer, "client_id": self.settings.client_id, "nonce": begun.nonce}
        try:
            try:
                return verify_id_token(token, await self._keys_of(description), now=self._clock(), **known)
            except UnknownKey:
                keys = await self._keys_of(description, within=KEYS_AGAIN_SECONDS)
                return verify_id_token(token, keys, now=self._clock(), **known)
        except TokenRejected as error:
            raise self._client.failed(str(error)) from None

    def _identified(self, claims: Mapping[str, Any]) -> Identified:
        claim = self.settings.name_claim
        name = claims.get(claim)
        if not isinstance(name, str) or not name.strip():
            raise NotIdentified(
                f"{self.settings.provider} knows you, but its ID token has no claim {claim[:60]!r} to take your name "
                "from. Your Platform Server administrator has to let the provider send it, or name another claim with "
                "--oidc-name-claim."
            )
        if claim == "email" and claims.get("email_verified") is not True:
            raise NotIdentified(
                f"{self.settings.provider} does not say that your mail address is verified, so it could be somebody "
                "else's. Have it verified there, then begin again."
            )
        rule, found = self.settings.administrators, None
        if rule is not None:
            found = _holds(claims, *rule)
        identity = Identity(issuer=self.settings.issuer, subject=str(claims["sub"]))
        return Identified(identity=identity, name=name.strip(), is_administrator=found)

    async def _described(self) -> Mapping[str, Any]:
        now = time.monotonic()
        if self._description is not None and now - self._description[0] < DESCRIBED_FOR_SECONDS:
            return self._description[1]
        issuer = self.settings.issuer
        what = "description of itself"
        found = await self._client.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", what)
        if found.get("issuer") != issuer:
            raise self._client.failed(
                f"it says that it is {str(found.get('issuer'))[:200]!r}, and this server was told {issuer!r} "
                "(--oidc-issuer), which has to be the same, letter for letter"
            )
        self._description = (now, found)
        return found

    async def _keys_of(
        self, description: Mapping[str, Any], *, within: float = DESCRIBED_FOR_SECONDS
    ) -> tuple[Key, ...]:
        now = time.monotonic()
        if self._keys is None or now - self._keys[0] >= within:
            found = await self._client.get(str(description.get("jwks_uri", "")), "key set")
            self._keys = (now, keys_of(found))
        return self._keys[1]


def _random() -> str:
    return secrets.token_urlsafe(32)


def _holds(claims: Mapping[str, Any], path: str, value: str) -> bool:
    """Tell whether a claim is a value, or has it among its values; ``a.b`` is ``b`` within ``a`` too."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    return value in found if isinstance(found, list) else isinstance(found, str) and found == value
