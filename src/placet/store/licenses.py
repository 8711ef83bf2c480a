"""The licenses that were installed: their signed bytes, which are the truth, and an index of them."""

from datetime import datetime

import msgspec
from sqlalchemy import Connection, insert, select

from placet.license.document import License
from placet.store.rows import all_of, one_of, storable
from placet.store.schema import licenses


class InstalledLicense(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the license history. ``signed`` has to be verified before anything of it is believed."""

    id: int
    digest: str
    jti: str
    signed: str
    issuer: str
    customer: str
    serial_number: str
    expires_at: datetime
    installed_at: datetime
    installed_by: str
    restored_from: int | None


_COLUMNS = [licenses.c[name] for name in InstalledLicense.__struct_fields__]


def add_license(
    connection: Connection, license_: License, *, now: datetime, actor: str, restored_from: int | None = None
) -> int:
    """Append a verified license to the history; answers its id there."""
    terms = license_.terms
    result = connection.execute(
        insert(licenses)
        .values(
            digest=license_.digest,
            jti=terms.jti,
            signed=license_.signed,
            issuer=terms.iss,
            customer=terms.customer,
            serial_number=terms.serial_number,
            expires_at=terms.expires_at(),
            installed_at=now,
            installed_by=storable(actor),
            restored_from=restored_from,
        )
        .returning(licenses.c.id)
    )
    return int(result.scalar_one())


def read_license(connection: Connection, license_id: int) -> InstalledLicense | None:
    """Answer one entry of the history."""
    return one_of(InstalledLicense, connection.execute(select(*_COLUMNS).where(licenses.c.id == license_id)))


def was_installed(connection: Connection, jti: str) -> bool:
    """Tell whether the license ``jti`` was ever installed here."""
    return connection.execute(select(licenses.c.id).where(licenses.c.jti == jti).limit(1)).first() is not None


def history(connection: Connection, *, most: int = 1000) -> list[InstalledLicense]:
    """Answer the history, newest first."""
    query = select(*_COLUMNS).order_by(licenses.c.id.desc()).limit(most)
    return all_of(InstalledLicense, connection.execute(query))
