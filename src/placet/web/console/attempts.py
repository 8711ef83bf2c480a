"""How often an address, or something else with a name, may fail to sign in."""

import ipaddress
import math
from collections import OrderedDict, deque


class Attempts:
    """Counts attempts by client address: at most ``most`` that failed within ``period`` seconds.

    An attempt counts as failed from its beginning until :meth:`succeeded` says otherwise, so that many at once count
    as well. At most ``addresses`` are remembered, the latest. Moments are seconds of a clock that never goes back.
    """

    def __init__(self, *, most: int = 10, period: float = 60.0, addresses: int = 10_000) -> None:
        self._most = most
        self._period = period
        self._addresses = addresses
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def begin(self, address: str, now: float) -> int:
        """Count an attempt; answers 0, or how many whole seconds the address has to wait before one is taken."""
        key = network_of(address)
        failed = self._failed.setdefault(key, deque())
        self._failed.move_to_end(key)
        while len(self._failed) > self._addresses:
            self._failed.popitem(last=False)
        while failed and failed[0] <= now - self._period:
            failed.popleft()
        if len(failed) >= self._most:
            return max(1, math.ceil(failed[0] + self._period - now))
        failed.append(now)
        return 0

    def failed(self, address: str) -> int:
        """How many attempts of an address count at the moment, the one that has just begun among them."""
        return len(self._failed.get(network_of(address), ()))

    def is_full(self, address: str) -> bool:
        """Tell whether no more is taken of an address for a while."""
        return self.failed(address) >= self._most

    def succeeded(self, address: str, began: float) -> None:
        """Take back the attempt that began at ``began``: it did not fail."""
        failed = self._failed.get(network_of(address))
        if failed is not None and began in failed:
            failed.remove(began)


def network_of(address: str) -> str:
    """Answer whose attempts count together: an IPv4 address, or the /64 network of an IPv6 address, one client's whole.

    What is no address stands for itself.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
