"""Counts the Software Units of a module by public weights, element by element, so that every count can be explained."""

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from placet.platform.manifest import Timer
    from placet.platform.schema_files import Entity

SCREENS_DIRECTORY = "screens"
SCREEN_SUFFIX = ".html"


class ElementKind(StrEnum):
    """What a module is made of, as far as it is counted."""

    SCREEN = "screen"
    ENTITY = "entity"
    OPERATION = "operation"
    TIMER = "timer"


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """How many Software Units one element of each kind is. Data of the product definition."""

    screen: int = 1
    entity: int = 1
    operation: int = 1
    timer: int = 1

    def of(self, kind: ElementKind) -> int:
        """Return the weight of one element of `kind`."""
        return {
            ElementKind.SCREEN: self.screen,
            ElementKind.ENTITY: self.entity,
            ElementKind.OPERATION: self.operation,
            ElementKind.TIMER: self.timer,
        }[kind]


class Element(msgspec.Struct, frozen=True, kw_only=True):
    """One counted thing: its name within its kind, its weight in Software Units, and why it counts."""

    kind: ElementKind
    name: str
    weight: int
    why: str


class UnitCount(msgspec.Struct, frozen=True, kw_only=True):
    """The Software Units of a module: `total` is the sum of the weights of `elements`."""

    total: int
    elements: tuple[Element, ...]


DEFAULT_WEIGHTS = Weights()


def count(
    *,
    screens: "Iterable[str]",
    entities: "Iterable[Entity]",
    operations: "Iterable[str]",
    timers: "Iterable[Timer]",
    weights: Weights = DEFAULT_WEIGHTS,
) -> UnitCount:
    """Count what was found in a module: screens as paths, operations as `GET /orders`, in this order."""
    found = [
        *((ElementKind.SCREEN, path, f"a file under {SCREENS_DIRECTORY}/") for path in screens),
        *((ElementKind.ENTITY, item.name, f"a {item.kind} that schema.sql creates") for item in entities),
        *((ElementKind.OPERATION, name, _why_operation(name)) for name in operations),
        *((ElementKind.TIMER, timer.name, f"a [[timer]] that calls {timer.call}") for timer in timers),
    ]
    elements = tuple(Element(kind=kind, name=name, weight=weights.of(kind), why=why) for kind, name, why in found)
    return UnitCount(total=sum(element.weight for element in elements), elements=elements)


def find_screens(directory: "Path") -> "Sequence[str]":
    """Return the screens of an unpacked module, sorted: `*.html` under `screens/`, relative to the module."""
    found = (directory / SCREENS_DIRECTORY).rglob("*")
    screens = (path for path in found if path.suffix.lower() == SCREEN_SUFFIX and path.is_file())
    return sorted(path.relative_to(directory).as_posix() for path in screens)


def _why_operation(name: str) -> str:
    method, _, path = name.partition(" ")
    if method == "ANY":
        return f"an application at {path} that shows no single methods"
    if method == "WEBSOCKET":
        return f"a WebSocket route at {path}"
    return f"{method} of {path} in the application's route table"
