"""Who the server is and who works with it: its key, and the roles of users and credentials."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, Table, or_, select, update

from placet.license.keys import KeyUnusable
from placet.platform.doctor.findings import Case, Change, Finding, Repair, some
from placet.platform.doctor.kinds import Kind
from placet.store.credentials import Kind as CredentialKind
from placet.store.credentials import Method, Role
from placet.store.installation import read_installation
from placet.store.schema import credentials, users


def examine_people(connection: Connection, _: Case) -> list[Finding]:
    """Examine the server's key, and what users and credentials may do."""
    return [*_key(connection), *_roles(connection, users), *_roles(connection, credentials), *_kinds(connection)]


def _key(connection: Connection) -> Iterator[Finding]:
    try:
        read_installation(connection).signing_key()
    except (KeyUnusable, ValueError):
        yield Finding(subject="installation", text="the server's key cannot be read", kind=Kind.SERVER_KEY_DAMAGED)
    else:
        yield Finding(subject="installation", text="the server's key is there")


def _roles(connection: Connection, table: Table) -> Iterator[Finding]:
    rows = connection.execute(select(table.c.name).where(table.c.role.not_in(list(Role))).order_by(table.c.id))
    names = [str(name) for name in rows.scalars()]
    if names:
        text = f"there is no such role as that of {some(names)}"
        yield Finding(subject=table.name, text=text, kind=Kind.ROLE_UNKNOWN, repair=_as_developers(table))


def _as_developers(table: Table) -> Repair:
    def repair(connection: Connection, _: Case) -> Change | None:
        unknown = table.c.role.not_in(list(Role))
        before = {row.name: row.role for row in connection.execute(select(table.c.name, table.c.role).where(unknown))}
        connection.execute(update(table).where(unknown).values(role=str(Role.DEVELOPER)))
        return Change(before, str(Role.DEVELOPER)) if before else None

    return repair


def _unknown() -> ColumnElement[bool]:
    return or_(credentials.c.kind.not_in(list(CredentialKind)), credentials.c.method.not_in(list(Method)))


def _kinds(connection: Connection) -> Iterator[Finding]:
    unknown = _unknown()
    names = [str(name) for name in connection.execute(select(credentials.c.name).where(unknown)).scalars()]
    if names:
        text = f"of {some(names)} there are credentials of a kind nobody knows"
        yield Finding(subject="credentials", text=text, kind=Kind.CREDENTIAL_UNKNOWN, repair=_without_unknown)


def _without_unknown(connection: Connection, _: Case) -> Change | None:
    unknown = _unknown()
    removed = connection.execute(credentials.delete().where(unknown)).rowcount
    return Change(f"{removed:,} credentials", "0 credentials") if removed else None
