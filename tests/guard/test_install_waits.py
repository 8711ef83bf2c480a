"""A license is installed once what was decided by the one before it is written: nothing is counted by it afterwards."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet

import pytest
from sqlalchemy import Connection

from guard_support.guards import install, opened
from placet.store import metering, usage
from proof_support.product import CALLS, DESKS, FOUGHT_FOR, SLOTS, UNITS, grants

MOST = {UNITS: 10, SLOTS: 10, CALLS: 10, DESKS: 10}


@pytest.mark.parametrize(
    ("lock", "feature"), [(usage.lock, UNITS), (usage.lock, DESKS), (metering.lock, CALLS)], ids=[UNITS, DESKS, CALLS]
)
def test_a_license_waits_for_who_is_counting(
    database_url: str, lock: Callable[[Connection, list[str]], None], feature: str
) -> None:
    counting, installing = (opened(database_url, product=FOUGHT_FOR) for _ in range(2))
    install(installing, features=grants(MOST))
    with ThreadPoolExecutor(1) as pool:
        with counting.database.write() as connection:
            lock(connection, [feature])
            done = pool.submit(install, installing, jti="L-2", features=grants({**MOST, feature: 5}))
            with pytest.raises(NotYet):
                done.result(timeout=0.3)
        assert done.result(timeout=10).installed
    counting.close()
    installing.close()
