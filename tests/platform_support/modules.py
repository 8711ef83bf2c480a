"""Writes small modules for tests of the Platform Server."""

import io
import stat
import warnings
import zipfile
from pathlib import Path
from textwrap import dedent

MANIFEST = """
[module]
name = "orders"
version = "1.2.0"
entrypoint = "orders.app:app"
"""
STARLETTE_APP = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def hello(request):
    return PlainTextResponse("hello")

app = Starlette(routes=[Route("/", hello)])
"""


def write_module(directory: Path, app: str = STARLETTE_APP, files: dict[str, str] | None = None) -> Path:
    """Write a module with `app` as orders/app.py, and any other files by their path."""
    contents = {"module.toml": MANIFEST, "orders/__init__.py": "", "orders/app.py": app} | (files or {})
    for name, text in contents.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"))
    return directory


def zip_of(
    entries: dict[str, bytes | str], *more: tuple[str, bytes | str], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """Return a zip with exactly these names, however odd they are; `more` may repeat some."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a name used twice is what some tests want
        for name, data in (*entries.items(), *more):
            info = zipfile.ZipInfo(name)
            info.filename = info.orig_filename = name
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, data, method)
    return buffer.getvalue()
