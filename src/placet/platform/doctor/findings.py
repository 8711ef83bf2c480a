"""What the doctor says, and what it is asked about."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from placet.enforcement import Product
from placet.license.keys import TrustStore
from placet.platform.doctor.kinds import EXPLAINED, Kind
from placet.platform.layout import Layout
from placet.store.database import Database


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """An installation to examine at ``now``; ``server_runs`` on its data directory or not."""

    database: Database
    layout: Layout
    product: Product
    trust: TrustStore | None
    now: datetime
    server_runs: bool


class Change(NamedTuple):
    """What a repair found and what it made of it, as JSON."""

    before: Any
    after: Any


Repair = Callable[[Connection, Case], Change | None]
"""Mends in the caller's transaction, by what it finds there; ``None`` where there was nothing to mend any more."""

FileRepair = Callable[[Case], Change | None]
"""The same for files, while the data directory is held."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was examined, and whether it is as it has to be; ``kind`` is ``None`` where it is."""

    subject: str
    text: str
    kind: Kind | None = None
    repair: Repair | None = None
    file_repair: FileRepair | None = None

    @property
    def ok(self) -> bool:
        """It is as it has to be."""
        return self.kind is None

    @property
    def meaning(self) -> str | None:
        """What follows from it."""
        return None if self.kind is None else EXPLAINED[self.kind].meaning

    @property
    def remedy(self) -> str | None:
        """What a repair does, or why only a person can decide."""
        return None if self.kind is None else EXPLAINED[self.kind].remedy


def some(names: list[str], *, most: int = 3) -> str:
    """Name the first few: ``'a', 'b', 'c' and 4 more``."""
    told = ", ".join(repr(name) for name in names[:most])
    return f"{told} and {len(names) - most:,} more" if len(names) > most else told
