"""What an operator says of the OpenID provider people sign in with."""

import ipaddress
from urllib.parse import urlsplit

import msgspec

LONGEST_ISSUER = 400


class OpenIdSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A provider and this server's place there. Raises ``ValueError`` with what to correct.

    ``name_claim``: the claim that is a user's name here. ``administrators``: a claim and the value, among its values,
    that makes an administrator; ``None``: users have the role they have here. ``create``: whether somebody who is no
    user here becomes one. ``client_secret`` is a secret.
    """

    issuer: str
    client_id: str
    client_secret: str | None = None
    title: str = ""
    name_claim: str = "preferred_username"
    administrators: tuple[str, str] | None = None
    create: bool = False
    scope: str = "openid profile email"

    def __post_init__(self) -> None:
        parts = _split(self.issuer)
        if parts is None or len(self.issuer) > LONGEST_ISSUER:
            raise ValueError(
                f"The issuer {self.issuer[:200]!r} is no address of a provider. It begins with https:// and has "
                "neither query nor fragment, as the provider's own documentation writes it."
            )
        if not may_be_asked(self.issuer, self.issuer):
            raise ValueError(
                f"The issuer {self.issuer[:200]!r} is reached over plain http, so that anybody on the way could sign "
                "in as anybody. It has to begin with https://, except on this machine (127.0.0.1, ::1, localhost)."
            )
        if not self.client_id.strip() or not self.name_claim.strip():
            raise ValueError("The client id and the claim for the name may not be empty.")
        if "openid" not in self.scope.split():
            raise ValueError("The scope has to have 'openid' among its words.")

    def __repr__(self) -> str:
        return f"OpenIdSettings(issuer={self.issuer!r}, client_id={self.client_id!r})"

    @property
    def provider(self) -> str:
        """What people are told the provider is called."""
        return self.title or urlsplit(self.issuer).netloc


def may_be_asked(address: str, issuer: str) -> bool:
    """Tell whether an address may be called for an issuer: https, or on this machine where the issuer is there too."""
    parts, its = _split(address, query=True), _split(issuer)
    if parts is None or its is None:
        return False
    return parts[0] == "https" or (parts[0] == its[0] == "http" and is_loopback(parts[1]) and is_loopback(its[1]))


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(address: str, *, query: bool = False) -> tuple[str, str] | None:
    """The scheme and host of an address, ``None`` where it is no address to call."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    plain = parts.scheme in {"https", "http"} and "@" not in parts.netloc and not parts.fragment
    if host is None or not plain or not address.isprintable() or " " in address or (parts.query and not query):
        return None
    return parts.scheme, host
