"""Whether anything has changed that pages tell of: the license, usage, modules."""

from collections.abc import Hashable

from sqlalchemy import Connection, select

from placet.store.modules import active_ids
from placet.store.schema import installation, meters, totals


def mark(connection: Connection) -> Hashable:
    """Answer a value that is another one after each change of the license, of usage, or of the published modules."""
    revision = connection.execute(select(installation.c.revision)).scalar_one()
    used = connection.execute(select(totals.c.feature, totals.c.used).order_by(totals.c.feature)).all()
    metered = connection.execute(select(meters.c.feature, meters.c.used).order_by(meters.c.feature)).all()
    served = hash(frozenset(active_ids(connection).items()))
    return (revision, tuple(map(tuple, used)), tuple(map(tuple, metered)), served)
