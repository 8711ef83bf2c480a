"""How often signing in may fail: by address, and by account.

Failures with an account's name count together, wherever they come from, except that an address at which its owner has
signed in before counts by itself. So nobody locks somebody else out by guessing, and whoever is slowed down all the
same still gets in by a one-time link, an OpenID provider or a token, which are limited by address alone.
"""

import hashlib
import time

import anyio.to_thread
import msgspec

from placet.platform.sign_ins import SignIns
from placet.store.credentials import Visitor
from placet.web.console.attempts import Attempts, network_of
from placet.web.problems import Problem

MOST_OF_ADDRESS = 10
ADDRESS_SECONDS = 60.0
MOST_OF_ACCOUNT = 10
ACCOUNT_SECONDS = 300.0


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that has begun: under which keys it counts, since when, and how many failed there before it."""

    keys: tuple[str, ...]
    began: float
    name: str | None
    failed_before: int


class SignInLimits:
    """Counts the attempts to sign in at one server."""

    def __init__(self, sign_ins: SignIns) -> None:
        self._sign_ins = sign_ins
        self._addresses = Attempts(most=MOST_OF_ADDRESS, period=ADDRESS_SECONDS)
        self._accounts = Attempts(most=MOST_OF_ACCOUNT, period=ACCOUNT_SECONDS)

    async def begin(self, visitor: Visitor, name: str | None = None) -> Attempt:
        """Count an attempt, by a password where there is a ``name``. Raises :class:`Problem` (429)."""
        began = time.monotonic()
        wait = self._addresses.begin(visitor.address, began)
        if wait:
            raise _too_many(wait, "from your address")
        if name is None:
            failed = self._addresses.failed(visitor.address) - 1
            return Attempt(keys=(visitor.address,), began=began, name=None, failed_before=failed)
        known = await anyio.to_thread.run_sync(self._sign_ins.knows_address, name, visitor.address)
        account = _account(name, visitor if known else None)
        wait = self._accounts.begin(account, began)
        if wait:
            self._addresses.succeeded(visitor.address, began)  # it was not taken, and so it has not failed either
            raise _too_many(wait, "with this name")
        failed = self._accounts.failed(account) - 1
        return Attempt(keys=(visitor.address, account), began=began, name=name, failed_before=failed)

    async def end(self, attempt: Attempt, visitor: Visitor, *, succeeded: bool) -> None:
        """Take an attempt back that did not fail; record the failure that is the last one taken for a while."""
        counted = list(zip(attempt.keys, (self._addresses, self._accounts), strict=False))
        if succeeded:
            for key, counts in counted:
                counts.succeeded(key, attempt.began)
            return
        for key, counts in counted:
            if counts.is_full(key):
                failures = counts.failed(key)
                await anyio.to_thread.run_sync(self._sign_ins.note_failures, attempt.name, visitor, failures)
                return


def _account(name: str, visitor: Visitor | None) -> str:
    """The key of an account, as short as any: who guesses does not choose how much is remembered."""
    where = "" if visitor is None else network_of(visitor.address)
    return "account:" + hashlib.sha256(f"{name}\0{where}".encode(errors="surrogatepass")).hexdigest()


def _too_many(wait: int, whose: str) -> Problem:
    return Problem(
        "too_many_sign_ins",
        title="Too many attempts to sign in",
        status=429,
        detail=f"Too many attempts to sign in {whose} have failed. Wait {wait} "
        f"{'second' if wait == 1 else 'seconds'}, then try again."
        + ("" if whose == "from your address" else " A one-time link from an administrator signs you in at once."),
        headers={"Retry-After": str(wait), "Referrer-Policy": "no-referrer"},
    )
