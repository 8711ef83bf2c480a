"""Server-sent events (WHATWG HTML, section 9.2), read line by line."""

from collections.abc import Iterable, Iterator


def events_of(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Answer each event with its data; comments and what has no data are passed over."""
    event, data = "message", list[str]()
    for line in lines:
        if not line:
            if any(data):
                yield event, "\n".join(data)
            event, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            event = value
        elif field == "data":
            data.append(value)
