"""Settling what a publish left, while the database may still be at its commit."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builders import NOW
from placet.platform.journals import Journal, Journals
from placet.platform.layout import Layout
from placet.platform.product import SOFTWARE_UNITS
from placet.store import modules, usage
from placet.store.database import Database
from placet.store.modules import ModuleVersion
from store_support.databases import KINDS, new_databases

VERSION = ModuleVersion(
    id="0001",
    module="shop",
    version="1.0.0",
    entrypoint="shop:app",
    units=1,
    elements=[],
    digest="0" * 64,
    published_at=NOW,
    published_by="me",
)
JOURNAL = Journal(version_id=VERSION.id, module=VERSION.module, created=[], first=True)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with new_databases(request.param, tmp_path) as make:
        opened = Database.open(make())
        with opened.write() as connection:
            usage.ensure_totals(connection, [SOFTWARE_UNITS])
        yield opened
        opened.close()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "data")
    made.make()
    made.version(VERSION.module, VERSION.id).mkdir(parents=True)
    return made


@pytest.mark.parametrize("committed", [True, False])
def test_it_waits_for_a_transaction_that_may_yet_be_committed(
    database: Database, layout: Layout, committed: bool
) -> None:
    journals, settling = Journals(database, layout), threading.Event()
    journals.begin(JOURNAL)

    def settle() -> bool:
        settling.set()
        return journals.settle(VERSION.id)

    with ThreadPoolExecutor() as pool, database.engine.connect() as connection:
        transaction = connection.begin()
        usage.lock(connection, [SOFTWARE_UNITS])
        modules.activate(connection, VERSION, b"zip")
        answer = pool.submit(settle)
        assert settling.wait(10)
        with pytest.raises(TimeoutError):
            answer.result(0.3)
        transaction.commit() if committed else transaction.rollback()
        assert answer.result(10) is committed
    assert layout.version(VERSION.module, VERSION.id).exists() is committed
    assert list(layout.journals.iterdir()) == []
