"""Modules made for tests: of any number of Software Units, packed as the zip in which they travel."""

import io
import zipfile
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# An application that shows no routes counts as one operation.
APP = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    headers = [(b"content-type", b"text/plain")]
    await send({{"type": "http.response.start", "status": 200, "headers": headers}})
    await send({{"type": "http.response.body", "body": b"{answer}"}})
"""


def files_of(name: str, units: int, *, version: str = "1.0.0", **more: str) -> dict[str, str]:
    """The files of a module that answers its version and counts ``units``: one operation, the rest screens."""
    package = name.replace("-", "_")
    manifest = f'[module]\nname = "{name}"\nversion = "{version}"\nentrypoint = "{package}.app:app"\n'
    files = {"module.toml": manifest, f"{package}/__init__.py": "", f"{package}/app.py": APP.format(answer=version)}
    return files | {f"screens/screen_{number}.html": "<p>" for number in range(units - 1)} | more


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def archive_of(name: str, units: int, *, version: str = "1.0.0") -> bytes:
    return zipped(files_of(name, units, version=version))


def directory_of(path: Path, files: dict[str, str]) -> Path:
    """Write a module as a directory, as developers have it."""
    for name, text in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return path


def example(name: str) -> bytes:
    """The zip of one of the examples, made by hand."""
    root = EXAMPLES / name
    found = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return zipped({path.relative_to(root).as_posix(): path.read_text() for path in found})
