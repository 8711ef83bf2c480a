"""Long lists by pages: an address for each, so that they work without a script, and what was looked for is kept."""

from urllib.parse import urlencode

import msgspec

from placet.web.console.asking import Asking

MOST_PAGES = 100_000


class Paging(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a list of ``count`` rows: those from ``first`` (0 is the first row), at most ``size`` of them.

    ``previous`` and ``next`` are the addresses of the neighbours, ``None`` where there is none.
    """

    count: int
    first: int
    size: int
    number: int
    pages: int
    previous: str | None
    next: str | None

    @classmethod
    def of(cls, asking: Asking, count: int, size: int) -> "Paging":
        """Answer the page that ``?page=`` asks for; the last where there are fewer, the first for nonsense."""
        pages = max(1, -(-count // size))
        asked = asking.query("page", most=10)
        number = min(int(asked), pages, MOST_PAGES) if asked.isascii() and asked.isdigit() else 1
        number = max(1, number)
        kept = [(name, value[:200]) for name, value in asking.request.query_params.multi_items() if name != "page"]
        address = f"{asking.request.url.path}?"
        before = f"{address}{urlencode([*kept, ('page', number - 1)])}" if number > 1 else None
        after = f"{address}{urlencode([*kept, ('page', number + 1)])}" if number < pages else None
        first = (number - 1) * size
        return cls(count=count, first=first, size=size, number=number, pages=pages, previous=before, next=after)

    @property
    def end(self) -> int:
        """The row after the last of the page."""
        return min(self.first + self.size, self.count)
