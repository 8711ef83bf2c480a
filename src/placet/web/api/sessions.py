"""Sessions over HTTP: who is signed in to the Service Center, and ending it."""

from typing import Annotated, Any

from litestar import Controller, Request, delete, get
from litestar.params import Parameter

from placet.license.instants import rfc3339
from placet.platform.sessions import Sessions
from placet.store.credentials import Credential, Kind
from placet.web.access import Access, Caller, caller_of, requires
from placet.web.api.parameters import Server, flags
from placet.web.problems import Problem

Whose = Annotated[
    str | None,
    Parameter(
        min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$", required=False, description="Whose: a name"
    ),
]


class SessionController(Controller):
    """``/api/v1/sessions``: one's own, and for administrators everybody's."""

    path = "/api/v1/sessions"
    tags = ("sessions",)

    @get(opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def sessions(self, server: Server, request: Request[Any, Any, Any], name: Whose = None) -> list[dict[str, Any]]:
        """The sessions in force: the caller's own; for an administrator somebody's (``?name=``) or ``?everybody``'s."""
        caller = caller_of(request)
        whose = _whose(request, name)
        return [
            session_members(server.people.sessions, item, caller) for item in server.people.sessions.in_force(whose)
        ]

    @delete("/{session_id:int}", opt=requires(Access.SIGNED_IN), status_code=200, sync_to_thread=True)
    def end(
        self, server: Server, request: Request[Any, Any, Any], session_id: Annotated[int, Parameter(ge=1, le=2**53)]
    ) -> dict[str, Any]:
        """End a session: one's own, or for an administrator anybody's."""
        caller = caller_of(request)
        owner = None if caller.is_administrator else caller.name
        server.people.sessions.end(session_id, actor=caller.name, owner=owner)
        return {"id": session_id, "ended": True}

    @delete(opt=requires(Access.SIGNED_IN), status_code=200, sync_to_thread=True)
    def end_all(self, server: Server, request: Request[Any, Any, Any], name: Whose = None) -> dict[str, Any]:
        """End all sessions of those that ``GET`` lists, but the one that asks."""
        caller = caller_of(request)
        whose = _whose(request, name)
        ended = server.people.sessions.end_all(actor=caller.name, name=whose, spared=own_session(caller))
        return {"ended": len(ended)}


def own_session(caller: Caller) -> int | None:
    """Answer the id of the session that is calling; ``None`` where it is a token."""
    return caller.credential.id if caller.credential.kind is Kind.SESSION else None


def session_members(sessions: Sessions, session: Credential, caller: Caller) -> dict[str, Any]:
    """What is told of a session; what is not known of one is ``None``."""
    ends_at = session.expires_at
    return {
        "id": session.id,
        "name": session.name,
        "role": session.role,
        "method": session.method,
        "address": session.address or None,
        "browser": session.browser or None,
        "created_at": rfc3339(session.created_at),
        "last_used_at": rfc3339(sessions.last_used(session)),
        "expires_at": None if ends_at is None else rfc3339(ends_at),
        "current": session.id == own_session(caller),
    }


def _whose(request: Request[Any, Any, Any], name: str | None) -> str | None:
    """Answer whose sessions are meant, ``None`` for ``?everybody``'s. Raises :class:`Problem` (403)."""
    caller, everybody = caller_of(request), flags(request, "everybody", beside=frozenset({"name"}))["everybody"]
    if not everybody and name in {None, caller.name}:
        return caller.name
    if not caller.is_administrator:
        raise Problem(
            "role_required",
            title="An administrator's task",
            status=403,
            detail=f"Only an administrator may see or end the sessions of others, and {caller.name!r} is a "
            f"{caller.credential.role}. Your own are there without 'name' and 'everybody'.",
        )
    return None if everybody else name
