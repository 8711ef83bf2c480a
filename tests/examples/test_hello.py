"""examples/hello: one page, one Software Unit."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx2

HELLO = Path(__file__).parents[2] / "examples/hello"


def test_it_greets_and_knows_where_it_is_served(hello: httpx2.Client) -> None:
    answer = hello.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>Hello, world.</h1>" in answer.text
    assert '<a href="/apps/hello/">' in answer.text


def test_it_has_nothing_else(hello: httpx2.Client) -> None:
    assert hello.get("/other").status_code == 404
    assert hello.post("/").status_code == 405


def test_it_holds_exactly_one_software_unit() -> None:
    program = (
        "import json; from hello.app import app; print(json.dumps([[r.path, sorted(r.methods)] for r in app.routes]))"
    )
    shown = subprocess.run(
        [sys.executable, "-B", "-c", program], cwd=HELLO, check=True, capture_output=True, text=True, timeout=30
    )
    routes = json.loads(shown.stdout)
    operations = [(method, path) for path, methods in routes for method in methods if method != "HEAD"]
    assert operations == [("GET", "/")]
    assert not (HELLO / "screens").exists()
    assert not (HELLO / "schema.sql").exists()
    assert "**1 Software Unit**" in (HELLO / "README.md").read_text("utf-8")


def test_its_description_names_the_application() -> None:
    description = tomllib.loads((HELLO / "module.toml").read_text("utf-8"))
    assert description == {"module": {"name": "hello", "version": "1.0.0", "entrypoint": "hello.app:app"}}
