"""The installation: which server this is, and what bears on its license beside the license itself."""

from datetime import datetime

import msgspec
from sqlalchemy import Connection, insert, select, update

from placet.license import serial
from placet.license.keys import SigningKey
from placet.store import dialects
from placet.store.rows import the_one
from placet.store.schema import installation


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """The one row. ``revision`` grows with every change that bears on the license; ``server_key`` is a secret."""

    serial_number: str
    server_key: str
    created_at: datetime
    revision: int
    license_id: int | None
    newest_moment: datetime | None
    evaluation_jti: str | None
    evaluation_started_at: datetime | None
    status_list: str | None
    status_list_sequence: int | None

    def __repr__(self) -> str:
        return f"Installation(serial_number={self.serial_number!r}, revision={self.revision})"

    def signing_key(self) -> SigningKey:
        """Answer the server's own key pair, which signs its license requests."""
        return SigningKey.from_pem(self.server_key.encode())


_COLUMNS = [installation.c[name] for name in Installation.__struct_fields__]


def read_installation(connection: Connection) -> Installation:
    """Answer the installation; :func:`ensure_installation` has made it."""
    return the_one(Installation, connection.execute(select(*_COLUMNS)))


def ensure_installation(connection: Connection, now: datetime) -> None:
    """Give the server its identity, once: a serial number and a key pair of its own."""
    if _is_there(connection):
        return
    dialects.set_up_alone(connection)
    if not _is_there(connection):
        identity = {"serial_number": serial.generate(), "server_key": SigningKey.generate().to_pem().decode()}
        connection.execute(insert(installation).values(id=1, created_at=now, revision=1, **identity))


def _is_there(connection: Connection) -> bool:
    return connection.execute(select(installation.c.id)).first() is not None


def lock_installation(connection: Connection) -> None:
    """Lock the installation until the transaction ends, so that what is decided by its row stays true."""
    connection.execute(select(installation.c.id).with_for_update())


def change_installation(connection: Connection, **values: object) -> None:
    """Set columns of the installation, count its revision up, and tell the other servers."""
    connection.execute(update(installation).values(revision=installation.c.revision + 1, **values))
    dialects.tell_change(connection)


def renew_identity(connection: Connection) -> str:
    """Make this installation another server: a new serial number and key pair. Answers the serial number."""
    number = serial.generate()
    change_installation(connection, serial_number=number, server_key=SigningKey.generate().to_pem().decode())
    return number


def note_moment(connection: Connection, now: datetime) -> None:
    """Remember ``now`` as the newest moment seen under the installed license, if it is."""
    newest = installation.c.newest_moment
    connection.execute(
        update(installation).where(installation.c.license_id.is_not(None), (newest < now) | newest.is_(None)),
        {"newest_moment": now},
    )
