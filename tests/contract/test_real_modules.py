"""Scenario: applications that other people wrote and the package index ships, published from a requirements file.

Each is glue of a few lines around what was installed. Without a package index that answers, nothing here can be done.
"""

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from contract.archives import zipped
from contract.driver import ServerProcess, VendorDirectory

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(vendor: VendorDirectory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("real") / "data", vendor.trust) as running:
        granted = ("--feature", "run", "--limit", "software_units=10000")
        running.installed(vendor.issue(*granted, serial=running.serial))
        yield running


def published(server: ServerProcess, name: str, requirements: str, app: str, **files: str) -> None:
    """Publish a module, and have it explain its units."""
    manifest = f'[module]\nname = "{name}"\nversion = "1.0.0"\nentrypoint = "{name}.app:app"\n'
    own = {f"{name}/__init__.py": "", f"{name}/app.py": app, "requirements.txt": requirements}
    done = server.publish(zipped({"module.toml": manifest} | own | files))
    assert done.status_code == 201, done.text
    explained = server.get(f"/api/v1/modules/{name}/units")
    assert explained["units"] == len(explained["elements"]) >= 1


def page(server: ServerProcess, path: str, **options: object) -> httpx2.Response:
    answer: httpx2.Response = server.api("GET", path, token=None, follow_redirects=True, **options)
    assert answer.status_code == 200, (answer.url, answer.status_code, answer.text[:500])
    return answer


def test_datasette_shows_and_edits_nothing_but_its_database(server: ServerProcess) -> None:
    published(
        server,
        "tables",
        "datasette>=0.65,<1\n",
        "import os\nfrom datasette.app import Datasette\n"
        "files = [os.environ[name] for name in ('PLACET_MODULE_DATABASE',) if name in os.environ]\n"
        "ds = Datasette(files, settings={'base_url': '/apps/tables/'})\n"
        "app = ds.app()\n",
        **{"schema.sql": "CREATE TABLE fruit (name TEXT, grams INTEGER);\nINSERT INTO fruit VALUES ('quince', 240);\n"},
    )
    assert "quince" in page(server, "/apps/tables/tables/fruit").text
    rows = page(server, "/apps/tables/tables/fruit.json?_shape=array").json()
    assert [(row["name"], row["grams"]) for row in rows] == [("quince", 240)]
    style = re.findall(r'href="(/apps/tables/-/static/[^"]+\.css[^"]*)"', page(server, "/apps/tables/").text)
    assert page(server, style[0]).headers["content-type"].startswith("text/css")


def a_wheel(directory: Path) -> Path:
    info = "tiny-1.0.dist-info"
    files = {
        "tiny.py": "VALUE = 7\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {name: hashlib.sha256(text.encode()).digest() for name, text in files.items()}
    hashes = {name: base64.urlsafe_b64encode(digest).rstrip(b"=").decode() for name, digest in digests.items()}
    lines = [f"{name},sha256={hashes[name]},{len(text)}" for name, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    target = directory / "tiny" / "tiny-1.0-py3-none-any.whl"
    target.parent.mkdir(parents=True)
    target.write_bytes(buffer.getvalue())
    return target


def test_a_package_index_on_fastapi_serves_packages(server: ServerProcess, tmp_path: Path) -> None:
    wheel = a_wheel(tmp_path / "packages")
    published(
        server,
        "packages",
        "simple-repository-server>=0.10,<1\n",
        "from simple_repository_server.__main__ import create_app\n"
        f"app = create_app([{str(tmp_path / 'packages')!r}])\n",
    )
    listed = page(server, "/apps/packages/simple/tiny/")
    link = re.findall(r'href="([^"#]+\.whl)', listed.text)[0]
    assert page(server, str(listed.url.join(link))).content == wheel.read_bytes()
    as_json = {"Accept": "application/vnd.pypi.simple.v1+json"}
    assert page(server, "/apps/packages/simple/", headers=as_json).json()["projects"] == [{"name": "tiny"}]


ADMIN_ON_LITESTAR = """
import os
from admin_litestar import DETAIL, LIST, Admin, AdminConfig, ModelSpec
from litestar import Litestar
from litestar.stores.memory import MemoryStore
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Fruit(Base):
    __tablename__ = "fruit"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Auth:
    async def authenticate(self, session, username, password):
        return Fruit(id=1, name=username) if password == "open sesame" else None

    def identity_of(self, user):
        return user.id

    async def is_valid(self, session, actor_id):
        return True


class Audit:
    def __getattr__(self, name):
        async def nothing(*arguments, **options):
            return None
        return nothing


database = os.environ.get("PLACET_MODULE_DATABASE", ":memory:")
admin = Admin(
    config=AdminConfig(path="/admin"),
    specs=[ModelSpec(model=Fruit, slug="fruit", label="Fruit", group="Shop", list_columns=("id", "name"),
                     detail_columns=("id", "name"), capabilities=frozenset({LIST, DETAIL}), order_by="id")],
    auth=Auth(),
    audit=Audit(),
    cache=lambda request: None,
    session_factory=async_sessionmaker(create_async_engine(f"sqlite+aiosqlite:///{database}")),
    csrf_secret="0123456789abcdef0123456789abcdef",
)
app = Litestar(
    route_handlers=[admin.router()],
    template_config=admin.template_config(),
    middleware=[admin.session_config(MemoryStore()).middleware],
)
"""


def test_an_administration_on_litestar_asks_who_one_is(server: ServerProcess) -> None:
    schema = "CREATE TABLE fruit (id INTEGER PRIMARY KEY, name TEXT);\nINSERT INTO fruit VALUES (1, 'quince');\n"
    published(server, "fruits", "admin-litestar>=0.4,<1\naiosqlite\n", ADMIN_ON_LITESTAR, **{"schema.sql": schema})
    assert 'type="password"' in page(server, "/apps/fruits/admin/login").text
    operations = [item["name"] for item in server.get("/api/v1/modules/fruits/units")["elements"]]
    assert any(name.startswith("GET /admin") for name in operations)


SETTINGS = """
import os
SECRET_KEY = "not a secret in a test"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
FORCE_SCRIPT_NAME = "/apps/shop"
STATIC_URL = "/apps/shop/static/"
INSTALLED_APPS = ["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                  "django.contrib.sessions", "django.contrib.messages", "django.contrib.staticfiles"]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
              "django.contrib.auth.middleware.AuthenticationMiddleware",
              "django.contrib.messages.middleware.MessageMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
    "context_processors": ["django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
                           "django.contrib.messages.context_processors.messages"]}}]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3",
                         "NAME": os.environ.get("PLACET_MODULE_DATABASE", ":memory:")}}
USE_TZ = True
"""
DJANGO = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
served = ASGIStaticFilesHandler(get_asgi_application())
migrated = False

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        from asgiref.sync import sync_to_async
        from django.core.management import call_command
        await sync_to_async(call_command)("migrate", verbosity=0)
        await sync_to_async(first_user)()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    else:
        await served(scope, receive, send)

def first_user():
    from django.contrib.auth import get_user_model
    users = get_user_model().objects
    if not users.filter(username="ada").exists():
        users.create_superuser("ada", password="open sesame")
"""


def test_a_django_project_migrates_signs_in_and_keeps_its_data(server: ServerProcess) -> None:
    files = {
        "shop/settings.py": SETTINGS,
        "shop/urls.py": "from django.contrib import admin\nfrom django.urls import path\n"
        "urlpatterns = [path('admin/', admin.site.urls)]\n",
    }
    published(server, "shop", "django>=5.2,<6\n", DJANGO, **files)
    with httpx2.Client(base_url=server.address, timeout=60, trust_env=False, follow_redirects=True) as client:
        form = client.get("/apps/shop/admin/login/")
        assert form.status_code == 200, form.text
        token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)[0]
        given = {"csrfmiddlewaretoken": token, "username": "ada", "password": "open sesame"}
        inside = client.post("/apps/shop/admin/login/?next=/apps/shop/admin/", data=given)
        assert (inside.status_code, inside.url.path) == (200, "/apps/shop/admin/"), inside.text
        assert "Site administration" in inside.text
        style = re.findall(r'href="(/apps/shop/static/admin/css/base\.css)"', inside.text)[0]
        assert client.get(style).status_code == 200
        published(server, "shop", "django>=5.2,<6\n", DJANGO, **files)  # and nobody is signed out by that
        assert "Site administration" in client.get("/apps/shop/admin/").text
