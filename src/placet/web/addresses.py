"""Where people reach this server, and the links they are given."""

from typing import Any

from litestar.connection import ASGIConnection

from placet.web.access import is_secure

SIGN_IN = "/service-center/sign-in"
SIGN_IN_OPENID = "/service-center/sign-in/openid"
SET_PASSWORD = "/service-center/set-password"  # noqa: S105 - an address
CHANGE_PASSWORD = "/service-center/password"  # noqa: S105 - an address
CREDENTIALS = "/service-center/credentials"


def origin_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Answer this site's origin: what the server was told with ``--public-url``, else as the request reached it."""
    public: str | None = connection.app.state.server.public_url
    if public:
        return public
    scheme = "https" if is_secure(connection) else "http"
    return f"{scheme}://{connection.headers.get('host') or connection.url.netloc}"


def password_link(connection: ASGIConnection[Any, Any, Any, Any], code: str) -> str:
    """Answer the link with which somebody sets a password, once."""
    return f"{origin_of(connection)}{SET_PASSWORD}?code={code}"
