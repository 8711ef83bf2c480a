"""What several routes share: the server, and parameters, each with its type and its cap."""

from typing import Annotated, Any

from litestar import Request
from litestar.di import NamedDependency
from litestar.params import Parameter
from msgspec import Meta

from placet.platform.server import PlatformServer
from placet.web.problems import Problem

Server = NamedDependency[PlatformServer]

ModuleName = Annotated[str, Parameter(pattern="^[a-z][a-z0-9_-]{0,62}$", description="A module's name")]
FeatureName = Annotated[str, Parameter(pattern="^[a-z][a-z0-9_]{0,62}$", description="A feature's name")]
OperationName = Annotated[str, Parameter(pattern="^[a-z][a-z0-9_]{0,62}$", description="An operation's name")]
InstanceId = Annotated[str, Parameter(pattern="^[0-9a-f]{32}$", description="A private instance's id")]
UserName = Annotated[
    str, Parameter(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$", description="A user's name")
]

PersonName = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]+$")]

SMALL_BODY = 64 * 1024
DOCUMENT_BODY = 1024 * 1024
ARCHIVE_BODY = 64 * 1024 * 1024 + 1024


def flags(request: Request[Any, Any, Any], *names: str, beside: frozenset[str] = frozenset()) -> dict[str, bool]:
    """Read the flags of the query string: ``?name``, ``?name=true`` and ``?name=1`` set one.

    Anything else is refused: who asks for ``?dry-run`` must not get what ``?dry_run`` would have prevented. What may
    stand ``beside`` the flags is read elsewhere.
    """
    found = dict.fromkeys(names, False)
    seen: set[str] = set()
    for name, value in request.query_params.multi_items():
        if name in beside:
            continue
        if name not in found:
            there = ", ".join((*names, *sorted(beside)))
            raise _bad_request(f"There is no parameter {name[:40]!r} here. There is: {there}.")
        if name in seen:
            raise _bad_request(f"The parameter {name!r} is given more than once. Give it once.")
        seen.add(name)
        found[name] = _is_set(name, str(value))
    return found


def _is_set(name: str, value: str) -> bool:
    if value.lower() in {"", "1", "true", "yes"}:
        return True
    if value.lower() in {"0", "false", "no"}:
        return False
    raise _bad_request(f"The parameter {name!r} is {value[:20]!r}. Write ?{name} or ?{name}=true to set it.")


def _bad_request(detail: str) -> Problem:
    return Problem("bad_request", title="Bad Request", status=400, detail=detail)
