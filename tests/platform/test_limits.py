import pytest

from placet.platform.limits import GIB, MIB, AskedLimits, Limits, parse_memory, size_text
from placet.platform.manifest import parse_manifest
from placet.platform.problems import ModuleProblem

MANIFEST = b'[module]\nname = "orders"\nversion = "1"\nentrypoint = "orders.app:app"\n[limits]\n'


@pytest.mark.parametrize(("text", "size"), [("256 MiB", 256 * MIB), ("64MiB", 64 * MIB), ("1024 GiB", 1024 * GIB)])
def test_memory_is_read(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize(
    "text", ["", "1", "1 GB", "-1 GiB", "0 GiB", "63 MiB", "1025 GiB", "1e9 GiB", "1  GiB", "x" * 99]
)
def test_what_is_no_amount_of_memory_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"MiB"):
        parse_memory(text)


def test_a_module_can_only_ask_for_less() -> None:
    limits = Limits(memory=GIB, open_files=1000)
    assert limits.lowered(AskedLimits(memory=2 * GIB, open_files=2000)) == limits
    assert limits.lowered(AskedLimits()) == limits
    lowered = limits.lowered(AskedLimits(memory=64 * MIB, open_files=100))
    assert (lowered.memory, lowered.open_files) == (64 * MIB, 100)


def test_sizes_are_told_in_binary_units() -> None:
    assert [size_text(size) for size in (64 * MIB, GIB, GIB + GIB // 5)] == ["64 MiB", "1 GiB", "1.2 GiB"]


def test_a_manifest_asks() -> None:
    asked = parse_manifest(MANIFEST + b'memory = "256 MiB"\nfiles = 64\n').limits
    assert asked == AskedLimits(memory=256 * MIB, open_files=64)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("memory = 5", "'memory' in [limits] must be text"),
        ('memory = "1 MiB"', "'1 MiB' is not between 64 MiB and 1024 GiB"),
        ("files = 63", "'files' in [limits]"),
        ("files = true", "'files' in [limits]"),
        ('files = "100"', "'files' in [limits]"),
        ("cpu = 1", "is not known"),
    ],
)
def test_a_manifest_that_asks_for_nonsense_is_refused(line: str, said: str) -> None:
    with pytest.raises(ModuleProblem) as caught:
        parse_manifest(MANIFEST + line.encode())
    assert said in caught.value.detail
