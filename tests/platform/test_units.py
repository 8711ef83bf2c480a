from datetime import timedelta
from pathlib import Path

from placet.platform.manifest import Timer
from placet.platform.schema_files import Entity
from placet.platform.units import ElementKind, Weights, count, find_screens

FOUND = {
    "screens": ["screens/a.html", "screens/b.html"],
    "entities": [Entity(kind="table", name="orders"), Entity(kind="view", name="recent")],
    "operations": ["GET /", "ANY /plain", "WEBSOCKET /feed"],
    "timers": [Timer(name="tidy", every=timedelta(minutes=5), call="orders.jobs:tidy")],
}


def test_each_element_counts_one_by_default() -> None:
    units = count(**FOUND)  # type: ignore[arg-type]
    assert units.total == 8 == len(units.elements)


def test_the_total_is_the_sum_of_the_weights() -> None:
    units = count(**FOUND, weights=Weights(screen=3, entity=2, operation=0, timer=10))  # type: ignore[arg-type]
    assert units.total == 2 * 3 + 2 * 2 + 0 + 10
    assert [element.weight for element in units.elements if element.kind is ElementKind.SCREEN] == [3, 3]


def test_every_element_says_why_it_counts() -> None:
    whys = {element.name: element.why for element in count(**FOUND).elements}  # type: ignore[arg-type]
    assert whys == {
        "screens/a.html": "a file under screens/",
        "screens/b.html": "a file under screens/",
        "orders": "a table that schema.sql creates",
        "recent": "a view that schema.sql creates",
        "GET /": "GET of / in the application's route table",
        "ANY /plain": "an application at /plain that shows no single methods",
        "WEBSOCKET /feed": "a WebSocket route at /feed",
        "tidy": "a [[timer]] that calls orders.jobs:tidy",
    }


def test_nothing_counts_nothing() -> None:
    assert count(screens=[], entities=[], operations=[], timers=[]).total == 0


def test_a_module_without_screens(tmp_path: Path) -> None:
    assert find_screens(tmp_path) == []
