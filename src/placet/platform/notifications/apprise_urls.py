"""The services of Apprise (https://appriseit.com), by URL. Apprise is loaded where one is used, and not before.

A URL is sent to one target by one attempt: Apprise itself retries nothing, follows no redirect and keeps nothing on
disk. What acts on the server's own machine (its desktop, its log) is not offered.
"""

import logging
import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from placet.platform.notifications.channels import ChannelUnusable
from placet.platform.notifications.message import Outgoing
from placet.platform.notifications.outcome import Outcome, delivered, failed, unknown, without

if TYPE_CHECKING:
    from apprise import NotifyBase

_LOCAL = frozenset({"blink1", "dbus", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"})
_MAYBE_ARRIVED = re.compile(
    "timed? ?out|Connection aborted|RemoteDisconnected|reset by peer|Broken pipe|IncompleteRead"
)
_NOT_ARRIVED = re.compile("ConnectTimeout|Connection refused|NewConnectionError|NameResolutionError")


def check(url: str) -> str:
    """Answer the name of a URL's service; raises :class:`ChannelUnusable`."""
    found = _plugin(url)
    if len(found) > 1:
        raise ChannelUnusable(
            f"The URL names {len(found):,} targets. Add a channel for each: what arrives at one of them and not at "
            "another could not be sent again without sending it twice."
        )
    return str(found.service_name)


def send(_settings: Mapping[str, Any], secrets: Mapping[str, Any], message: Outgoing) -> Outcome:
    """Send one message by a service."""
    url = str(secrets["url"])
    try:
        plugin = _plugin(url)
    except ChannelUnusable as error:
        return failed(str(error))
    with _Said() as said:
        try:
            is_taken = plugin.notify(body=message.text_with_link, title=message.title)
        except Exception as error:  # noqa: BLE001 - a service's code is not ours, and one of a hundred
            return unknown(f"{plugin.service_name} failed in the middle of it: {type(error).__name__}.")
    if is_taken:
        return delivered()
    told = without(said.warnings or "it did not say why", _parts(url))
    if _MAYBE_ARRIVED.search(said.everything) and not _NOT_ARRIVED.search(said.everything):
        return unknown(f"{plugin.service_name} was sent it and has not answered: {told}")
    return failed(f"{plugin.service_name} has not taken it: {told}")


def _plugin(url: str) -> "NotifyBase":
    try:
        from apprise import Apprise, AppriseAsset, PersistentStoreMode  # noqa: PLC0415
    except ImportError:
        raise ChannelUnusable(
            "Apprise is not installed on this server. Install Placet with it: pip install 'placet[apprise]'."
        ) from None
    scheme = url.partition(":")[0].lower()
    if scheme in _LOCAL:
        raise ChannelUnusable(f"{scheme}:// acts on the server's own machine, and is not offered. Use another service.")
    asset = AppriseAsset(storage_mode=PersistentStoreMode.MEMORY, secure_logging=True)
    with _Said() as said:
        found = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if found is None:
        told = without(said.warnings, _parts(url))
        raise ChannelUnusable(f"Apprise does not understand the URL. {told} See https://appriseit.com/services/.")
    found.retry, found.optional, found.redirects = 0, False, False  # whatever the URL says: one attempt, and its truth
    return found


class _Said(logging.Handler):
    """What Apprise says in this thread meanwhile: warnings, which may be shown, and all of it, which may not."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._thread = threading.get_ident()
        self._logger = logging.getLogger("apprise")
        self._shown: list[str] = []
        self._all: list[str] = []

    def __enter__(self) -> Self:
        self._logger.setLevel(logging.DEBUG)
        self._logger.propagate = False  # what it says may hold addresses that are secrets
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what is said."""
        if record.thread == self._thread:
            self._all.append(record.getMessage()[:1000])
            if record.levelno >= logging.WARNING:
                self._shown.append(record.getMessage()[:300])

    @property
    def warnings(self) -> str:
        """What may be shown, once the URL's parts are taken out."""
        return " ".join(dict.fromkeys(self._shown))

    @property
    def everything(self) -> str:
        """All of it."""
        return " ".join(self._all)


def _parts(url: str) -> list[str]:
    """The pieces of a URL that may be keys: all but the scheme and the host's last part."""
    return [url, *(part for part in re.split("[:/?&=@#]+", url.partition("://")[2]) if part)]
