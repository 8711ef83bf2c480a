"""What one worker may use of the machine: memory, open files, processes."""

import re

import msgspec

MIB = 1024 * 1024
GIB = 1024 * MIB
LEAST_MEMORY = 64 * MIB
MOST_MEMORY = 1024 * GIB
LEAST_FILES = 64
MOST_FILES = 1024 * 1024
_FORM = re.compile(r"([1-9][0-9]{0,6}) ?(MiB|GiB)")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of a worker with all that it starts; `open_files` are those of each of its processes."""

    memory: int = GIB
    open_files: int = 1024
    processes: int = 64

    def lowered(self, asked: "AskedLimits") -> "Limits":
        """Return these limits, lower where a module asks for less. What asks for more gets no more."""
        return Limits(
            memory=min(self.memory, asked.memory or self.memory),
            open_files=min(self.open_files, asked.open_files or self.open_files),
            processes=self.processes,
        )

    def notes(self, asked: "AskedLimits") -> tuple[str, ...]:
        """Say, for people, what a module asks for and does not get."""
        notes = []
        if (asked.memory or 0) > self.memory:
            wanted, most = size_text(asked.memory or 0), size_text(self.memory)
            notes.append(f"module.toml asks for {wanted} of memory, and this server gives a module {most} at most.")
        if (asked.open_files or 0) > self.open_files:
            wanted, most = f"{asked.open_files:,}", f"{self.open_files:,}"
            notes.append(f"module.toml asks for {wanted} open files, and this server gives a process {most} at most.")
        advice = (
            "The module gets that. Its administrator may allow more (placet serve --module-memory, --module-files)."
        )
        return tuple(f"{note} {advice}" for note in notes)

    @property
    def address_space(self) -> int:
        """The backstop: bytes that one process may map, far above what it may use, since much is mapped unused."""
        return 4 * self.memory + 4 * GIB


class AskedLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a module says in `[limits]`; None where it says nothing."""

    memory: int | None = None
    open_files: int | None = None


DEFAULT_LIMITS = Limits()


def parse_memory(text: str) -> int:
    """Read `256 MiB` or `1GiB` as bytes. Raises `ValueError`, saying the accepted form, outside 64 MiB to 1024 GiB."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text[:40]}' is no amount of memory; write a whole number and MiB or GiB, such as 256 MiB")
    size = int(match[1]) * (GIB if match[2] == "GiB" else MIB)
    if not LEAST_MEMORY <= size <= MOST_MEMORY:
        raise ValueError(f"'{text}' is not between 64 MiB and 1024 GiB")
    return size


def size_text(size: int) -> str:
    """Return bytes for people: `1.2 GiB`, `64 MiB`."""
    return f"{size / GIB:.4g} GiB" if size >= GIB else f"{size / MIB:.3g} MiB"
