"""How tests run ``placet vendor``: as a process, as scripts do, or within this one where only words matter."""

import os
import pty
import subprocess
import sys
import termios
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from placet.cli.vendor import vendor
from placet.license import SigningKey, Terms, TrustStore, verify
from placet.license.instants import to_numeric_date
from placet.license.request import LicenseRequest, sign_request
from placet.vendor.keystore import create_vendor

SERIAL = "0WF9-24NT-RZW2-R8D6-JXD7"
PASSPHRASE = "correct horse battery staple"
COMMAND = [sys.executable, "-c", "from placet.cli.vendor import vendor; vendor(prog_name='placet vendor')"]
Done = subprocess.CompletedProcess[str]


def environment(passphrase: str | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PLACET_VENDOR_PASSPHRASE"}
    said = {} if passphrase is None else {"PLACET_VENDOR_PASSPHRASE": passphrase}
    return kept | {"PYTHONWARNINGS": "error"} | said


def process(*arguments: object, umask: int = -1, stdout: Any = subprocess.PIPE, passphrase: str | None = None) -> Done:
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=environment(passphrase),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        umask=umask,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


def run(*arguments: object) -> Done:
    """Run the command within this process."""
    result = CliRunner().invoke(vendor, [*map(str, arguments)], env={"PLACET_VENDOR_PASSPHRASE": None})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Done([], result.exit_code, result.stdout, result.stderr)


def on_order(*arguments: object) -> list[object]:
    """Arguments of ``issue``: to one server, until the end of 2027 unless ``arguments`` say otherwise."""
    expires = () if {"--expires", "--evaluation"} & set(arguments) else ("--expires", "2027-12-31")
    server = () if {"--serial", "--request"} & set(arguments) else ("--serial", SERIAL)
    return ["--customer", "Muster AG", *server, *expires, *arguments]


def issue(directory: Path, *arguments: object) -> Done:
    return run("issue", directory, *on_order(*arguments))


def made_vendor(directory: Path) -> Path:
    """Make a vendor named ACME Software, whose key has no passphrase."""
    create_vendor(directory, "ACME Software", None, datetime.now(UTC))
    return directory


def trust_of(directory: Path) -> TrustStore:
    return TrustStore.from_jwks((directory / "trust.jwks.json").read_bytes())


def terms_of(directory: Path, license_file: str) -> Terms:
    return verify(license_file.encode(), trust_of(directory)).terms


def ledger_lines(directory: Path) -> list[bytes]:
    return (directory / "ledger.jsonl").read_bytes().splitlines()


def request_file(path: Path, key: SigningKey, **asks: Any) -> Path:
    request = LicenseRequest(
        version="1.0",
        iat=to_numeric_date(datetime.now(UTC)),
        serial_number=SERIAL,
        product="Placet",
        product_version="0.1.0",
        usage={"users": 3},
        **asks,
    )
    path.write_bytes(sign_request(request, key))
    return path


def on_a_terminal(answers: list[str], *arguments: object) -> tuple[int, str]:
    """Run on a terminal of its own and type an answer at every prompt; answers the exit status and the screen."""
    controller, terminal = pty.openpty()
    script = "import os; os.open(os.ttyname(0), os.O_RDWR)\n" + COMMAND[2]  # the session's first one: it is /dev/tty
    with subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=environment(),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        screen, awaiting = b"", list(answers)
        while chunk := _read(controller):
            screen += chunk
            if awaiting and screen.endswith(b": ") and not termios.tcgetattr(controller)[3] & termios.ECHO:
                os.write(controller, awaiting.pop(0).encode() + b"\n")
        os.close(controller)
        return process.wait(timeout=60), screen.decode()


def _read(controller: int) -> bytes:
    try:
        return os.read(controller, 4096)
    except OSError:  # what Linux says once nobody has the terminal open
        return b""
