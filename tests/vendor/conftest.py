from datetime import UTC, datetime
from pathlib import Path

import pytest

from placet.license import SigningKey
from placet.license.terms import Grant
from placet.vendor.issue import Order
from placet.vendor.keystore import Vendor, create_vendor

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SERIAL = "0WF9-24NT-RZW2-R8D6-JXD7"


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def vendor(tmp_path: Path) -> Vendor:
    return create_vendor(tmp_path / "vendor", "ACME Software", None, NOW)


@pytest.fixture
def key(vendor: Vendor) -> SigningKey:
    return vendor.unlock(None)


@pytest.fixture
def order() -> Order:
    return Order(
        serial_number=SERIAL,
        customer="Muster & Söhne",
        expires_at=datetime(2028, 1, 1, tzinfo=UTC),
        features={"run": Grant(kind="switch"), "users": Grant(kind="limit", limit=10, tolerance_percent=10)},
    )
