"""Scenario: ``placet demo``: a vendor and a server to try everything with, and an evaluation that is there once."""

import os
import re
import selectors
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from contract.archives import archive_of
from contract.driver import PLACET, environment, placet, wait_for

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("contract demo")]


class Demo:
    """``placet demo`` in a process of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        command = [str(PLACET), "demo", str(directory), "--port", "0"]
        self.process = subprocess.Popen(
            command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.said = self._said()
        self.address = self.said.split("Placet serves at ")[1].split()[0]
        self.token = (directory / "administrator.token").read_text().strip()

    def _said(self) -> str:
        assert self.process.stdout is not None
        said, deadline = b"", time.monotonic() + 60
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"Everything is kept under" not in said:
                assert selector.select(max(0.0, deadline - time.monotonic()))
                chunk = os.read(self.process.stdout.fileno(), 65536)
                assert chunk
                said += chunk
        return said.decode()

    def cli(self, *arguments: object) -> tuple[int, str]:
        done = placet(*arguments, PLACET_SERVER=self.address, PLACET_TOKEN=self.token)
        return done.status, done.message

    def api(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = httpx2.request(method, f"{self.address}{path}", headers=headers, trust_env=False, **options)
        assert answer.is_success, answer.text
        return answer.json()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
        assert self.process.stdout is not None
        self.process.stdout.close()


def what_is_kept(demo: Demo) -> list[Any]:
    status, module = demo.api("GET", "/api/v1/license"), demo.api("GET", "/api/v1/modules/shop")
    lists = [demo.api("GET", f"/api/v1/{path}") for path in ("license/history", "tokens", "features")]
    return [status["serial_number"], status["license"], module["digest"], module["published_at"], *lists]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo(tmp_path_factory.mktemp("demo") / "var")
    yield running
    running.stop()


def test_an_evaluation_can_be_installed_once(demo: Demo) -> None:
    evaluation = demo.directory / "evaluation.license"
    assert demo.cli("license", "install", evaluation)[0] == 0
    status, message = demo.cli("license", "install", evaluation)
    assert status == 1
    assert message.startswith("The evaluation license cannot be installed again. The evaluation on this server started")
    refused = httpx2.put(
        f"{demo.address}/api/v1/license",
        content=evaluation.read_bytes(),
        headers={"Authorization": f"Bearer {demo.token}"},
        trust_env=False,
    )
    assert (refused.status_code, refused.json()["code"], refused.json()["detail"]) == (403, "evaluation_used", message)
    document = demo.api("GET", "/api/v1/license")
    assert (document["state"], document["license"]["edition"]) == ("active", "Evaluation")


def test_the_demonstration_says_what_to_do_next(demo: Demo) -> None:
    assert f"{demo.address}/service-center/sign-in?code=" in demo.said
    assert re.findall(r"(?m)^  \d\. (\w+)", demo.said) == ["Issue", "Install", "Publish", "Or"]
    assert f"license install {demo.directory}/evaluation.license" in demo.said
    assert oct((demo.directory / "administrator.token").stat().st_mode & 0o777) == "0o600"
    code = re.search(r"sign-in\?code=\S+", demo.said)
    assert code
    with httpx2.Client(base_url=demo.address, trust_env=False) as browser:
        assert browser.get(f"/service-center/{code[0]}").headers["location"] == "/service-center/"
        assert browser.get("/service-center/", headers={"Accept": "text/html"}).status_code == 200
    with httpx2.Client(base_url=demo.address, trust_env=False) as another:
        assert another.get(f"/service-center/{code[0]}").headers["location"] == "/service-center/sign-in?why=code"


def test_a_second_demonstration_beside_it_is_refused(demo: Demo) -> None:
    done = placet("demo", demo.directory, "--port", "0")
    assert (done.status, done.out) == (3, "")
    assert "already" in done.message


def test_a_demonstration_started_again_keeps_everything(demo: Demo) -> None:
    demo.api("POST", "/api/v1/modules", content=archive_of("shop", 2))
    before = what_is_kept(demo)
    files = {path: path.read_bytes() for path in demo.directory.iterdir() if path.is_file()}
    demo.stop()
    again = Demo(demo.directory)
    try:
        assert wait_for(lambda: httpx2.get(f"{again.address}/apps/shop/", trust_env=False).text == "1.0.0")
        assert what_is_kept(again) == before
        assert {path: path.read_bytes() for path in demo.directory.iterdir() if path.is_file()} == files
        assert again.cli("license", "install", demo.directory / "evaluation.license")[0] == 1
        assert "evaluation.license" not in again.said
        assert re.findall(r"(?m)^  \d\. (\w+)", again.said) == ["Publish", "See", "Issue", "Install"]
    finally:
        again.stop()
