"""Reading a trust store file, or saying why it is none."""
# ruff: noqa: PLC0415 - imports that take time are made inside the function

from pathlib import Path
from typing import TYPE_CHECKING

from placet.cli.errors import FailedError

if TYPE_CHECKING:
    from placet.license import TrustStore


def read_trust(path: Path) -> "TrustStore":
    """Answer the trust store in a file; ends the command where there is none."""
    from placet.license import KeyUnusable, TrustStore

    try:
        return TrustStore.from_jwks(path.read_bytes())
    except OSError as error:
        raise FailedError(f"The trust store {path} cannot be read: {error.strerror}.") from None
    except KeyUnusable as error:
        raise FailedError(f"{path}: {error}") from None
