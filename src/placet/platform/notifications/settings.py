"""What administrators set of notifications: channels and rules, each change in the audit trail, without a secret."""

from typing import Any

import msgspec

from placet.guard import Guard
from placet.platform.notifications import channels
from placet.platform.notifications.channels import Written
from placet.platform.notifications.rules import Rules, read_rules, write_rules
from placet.store import audit
from placet.store import notifications as store
from placet.store.notifications import Channel

MOST_CHANNELS = 50


class UnknownChannel(LookupError):
    """There is no channel of that id."""


class TooManyChannels(Exception):
    """No channel can be added to those there are."""


class NotificationSettings:
    """The channels and rules of an installation."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._database = guard.database

    def all_channels(self) -> list[Channel]:
        """Answer the channels in the order they were added in."""
        with self._database.read() as connection:
            return store.all_channels(connection)

    def find(self, channel_id: int) -> Channel:
        """Answer one channel; raises :class:`UnknownChannel`."""
        with self._database.read() as connection:
            found = store.find_channel(connection, channel_id)
        return _known(found, channel_id)

    def add(self, written: Written, *, actor: str) -> tuple[Channel, dict[str, str]]:
        """Add a channel; answers it, and the secrets that are told this once.

        Raises ``ChannelUnusable``, ``ChannelNameTaken`` and :class:`TooManyChannels`.
        """
        wanted, now = channels.to_store(written), self._guard.now()
        with self._database.write() as connection:
            if len(store.all_channels(connection)) >= MOST_CHANNELS:
                raise TooManyChannels(f"There are {MOST_CHANNELS} channels, and no more can be. Remove one first.")
            kind = channels.kind_of(written)
            added = store.add_channel(
                connection, name=written.name, kind=kind, settings=wanted.settings, secrets=wanted.secrets, now=now
            )
            event = audit.Event.CHANNEL_ADDED
            audit.record(connection, event, now=now, actor=actor, subject=added.name, kind=kind, **wanted.settings)
        return added, wanted.told_once

    def change(self, channel_id: int, written: Written, *, actor: str) -> Channel:
        """Write a channel anew; secrets that are left out stay.

        Raises :class:`UnknownChannel`, ``ChannelUnusable`` and ``ChannelNameTaken``.
        """
        wanted, now = channels.to_store(written, self.find(channel_id)), self._guard.now()
        with self._database.write() as connection:
            changed = store.change_channel(
                connection,
                channel_id,
                name=written.name,
                settings=wanted.settings,
                secrets=wanted.secrets,
                now=now,
            )
            found = _known(changed, channel_id)
            event = audit.Event.CHANNEL_CHANGED
            audit.record(connection, event, now=now, actor=actor, subject=found.name, **wanted.settings)
        return found

    def remove(self, channel_id: int, *, actor: str) -> Channel:
        """Remove a channel; what is on its way there is given up. Raises :class:`UnknownChannel`."""
        now = self._guard.now()
        with self._database.write() as connection:
            found = _known(store.remove_channel(connection, channel_id, now), channel_id)
            audit.record(connection, audit.Event.CHANNEL_REMOVED, now=now, actor=actor, subject=found.name)
        return found

    def rules(self) -> Rules:
        """Answer the rules in force."""
        with self._database.read() as connection:
            return read_rules(connection)

    def set_rules(self, wanted: Rules, *, actor: str) -> Rules:
        """Set the rules; answers them as they are in force."""
        now = self._guard.now()
        with self._database.write() as connection:
            put = write_rules(connection, wanted)
            told: dict[str, Any] = msgspec.to_builtins(put)
            event = audit.Event.NOTIFICATION_RULES_CHANGED
            audit.record(connection, event, now=now, actor=actor, subject="rules", **told)
        return put

    def deliveries(self, *, most: int = 200, before: int | None = None) -> list[store.Delivery]:
        """Answer the newest deliveries, newest first; ``before`` is a delivery's id to go on from."""
        with self._database.read() as connection:
            return store.newest(connection, most=most, before=before)


def _known(channel: Channel | None, channel_id: int) -> Channel:
    if channel is None:
        raise UnknownChannel(f"There is no notification channel {channel_id}. See them with: placet notification list")
    return channel
