"""Users, tokens and the audit trail over HTTP."""

from datetime import timedelta
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, post
from litestar.params import JSONBody, Parameter
from msgspec import Meta

from placet.license.instants import rfc3339
from placet.platform.inactive_users import Inactivity
from placet.store import audit
from placet.store.credentials import Kind, Role
from placet.store.users import User
from placet.web.access import Access, caller_of, requires
from placet.web.addresses import password_link
from placet.web.api.parameters import SMALL_BODY, PersonName, Server, UserName, flags
from placet.web.render import notice_members


class NewUser(msgspec.Struct, frozen=True):
    """A user to add."""

    name: PersonName
    role: Role = Role.DEVELOPER


class NewToken(msgspec.Struct, frozen=True):
    """A token to make."""

    name: PersonName
    role: Role = Role.DEVELOPER


class UserController(Controller):
    """``/api/v1/users``."""

    path = "/api/v1/users"
    tags = ("users",)

    @get(opt=requires(Access.ADMINISTRATOR), sync_to_thread=True)
    def users(self, server: Server) -> list[dict[str, Any]]:
        """The users. A deactivated one holds no seat."""
        return [_user(user) for user in server.people.users()]

    @post(opt=requires(Access.ADMINISTRATOR), request_max_body_size=SMALL_BODY, sync_to_thread=True)
    def add(self, server: Server, request: Request[Any, Any, Any], data: JSONBody[NewUser]) -> dict[str, Any]:
        """Add a user, who is active and takes a seat."""
        user, decision = server.people.add(data.name, data.role, actor=caller_of(request).name)
        return _user(user) | {"warnings": notice_members(decision.warnings)}

    @post("/{name:str}/activate", opt=requires(Access.ADMINISTRATOR), status_code=200, sync_to_thread=True)
    def activate(self, server: Server, request: Request[Any, Any, Any], name: UserName) -> dict[str, Any]:
        """Give a user a seat again."""
        user, decision = server.people.activate(name, actor=caller_of(request).name)
        return _user(user) | {"warnings": notice_members(decision.warnings)}

    @post("/{name:str}/deactivate", opt=requires(Access.ADMINISTRATOR), status_code=200, sync_to_thread=True)
    def deactivate(self, server: Server, request: Request[Any, Any, Any], name: UserName) -> dict[str, Any]:
        """Free a user's seat, whatever the license says."""
        return _user(server.people.deactivate(name, actor=caller_of(request).name))

    @post("/{name:str}/password-link", opt=requires(Access.ADMINISTRATOR), status_code=200, sync_to_thread=True)
    def password_link(self, server: Server, request: Request[Any, Any, Any], name: UserName) -> dict[str, Any]:
        """Make a link with which a user sets a password, once, within a day. This answer is the only time it is told.

        Earlier links of the user end. The password there is stays until the link is used.
        """
        code, ends_at = server.people.passwords.make_link(name, actor=caller_of(request).name)
        return {"name": name, "link": password_link(request, code), "expires_at": rfc3339(ends_at)}

    @post("/{name:str}/unlink", opt=requires(Access.ADMINISTRATOR), status_code=200, sync_to_thread=True)
    def unlink(self, server: Server, request: Request[Any, Any, Any], name: UserName) -> dict[str, Any]:
        """Forget who a user is at the OpenID provider: the next one there of that name is this user."""
        was_known = server.people.sign_ins.unlink(name, actor=caller_of(request).name)
        return {"name": name, "unlinked": was_known}


class CleanUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose seats to free: users not seen for so many days, but those excluded, and administrators only if said so."""

    inactive_days: Annotated[int, Meta(ge=1, le=3660)]
    exclude: Annotated[list[PersonName], Meta(max_length=1000)] = []
    administrators: bool = False


@post(
    "/api/v1/users/clean-up",
    opt=requires(Access.ADMINISTRATOR),
    tags=["users"],
    status_code=200,
    request_max_body_size=4 * SMALL_BODY,
    sync_to_thread=True,
)
def clean_up(server: Server, request: Request[Any, Any, Any], data: JSONBody[CleanUp]) -> dict[str, Any]:
    """Free the seats of inactive users, never the caller's own. ``?dry_run`` answers whose they would be."""
    dry_run, actor = flags(request, "dry_run")["dry_run"], caller_of(request).name
    lasting, excluded = timedelta(days=data.inactive_days), frozenset(data.exclude)
    inactivity = Inactivity(lasting=lasting, excluded=excluded, administrators=data.administrators)
    if dry_run:
        found = [user for user in server.people.inactive.find(inactivity) if user.name != actor]
    else:
        found = server.people.clean_up(inactivity, actor=actor)
    return {"dry_run": dry_run, "seats": len(found), "users": [_user(user) for user in found]}


class TokenController(Controller):
    """``/api/v1/tokens``."""

    path = "/api/v1/tokens"
    tags = ("tokens",)

    @get(opt=requires(Access.ADMINISTRATOR), sync_to_thread=True)
    def tokens(self, server: Server) -> list[dict[str, Any]]:
        """The tokens in force, without their secrets."""
        return [
            {"id": item.id, "name": item.name, "role": item.role, "created_at": rfc3339(item.created_at)}
            for item in server.people.in_force(Kind.TOKEN)
        ]

    @post(opt=requires(Access.ADMINISTRATOR), request_max_body_size=SMALL_BODY, sync_to_thread=True)
    def create(self, server: Server, request: Request[Any, Any, Any], data: JSONBody[NewToken]) -> dict[str, Any]:
        """Make a token. This answer is the only time it is told."""
        token_id, secret = server.people.create_token(data.name, data.role, actor=caller_of(request).name)
        return {"id": token_id, "name": data.name, "role": data.role, "token": secret}

    @delete("/{token_id:int}", opt=requires(Access.ADMINISTRATOR), status_code=200, sync_to_thread=True)
    def revoke(
        self,
        server: Server,
        request: Request[Any, Any, Any],
        token_id: Annotated[int, Parameter(ge=1, le=2**53)],
    ) -> dict[str, Any]:
        """Revoke a token."""
        server.people.revoke_token(token_id, actor=caller_of(request).name)
        return {"id": token_id, "revoked": True}


@get("/api/v1/audit", opt=requires(Access.ADMINISTRATOR), tags=["audit"], sync_to_thread=True)
def audit_events(
    server: Server,
    before: Annotated[int | None, Parameter(ge=1, le=2**53, required=False)] = None,
    most: Annotated[int, Parameter(ge=1, le=1000)] = 200,
) -> list[dict[str, Any]]:
    """The audit trail, newest first; ``before`` is the id of an event to go on from."""
    with server.guard.database.read() as connection:
        found = audit.events(connection, most=most, before=before)
    return [msgspec.structs.asdict(event) | {"at": rfc3339(event.at)} for event in found]


def _user(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "role": user.role,
        "active": user.active,
        "created_at": rfc3339(user.created_at),
        "changed_at": rfc3339(user.changed_at),
        "last_seen_at": None if user.last_seen_at is None else rfc3339(user.last_seen_at),
    }
