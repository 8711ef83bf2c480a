"""The manual stays true: what is documented is there, and what is there is documented."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from placet import Guard
from placet.enforcement import Code, Limit, Operation, Product, Switch
from placet.license import FORMAT_VERSION, Diagnosis, Grant, SigningKey, Terms, issue
from placet.platform.problems import ProblemCode
from placet.web.app import API

ROOT = Path(__file__).parent.parent.parent
MANUAL = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/README.md")])


def embedding_snippet() -> str:
    found = re.search(r"<!-- embedding -->\n```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def run_snippet(directory: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", embedding_snippet()], cwd=directory, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_readme_embeds_placet_as_it_says(tmp_path: Path) -> None:
    key = SigningKey.generate()
    trust = json.dumps({"keys": [key.public_jwk()], "issuer": "Acme"}).encode()
    (tmp_path / "trust.jwks.json").write_bytes(trust)
    assert run_snippet(tmp_path).startswith("Cannot perform the operation. No license was found for this server\n")
    product = Product(
        "acme_reports",
        features=(Switch("export", "Export"), Limit("dashboards", "Dashboards")),
        operations=(Operation("export_pdf", requires="export"), Operation("save_dashboard", consumes=("dashboards",))),
    )
    guard = Guard.open(f"sqlite:///{tmp_path}/acme.sqlite3", product, trust)
    serial_number, now = guard.status().serial_number, int(time.time())
    terms = Terms(
        iss="Acme",
        sub=serial_number,
        serial_number=serial_number,
        jti="1",
        iat=now,
        exp=now + 86_400 * 365,
        version=FORMAT_VERSION,
        sequence=1,
        customer="Example Ltd",
        features={"export": Grant(kind="switch"), "dashboards": Grant(kind="limit", limit=1)},
    )
    guard.install(issue(terms, [key]))
    guard.close()
    assert not run_snippet(tmp_path)


def test_the_snippet_is_about_fifteen_lines() -> None:
    assert len([line for line in embedding_snippet().splitlines() if line.strip()]) <= 18


def test_generated_pages_are_what_the_code_says() -> None:
    script = [sys.executable, str(ROOT / "scripts" / "generate_docs.py"), "--check"]
    assert subprocess.run(script, check=False, capture_output=True, text=True).stdout == ""


@pytest.mark.parametrize("page", MANUAL, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert broken == []


def test_every_code_is_documented() -> None:
    reference = "".join(path.read_text() for path in (ROOT / "docs").glob("**/*.md"))
    codes = [*Code, *ProblemCode]
    assert [code for code in codes if f"`{code}`" not in reference] == []
    assert [code for code in Diagnosis if code not in reference] == []


def test_every_route_of_the_api_is_documented() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    paths = {getattr(item, "path", None) or next(iter(item.paths)) for item in API}
    assert sorted(path for path in paths if path not in page) == []


def test_nothing_names_a_registry_or_this_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    hosts = re.compile(
        r"pypi" + r"\.org|pythonhosted|npmjs|/work/(main|shared)|index-url\W+(https?|file):", re.IGNORECASE
    )
    texts = [path for name in listed if name and (path := ROOT / name).suffix != ".png" and path.is_file()]
    guilty = [str(path) for path in texts if hosts.search(path.read_text(errors="replace"))]
    assert [name for name in guilty if not name.endswith(("Makefile", "test_manual.py"))] == []


def test_the_pictures_of_the_readme_are_there_and_of_modest_size() -> None:
    named = re.findall(r'(?:src|srcset)="(docs/images/[^"]+)"', (ROOT / "README.md").read_text())
    assert len(named) == 4
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "images").iterdir()} == {*named}
    for name in named:
        content = (ROOT / name).read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert len(content) < 300 * 1024, f"{name} is too large; see scripts/screenshots.py"
