"""Tokens, sessions and links for passwords."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from placet.store.credentials import Credential, Kind, Method, Role
from placet.web.access import Access
from placet.web.addresses import CREDENTIALS, password_link
from placet.web.api.parameters import PersonName
from placet.web.api.sessions import own_session
from placet.web.console.asking import Asking
from placet.web.console.paging import Paging
from placet.web.console.told import Told
from placet.web.console.view import Change, Confirmation, Group, Shown, View
from placet.web.console.words import Moment, browser_of, moment

_METHODS = {
    Method.LINK: "one-time link",
    Method.TOKEN: "token",
    Method.PASSWORD: "password",
    Method.OPENID: "OpenID provider",
    None: "not known",
}

_ON_A_PAGE = 100

Id = Annotated[int, Meta(ge=1, le=2**53)]


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A session as the page has it."""

    id: int
    name: str
    method: str
    browser: str
    address: str
    created: Moment
    used: Moment
    current: bool


class TokenRow(msgspec.Struct, frozen=True, kw_only=True):
    """A token as the page has it."""

    id: int
    name: str
    role: str
    created: Moment


class OneTime(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that is shown once."""

    title: str
    text: str
    name: str
    secret: str


class NewToken(msgspec.Struct, frozen=True):
    """A token to make."""

    name: PersonName
    role: Role


class ForUser(msgspec.Struct, frozen=True):
    """Who is to set a password."""

    name: PersonName


class One(msgspec.Struct, frozen=True):
    """A token or a session; ``everybody``: of the list of everybody's, which is shown again then."""

    id: Id
    everybody: bool = False


class Whose(msgspec.Struct, frozen=True):
    """Whose sessions: the caller's own, or everybody's."""

    everybody: bool = False


def _show(asking: Asking) -> Mapping[str, Any]:
    """One's own sessions and the tokens; or everybody's sessions alone. The list that may be long comes by pages."""
    people, caller = asking.server.people, asking.caller
    everybody = caller.is_administrator and "everybody" in asking.request.query_params
    sessions = people.sessions.in_force(None if everybody else caller.name)
    tokens = people.in_force(Kind.TOKEN) if caller.is_administrator and not everybody else []
    paging = Paging.of(asking, len(sessions if everybody else tokens), _ON_A_PAGE)
    shown = slice(paging.first, paging.end)
    return {
        "sessions": [_row(asking, item) for item in (sessions[shown] if everybody else sessions[-_ON_A_PAGE:])],
        "tokens": [TokenRow(id=t.id, name=t.name, role=t.role, created=moment(t.created_at)) for t in tokens[shown]],
        "everybody": everybody,
        "paging": paging,
        "lifetimes": people.sessions.lifetimes,
        "once": None,
    }


def _row(asking: Asking, session: Credential) -> SessionRow:
    return SessionRow(
        id=session.id,
        name=session.name,
        method=_METHODS[session.method],
        browser=browser_of(session.browser),
        address=session.address or "not known",
        created=moment(session.created_at),
        used=moment(asking.server.people.sessions.last_used(session)),
        current=session.id == own_session(asking.caller),
    )


def _make_token(asking: Asking, form: NewToken) -> Shown:
    _, secret = asking.server.people.create_token(form.name, form.role, actor=asking.caller.name)
    text = f"A token with the role {form.role}, of"
    return Shown(context={"once": OneTime(title="The new token", text=text, name=form.name, secret=secret)})


def _make_link(asking: Asking, form: ForUser) -> Shown:
    code, _ = asking.server.people.passwords.make_link(form.name, actor=asking.caller.name)
    title, text = "The link to set a password", "It works once, within a day, and is for"
    link = password_link(asking.request, code)
    return Shown(context={"once": OneTime(title=title, text=text, name=form.name, secret=link)})


def _revoke(asking: Asking, form: One) -> Told:
    asking.server.people.revoke_token(form.id, actor=asking.caller.name)
    return Told(text=f"Token {form.id} is revoked. What calls with it is refused from now on.")


def _ask_to_revoke(asking: Asking, form: One) -> Confirmation | None:
    token = next((item for item in asking.server.people.in_force(Kind.TOKEN) if item.id == form.id), None)
    if token is None:
        return None  # doing it says why it cannot be done
    sentences = (
        f"Token {token.id} is {token.name}'s, a {token.role}'s, and was made at {moment(token.created_at).words}.",
        "Whatever calls with it is refused at once. It cannot be put in force again.",
    )
    return Confirmation(title=f"Revoke token {token.id}?", sentences=sentences, button="Revoke it")


def _end(asking: Asking, form: One) -> Told:
    caller = asking.caller
    owner = None if caller.is_administrator else caller.name
    session = asking.server.people.sessions.end(form.id, actor=caller.name, owner=owner)
    text = f"Session {session.id} of {session.name} has ended. Whoever had it has to sign in again."
    return Told(text=text, at=f"{CREDENTIALS}?everybody" if form.everybody else None)


def _end_all(asking: Asking, form: Whose) -> Told:
    caller = asking.caller
    name = None if form.everybody and caller.is_administrator else caller.name
    ended = asking.server.people.sessions.end_all(actor=caller.name, name=name, spared=own_session(caller))
    return Told(text=f"{len(ended)} {'session has' if len(ended) == 1 else 'sessions have'} ended.")


def _ask_to_end_all(asking: Asking, form: Whose) -> Confirmation | None:
    if not (form.everybody and asking.caller.is_administrator):
        return None
    others = [s for s in asking.server.people.sessions.in_force() if s.id != own_session(asking.caller)]
    sentences = (
        f"Everybody who is signed in but you has to sign in again: {len(others)} in all.",
        "What they typed and did not send is lost. Tokens stay in force.",
    )
    return Confirmation(title="End everybody's sessions?", sentences=sentences, button="End them")


VIEW = View(
    path=CREDENTIALS,
    template="credentials.html",
    access=Access.SIGNED_IN,
    title="Tokens & sessions",
    group=Group.PEOPLE,
    show=_show,
    changes=(
        Change(path="token", form=NewToken, do=_make_token),
        Change(path="revoke", form=One, do=_revoke, confirm=_ask_to_revoke),
        Change(path="password-link", form=ForUser, do=_make_link),
        Change(path="end", form=One, do=_end, access=Access.SIGNED_IN),
        Change(path="end-all", form=Whose, do=_end_all, access=Access.SIGNED_IN, confirm=_ask_to_end_all),
    ),
)
