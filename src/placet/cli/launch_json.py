"""``.vscode/launch.json``: JSON with comments, which people write by hand. One configuration in it is put or replaced.

1. Comments and trailing commas are blanked out in a copy, so that it is JSON and every character keeps its place.
2. The place of the configuration, or of the list it belongs to, is looked up in the copy.
3. The text itself is changed at that place alone, and only kept if it reads back as it was, with the configuration.
"""

import json
import re
from pathlib import Path
from typing import Any

_MOST_BYTES = 1024 * 1024
_STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_STRING_OR_COMMA = re.compile(r'"(?:\\.|[^"\\\n])*"|,(?=\s*[\]}])', re.DOTALL)
_SPACE = re.compile(r"\s*")


def put_configuration(path: Path, configuration: dict[str, Any]) -> None:
    """Put a configuration, by its name, into the file, which is made where it is not there.

    Raises ``ValueError`` where the file cannot be understood, and ``OSError``; it is left as it was then.
    """
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"version": "0.2.0", "configurations": [configuration]}, indent=4) + "\n")
        return
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError("it is larger than 1 MiB")
    text = path.read_bytes().decode("utf-8-sig")
    changed = with_configuration(text, configuration)
    if changed != text:
        temporary = path.resolve().with_suffix(".json.tmp")
        temporary.write_bytes(changed.encode())
        temporary.replace(path.resolve())


def with_configuration(text: str, configuration: dict[str, Any]) -> str:
    """Answer the text of a launch.json with the configuration in it; raises ``ValueError``."""
    plain = _blanked(text)
    before = json.loads(plain)
    if not isinstance(before, dict) or not isinstance(before.get("configurations"), list):
        raise ValueError("it has no list of configurations")  # noqa: TRY004 - of a text, not of an argument
    start, _ = _members(plain, _next(plain, 0))["configurations"]
    items = _items(plain, start)
    names = [item.get("name") if isinstance(item, dict) else None for item in before["configurations"]]
    written = json.dumps(configuration, indent=4).replace("\n", "\n        ")
    if configuration["name"] in names:
        at, until = items[names.index(configuration["name"])]
        changed = text[:at] + written + text[until:]
    else:
        changed = f"{text[: start + 1]}\n        {written}{',' if items else ''}{text[start + 1 :]}"
    after = json.loads(_blanked(changed))
    if configuration not in after["configurations"] or _others(after, configuration) != _others(before, configuration):
        raise ValueError("it could not be changed without changing something else")
    return changed


def _others(document: dict[str, Any], configuration: dict[str, Any]) -> dict[str, Any]:
    """The document without the configuration of that name."""
    kept = [
        item
        for item in document["configurations"]
        if not isinstance(item, dict) or item.get("name") != configuration["name"]
    ]
    return document | {"configurations": kept}


def _blanked(text: str) -> str:
    def blank(match: re.Match[str]) -> str:
        return match[0] if match[0].startswith('"') else re.sub(r"[^\n]", " ", match[0])

    return _STRING_OR_COMMA.sub(blank, _STRING_OR_COMMENT.sub(blank, text))


def _members(plain: str, start: int) -> dict[str, tuple[int, int]]:
    """Where the value of each member of the object at ``start`` is. The text is known to be JSON."""
    found, at = {}, _next(plain, start + 1)
    while plain[at] != "}":
        name, at = json.JSONDecoder().raw_decode(plain, at)
        value = _next(plain, _next(plain, at) + 1)
        _, at = json.JSONDecoder().raw_decode(plain, value)
        found[name] = (value, at)
        at = _after_comma(plain, at)
    return found


def _items(plain: str, start: int) -> list[tuple[int, int]]:
    """Where each item of the list at ``start`` is."""
    found, at = [], _next(plain, start + 1)
    while plain[at] != "]":
        value = at
        _, at = json.JSONDecoder().raw_decode(plain, value)
        found.append((value, at))
        at = _after_comma(plain, at)
    return found


def _after_comma(plain: str, at: int) -> int:
    at = _next(plain, at)
    return _next(plain, at + 1) if plain[at] == "," else at


def _next(plain: str, at: int) -> int:
    found = _SPACE.match(plain, at)
    return at if found is None else found.end()
