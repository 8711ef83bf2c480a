"""The console's stylesheets, script and icon, each named with a hash of its content, so that it is kept for good."""

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException

from placet.web.access import anonymous

_PATH = "/service-center/static"
_STYLES = ("theme", "frame", "controls", "content", "tables", "charts", "licensing")
_MEDIA_TYPES = {f"{name}.css": "text/css" for name in _STYLES} | {
    "placet.js": "text/javascript",
    "placet.svg": "image/svg+xml",
}
"""By name, the stylesheets in the order in which they apply."""


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """A file the pages refer to. ``version`` is a hash of its content."""

    name: str
    content: bytes
    media_type: str
    version: str

    @property
    def url(self) -> str:
        """Where pages find this very content."""
        return f"{_PATH}/{self.name}?v={self.version}"


def _read(name: str, media_type: str) -> Asset:
    content = (files("placet.web.console") / "static" / name).read_bytes()
    version = hashlib.sha256(content).hexdigest()[:16]
    return Asset(name=name, content=content, media_type=media_type, version=version)


ASSETS: Mapping[str, Asset] = MappingProxyType({name: _read(name, kind) for name, kind in _MEDIA_TYPES.items()})


@get(f"{_PATH}/{{name:str}}", opt=anonymous(), include_in_schema=False, sync_to_thread=False)
def static_file(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer a stylesheet, script or icon, or 304 where the browser has it (RFC 9110 section 13.1.2)."""
    name = str(request.path_params["name"])
    asset = ASSETS.get(name)
    if asset is None:
        raise NotFoundException(f"The Service Center has no file {name[:80]!r}.")
    etag = f'"{asset.version}"'
    asked_by_hash = request.query_params.get("v") == asset.version
    headers = {
        "ETag": etag,
        "Cache-Control": "public, max-age=31536000, immutable" if asked_by_hash else "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    held = [entry.strip().removeprefix("W/") for entry in request.headers.get("if-none-match", "").split(",")]
    if etag in held or held == ["*"]:
        return Response(content=b"", status_code=304, headers=headers, media_type=asset.media_type)
    return Response(content=asset.content, headers=headers, media_type=asset.media_type)
