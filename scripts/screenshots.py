"""Make the README's pictures from a running product: a demonstration server, modules, users, and Chromium.

``make screenshots`` writes ``docs/images/``. What they show was done by the commands that anybody has.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
PLACET = Path(sys.executable).parent / "placet"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
MODULES = {"billing": 14, "portal": 9, "reports": 6, "warehouse": 21}
USERS = ("amara", "jonas", "li", "maria", "sofia", "tom", "yusuf")
DESKTOP, PHONE = (1440, 1040), (390, 844)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


class Server(NamedTuple):
    """A demonstration server: its directory, its address, and the link that signs its administrator in, once."""

    directory: Path
    address: str
    link: str

    def run(self, *command: str | Path) -> None:
        """Run a command of the administrator's."""
        token = (self.directory / "administrator.token").read_text().strip()
        own = {"PLACET_SERVER": self.address, "PLACET_TOKEN": token, "PATH": "/usr/bin:/bin"}
        subprocess.run([PLACET, *command], check=True, env=own, capture_output=True)


def main() -> None:
    """Start, fill, photograph, stop."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="placet-screenshots-") as name, serving(Path(name) / "var") as server:
        license_it(server, Path(name))
        fill(server, Path(name))
        with sync_playwright() as playwright:
            path = next(found for found in map(shutil.which, CHROMIUM) if found)
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            photograph(browser, server)
            browser.close()
    for image in sorted(IMAGES.glob("overview-*.png")):
        print(f"{image.relative_to(ROOT)}: {image.stat().st_size // 1024} KiB")


@contextmanager
def serving(directory: Path) -> Iterator[Server]:
    """Run ``placet demo`` on a free port."""
    command = [PLACET, "demo", directory, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        said = ""
        while "Everything is kept under" not in said:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise SystemExit("screenshots: the demonstration server did not start")
            said += line
        (address,), (link,) = re.findall(r"serves at (\S+)", said), re.findall(r"\S+/sign-in\?code=\S+", said)
        try:
            yield Server(directory, address, link)
        finally:
            process.terminate()


def license_it(server: Server, scratch: Path) -> None:
    """Install a license that will expire before long."""
    file, request = scratch / "example.license", scratch / "request.json"
    server.run("license", "request", "--out", request)
    limits = ("software_units=80", "users=10", "front_end_servers=2")
    features = ("run", "debugger", "test_query")
    options = [*(f"--limit={limit}" for limit in limits), *(f"--feature={feature}" for feature in features)]
    terms = (
        "--customer",
        "Example Industries",
        "--expires",
        "24d",
        "--grace",
        "30d",
        "--tolerance",
        "software_units=10%",
    )
    server.run("vendor", "issue", server.directory / "vendor", "--request", request, *terms, *options, "--out", file)
    server.run("license", "install", file)


def fill(server: Server, scratch: Path) -> None:
    """Publish modules and add users."""
    server.run("module", "publish", ROOT / "examples" / "orders")
    for name, screens in MODULES.items():
        module = scratch / name
        shutil.copytree(ROOT / "examples" / "hello", module)
        manifest = (module / "module.toml").read_text()
        (module / "module.toml").write_text(manifest.replace('name = "hello"', f'name = "{name}"'))
        (module / "screens").mkdir(exist_ok=True)
        for number in range(screens):
            (module / "screens" / f"screen-{number}.html").write_text("<h1>A screen</h1>\n")
        server.run("module", "publish", module)
    for user in USERS:
        server.run("user", "add", user)


def photograph(browser: Browser, server: Server) -> None:
    """Take the overview, on a desk and on a phone, light and dark."""
    context = browser.new_context()
    context.request.get(server.link)
    session = context.storage_state()
    for name, (width, height), scale in (("desktop", DESKTOP, 1), ("phone", PHONE, 2)):
        for scheme in SCHEMES:
            page = browser.new_page(
                storage_state=session,
                viewport={"width": width, "height": height},
                device_scale_factor=scale,
                color_scheme=scheme,
            )
            page.goto(f"{server.address}/service-center/")
            page.screenshot(path=IMAGES / f"overview-{name}-{scheme}.png", animations="disabled")
            page.close()


if __name__ == "__main__":
    main()
