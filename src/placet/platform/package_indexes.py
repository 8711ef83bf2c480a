"""Where packages come from: what pip is told on this machine, said again to uv, which does not read pip's settings."""

import ast
import sys
from collections.abc import Mapping
from pathlib import Path

from placet.platform.processes import run_bounded

CONFIG_SECONDS = 30.0
_SECTIONS = ("global.", "install.", ":env:.")  # a later one counts more
_LISTS = {  # pip's name of a list of words, uv's variable, and what stands between them there
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "constraint": ("UV_CONSTRAINT", " "),
}
_WORDS = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
_TRUE = frozenset(("1", "true", "yes", "on"))


def settings_for_uv(directory: Path, environment: Mapping[str, str], *, python: str = sys.executable) -> dict[str, str]:
    """Answer uv's environment variables for what ``pip config list`` tells. Whatever uv was told itself counts more.

    uv takes a package from the first index that has it, so that a name nobody has taken inside cannot be had from
    outside; pip takes the best version of all. Several indexes are meant pip's way here.
    """
    pip = _pip_settings(directory, environment, python)
    told = {name: separator.join(pip[key].split()) for key, (name, separator) in _LISTS.items() if pip.get(key)}
    told |= {name: pip[key] for key, name in _WORDS.items() if pip.get(key)}
    if pip.get("no-index", "").lower() in _TRUE:
        told["UV_NO_INDEX"] = "1"
    if "UV_INDEX" in told:
        told["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {name: value for name, value in told.items() if name not in environment}


def _pip_settings(directory: Path, environment: Mapping[str, str], python: str) -> dict[str, str]:
    """What pip goes by, by option; nothing where there is no pip."""
    finished = run_bounded(
        [python, "-I", "-m", "pip", "--disable-pip-version-check", "config", "list"],
        directory=directory,
        environment=environment,
        timeout_seconds=CONFIG_SECONDS,
        max_result_bytes=0,
    )
    found: dict[str, str] = {}
    lines = finished.output.splitlines() if finished.returncode == 0 else []
    for section in _SECTIONS:
        for line in lines:
            name, equals, value = line.partition("=")
            if equals and name.startswith(section):
                found[name.removeprefix(section).replace("_", "-")] = _text(value)
    return found


def _text(value: str) -> str:
    try:
        return str(ast.literal_eval(value))
    except (ValueError, SyntaxError):
        return ""
