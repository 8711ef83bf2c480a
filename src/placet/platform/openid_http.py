"""Calling an OpenID provider: for so long, so many bytes, to no address but its own; failures are told clearly."""

import json
from collections.abc import Mapping
from typing import Any

import anyio
import httpx2
import msgspec
import structlog

from placet.platform.openid_settings import OpenIdSettings, is_loopback, may_be_asked

TIMEOUT_SECONDS = 10.0
LARGEST_ANSWER = 1024 * 1024
AT_ONCE = 8

log = structlog.get_logger()


class ProviderFailed(Exception):
    """The provider is down, slow, or says what it may not; the text is for whoever wants to sign in."""


class Answered(msgspec.Struct, frozen=True):
    """What a provider has answered: the HTTP status and the JSON object."""

    status: int
    document: Mapping[str, Any]


class ProviderClient:
    """Calls one provider. A proxy of the environment is used, except for one on this machine."""

    def __init__(self, settings: OpenIdSettings, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._settings = settings
        self._seconds = timeout_seconds
        self._limiter = anyio.Semaphore(AT_ONCE)

    def failed(self, what: str) -> ProviderFailed:
        """Answer the failure to raise; it is logged as well."""
        log.warning("openid_provider_failed", issuer=self._settings.issuer, reason=what)
        return ProviderFailed(
            f"{self._settings.provider} cannot sign you in at the moment: {what}. Nobody was signed in. Try again "
            "shortly, or sign in another way. If it stays so, tell your Platform Server administrator."
        )

    async def get(self, address: str, what: str) -> Mapping[str, Any]:
        """Answer the JSON object at an address. Raises :class:`ProviderFailed`."""
        answered = await self._send(httpx2.Request("GET", self._checked(address, what)), what)
        if answered.status != httpx2.codes.OK:
            raise self.failed(f"it answered {answered.status} where its {what} should be")
        return answered.document

    async def post(self, address: str, what: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Answered:
        """Send a form, and answer what comes back, whatever its status. Raises :class:`ProviderFailed`."""
        request = httpx2.Request("POST", self._checked(address, what), data=dict(form), headers=dict(headers))
        return await self._send(request, what)

    def _checked(self, address: Any, what: str) -> str:
        if not isinstance(address, str) or not may_be_asked(address, self._settings.issuer):
            raise self.failed(f"the address of its {what} is missing, or not one over https")
        return address

    async def _send(self, request: httpx2.Request, what: str) -> Answered:
        request.headers["accept"] = "application/json"
        trusts = not is_loopback(request.url.host)
        try:
            with anyio.fail_after(self._seconds):
                async with (
                    self._limiter,
                    httpx2.AsyncClient(timeout=self._seconds, trust_env=trusts, follow_redirects=False) as client,
                ):
                    return await self._read(client, request, what)
        except (TimeoutError, httpx2.TimeoutException):
            raise self.failed(f"its {what} did not answer within {self._seconds:g} seconds") from None
        except httpx2.HTTPError as error:
            raise self.failed(f"its {what} cannot be reached ({str(error) or type(error).__name__})") from None

    async def _read(self, client: httpx2.AsyncClient, request: httpx2.Request, what: str) -> Answered:
        answer = await client.send(request, stream=True)
        try:
            body = b""
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > LARGEST_ANSWER:
                    raise self.failed(f"its {what} answered more than {LARGEST_ANSWER:,} bytes")
        finally:
            await answer.aclose()
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise self.failed(f"its {what} answered {answer.status_code} with something that is no JSON object")
        return Answered(answer.status_code, document)
