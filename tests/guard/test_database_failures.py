"""What an embedder is told where the database fails, or is asked for what it cannot do."""

import pytest
from sqlalchemy.exc import OperationalError

import placet
from guard_support.guards import opened
from placet.guard import Guard
from placet.store.failures import DatabaseLost
from store_support.cuttable_proxy import CuttableProxy
from store_support.postgres import lent_database, shared_server


def test_the_kinds_of_failure_are_told_apart() -> None:
    for kind in (placet.DatabaseUnavailable, placet.OutcomeUnknown, placet.DatabaseDamaged):
        assert issubclass(kind, placet.DatabaseFailed)
        assert not issubclass(kind, placet.DatabaseUnavailable) or kind is placet.DatabaseUnavailable
    assert issubclass(DatabaseLost, placet.DatabaseUnavailable)
    assert all(getattr(placet, name) for name in placet.__all__)


@pytest.mark.parametrize("inner", ["allocation", "allocate", "release"])
def test_an_allocation_inside_an_allocation_is_one_clear_mistake(licensed: Guard, inner: str) -> None:
    def nest() -> None:
        with licensed.allocation("publish", "orders", software_units=1):
            if inner == "allocation":
                with licensed.allocation("publish", "others", software_units=1):
                    pass
            elif inner == "allocate":
                licensed.allocate("publish", "others", software_units=1)
            else:
                licensed.releasing("others", "software_units").__enter__()

    before = licensed.status().features["software_units"].used
    with pytest.raises(placet.NestedTransaction, match="Do its work on the connection of the outer one, or after it"):
        nest()
    assert licensed.status().features["software_units"].used == before
    licensed.allocate("publish", "others", software_units=1)


def test_a_database_that_is_away_is_told_in_words_of_this_package() -> None:
    with lent_database() as url, CuttableProxy(shared_server().port) as network:
        guard = opened(url.replace(f":{shared_server().port}/", f":{network.port}/"))
        network.cut()
        for ask in (
            lambda: guard.allocate("publish", "orders", software_units=1),
            lambda: guard.preview("publish", "orders", software_units=1),
            guard.history,
            guard.refresh,
        ):
            with pytest.raises(placet.DatabaseUnavailable, match="Nothing was changed; try again") as caught:
                ask()
            assert caught.value.__cause__ is None or isinstance(caught.value.__cause__, OperationalError)
        guard.close()
