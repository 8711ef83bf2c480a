"""Who asks for a page, and with what."""

from typing import Any, Self

import msgspec
from litestar import Request

from placet.platform.server import PlatformServer
from placet.web.access import Caller, caller_of

AnyRequest = Request[Any, Any, Any]


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks which server for a view or a change, and with what."""

    server: PlatformServer
    caller: Caller
    request: AnyRequest

    @classmethod
    def of(cls, request: AnyRequest) -> Self:
        """Answer who makes a request; raises :class:`placet.web.problems.Problem` (401) where nobody is signed in."""
        return cls(server=request.app.state.server, caller=caller_of(request), request=request)

    def part(self, name: str) -> str:
        """Answer a part of the path: ``name`` of ``/service-center/modules/{name:str}``."""
        return str(self.request.path_params[name])

    def query(self, name: str, *, most: int = 200) -> str:
        """Answer a value of the address's query, at most ``most`` characters of it; empty where there is none."""
        return str(self.request.query_params.get(name, ""))[:most].strip()
