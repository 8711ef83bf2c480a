"""A real OpenID provider, in a process of its own: Django OAuth Toolkit, with two people who have passwords there.

``python django_provider.py DIRECTORY`` prints its port, reads a redirect URI from a line of standard input, registers a
client for it, and prints the client's id and secret.
"""

import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django_provider_words import SECRET

LOGIN = (
    """<form method="post">{% csrf_token %}{{ form.as_p }}<input type="hidden" name="next" value="{{ next }}"></form>"""
)


def configure(directory: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    templates = {"loaders": [("django.template.loaders.locmem.Loader", {"registration/login.html": LOGIN})]}
    settings.configure(
        SECRET_KEY="of a test",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(directory / "provider.sqlite3")}},
        INSTALLED_APPS=[
            *(f"django.contrib.{name}" for name in ("auth", "contenttypes", "sessions")),
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": templates}],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": pem,
            "PKCE_REQUIRED": True,
            "SCOPES": {"openid": "who you are", "profile": "your name", "email": "your mail address"},
            "OAUTH2_VALIDATOR_CLASS": f"{__name__}.Validator",
        },
    )
    django.setup()


configure(Path(sys.argv[1]))

from django.contrib.auth.models import Group, User  # noqa: E402 - after Django is configured
from django.contrib.auth.views import LoginView  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import include, path  # noqa: E402
from oauth2_provider.models import Application  # noqa: E402
from oauth2_provider.oauth2_validators import OAuth2Validator  # noqa: E402

urlpatterns = [
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("accounts/login/", LoginView.as_view()),
]


class Validator(OAuth2Validator):  # type: ignore[misc]
    """What the provider says of somebody, beside who it is."""

    oidc_claim_scope = None  # whatever the scopes are

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        groups = [group.name for group in request.user.groups.all()]
        return {"preferred_username": request.user.username, "realm": {"groups": groups}}


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None: ...


class Threading(ThreadingMixIn, WSGIServer):
    daemon_threads = True


def main() -> None:
    call_command("migrate", verbosity=0)
    admins = Group.objects.create(name="placet-admins")
    User.objects.create_user("maria", password="of maria there")
    User.objects.create_user("ada", password="of ada there").groups.add(admins)
    server = make_server("127.0.0.1", 0, get_wsgi_application(), server_class=Threading, handler_class=Quiet)
    print(server.server_port, flush=True)
    client = Application.objects.create(
        name="placet",
        redirect_uris=sys.stdin.readline().strip(),
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        client_secret=SECRET,
        algorithm="RS256",
        skip_authorization=True,
    )
    print(client.client_id, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
