"""The options of ``placet serve`` for an OpenID provider."""
# ruff: noqa: PLC0415 - imports that take time are made inside the functions

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from placet.cli.errors import FailedError, of_file

if TYPE_CHECKING:
    from placet.platform.openid import OpenId

F = TypeVar("F", bound=Callable[..., Any])
LARGEST_SECRET_FILE = 4096

_OPTIONS = (
    click.option(
        "--oidc-issuer",
        metavar="URL",
        envvar="PLACET_OIDC_ISSUER",
        help="Let people sign in with this OpenID provider [PLACET_OIDC_ISSUER].",
    ),
    click.option(
        "--oidc-client-id", metavar="ID", envvar="PLACET_OIDC_CLIENT_ID", help="This server's client id there."
    ),
    click.option(
        "--oidc-client-secret",
        metavar="FILE",
        envvar="PLACET_OIDC_CLIENT_SECRET",
        type=click.Path(path_type=Path),
        help="A file with its client secret there; without one, it is a public client.",
    ),
    click.option("--oidc-title", metavar="NAME", envvar="PLACET_OIDC_TITLE", help="What people know the provider as."),
    click.option(
        "--oidc-name-claim",
        metavar="CLAIM",
        default="preferred_username",
        show_default=True,
        envvar="PLACET_OIDC_NAME_CLAIM",
        help="The claim that is a user's name here.",
    ),
    click.option(
        "--oidc-administrators",
        metavar="CLAIM=VALUE",
        envvar="PLACET_OIDC_ADMINISTRATORS",
        help="Who is an administrator, and that nobody else is: groups=placet-admins.",
    ),
    click.option(
        "--oidc-scope",
        metavar="WORDS",
        default="openid profile email",
        show_default=True,
        envvar="PLACET_OIDC_SCOPE",
        help="What is asked of the provider.",
    ),
    click.option(
        "--oidc-create",
        is_flag=True,
        envvar="PLACET_OIDC_CREATE",
        help="Add whoever signs in there and is no user yet, as far as the license allows.",
    ),
)


def openid_options(function: F) -> F:
    """Give a command the options for a provider, and ``openid`` of what they say."""

    @functools.wraps(function)
    def command(*args: Any, **options: Any) -> Any:
        said = {name: options.pop(name) for name in [*options] if name.startswith("oidc_")}
        return function(*args, openid=_openid_of(**said), **options)

    made: Any = command
    for option in reversed(_OPTIONS):
        made = option(made)
    result: F = made
    return result


def _openid_of(
    *,
    oidc_issuer: str | None,
    oidc_client_id: str | None,
    oidc_client_secret: Path | None,
    oidc_title: str | None,
    oidc_name_claim: str,
    oidc_administrators: str | None,
    oidc_scope: str,
    oidc_create: bool,
) -> "OpenId | None":
    if oidc_issuer is None:
        if oidc_client_id or oidc_client_secret or oidc_create or oidc_administrators or oidc_title:
            raise click.UsageError("The options --oidc-… need --oidc-issuer, which says who the provider is.")
        return None
    if not oidc_client_id:
        raise click.UsageError("--oidc-issuer needs --oidc-client-id, which the provider gave this server.")
    from placet.platform.openid import OpenId
    from placet.platform.openid_settings import OpenIdSettings

    try:
        return OpenId(
            OpenIdSettings(
                issuer=oidc_issuer,
                client_id=oidc_client_id,
                client_secret=None if oidc_client_secret is None else _secret(oidc_client_secret),
                title=oidc_title or "",
                name_claim=oidc_name_claim,
                administrators=None if oidc_administrators is None else _rule(oidc_administrators),
                create=oidc_create,
                scope=oidc_scope,
            )
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _rule(text: str) -> tuple[str, str]:
    claim, sign, value = text.partition("=")
    if not (claim and sign and value):
        raise click.UsageError(
            f"--oidc-administrators: {text[:100]!r} is not CLAIM=VALUE, such as groups=placet-admins."
        )
    return claim, value


def _secret(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_SECRET_FILE + 1)
    except OSError as error:
        raise of_file(error) from None
    try:
        secret = content.decode().strip()
    except UnicodeDecodeError:
        secret = ""
    if not secret or len(content) > LARGEST_SECRET_FILE or not secret.isprintable():
        raise FailedError(
            f"{click.format_filename(path)} holds no client secret: it is to have one line of text, and nothing else."
        )
    return secret
