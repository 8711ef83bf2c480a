"""Notifications over HTTP: where they go, by which rules, and what became of each."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, post, put
from litestar.params import JSONBody, Parameter

from placet.license.instants import rfc3339
from placet.platform.notifications.channels import AppriseUrl, Mail, Webhook, shown
from placet.platform.notifications.rules import Rules
from placet.store.notifications import Channel, Delivery
from placet.web.access import Access, caller_of, requires
from placet.web.api.parameters import SMALL_BODY, Server
from placet.web.render import rfc3339_or_none

ChannelId = Annotated[int, Parameter(ge=1, le=2**53)]


class ChannelController(Controller):
    """``/api/v1/notifications/channels``."""

    path = "/api/v1/notifications/channels"
    tags = ("notifications",)
    opt = requires(Access.ADMINISTRATOR)

    @get(sync_to_thread=True)
    def channels(self, server: Server) -> list[dict[str, Any]]:
        """The channels. What of them is secret is masked."""
        return [_channel(item) for item in server.notification_settings.all_channels()]

    @post(request_max_body_size=SMALL_BODY, sync_to_thread=True)
    def add(
        self, server: Server, request: Request[Any, Any, Any], data: JSONBody[Mail | Webhook | AppriseUrl]
    ) -> dict[str, Any]:
        """Add a channel. A secret that was made for it is told in this answer alone."""
        added, told_once = server.notification_settings.add(data, actor=caller_of(request).name)
        return _channel(added) | told_once

    @put("/{channel_id:int}", request_max_body_size=SMALL_BODY, sync_to_thread=True)
    def change(
        self,
        server: Server,
        request: Request[Any, Any, Any],
        channel_id: ChannelId,
        data: JSONBody[Mail | Webhook | AppriseUrl],
    ) -> dict[str, Any]:
        """Write a channel anew. Secrets that are left out stay as they are."""
        return _channel(server.notification_settings.change(channel_id, data, actor=caller_of(request).name))

    @delete("/{channel_id:int}", status_code=200, sync_to_thread=True)
    def remove(self, server: Server, request: Request[Any, Any, Any], channel_id: ChannelId) -> dict[str, Any]:
        """Remove a channel. What is on its way there is given up."""
        removed = server.notification_settings.remove(channel_id, actor=caller_of(request).name)
        return {"id": removed.id, "name": removed.name, "removed": True}

    @post("/{channel_id:int}/test", status_code=200, sync_to_thread=True)
    def test(self, server: Server, request: Request[Any, Any, Any], channel_id: ChannelId) -> dict[str, Any]:
        """Send a test to a channel now, by one attempt. ``state`` says whether it arrived, ``reason`` why not."""
        channel = server.notification_settings.find(channel_id)
        return _delivery(server.notifier.test(channel, actor=caller_of(request).name))


class NotificationController(Controller):
    """``/api/v1/notifications``."""

    path = "/api/v1/notifications"
    tags = ("notifications",)
    opt = requires(Access.ADMINISTRATOR)

    @get("/rules", sync_to_thread=True)
    def rules(self, server: Server) -> dict[str, Any]:
        """At which thresholds somebody is told."""
        return _rules(server.notification_settings.rules())

    @put("/rules", request_max_body_size=SMALL_BODY, sync_to_thread=True)
    def set_rules(self, server: Server, request: Request[Any, Any, Any], data: JSONBody[Rules]) -> dict[str, Any]:
        """Set the rules; what is left out is as it was from the start."""
        return _rules(server.notification_settings.set_rules(data, actor=caller_of(request).name))

    @get("/deliveries", sync_to_thread=True)
    def deliveries(
        self,
        server: Server,
        before: Annotated[int | None, Parameter(ge=1, le=2**53, required=False)] = None,
        most: Annotated[int, Parameter(ge=1, le=1000)] = 200,
    ) -> list[dict[str, Any]]:
        """What became of each notification, newest first; ``before`` is the id of one to go on from."""
        return [_delivery(item) for item in server.notification_settings.deliveries(most=most, before=before)]


def _channel(channel: Channel) -> dict[str, Any]:
    return shown(channel) | {"created_at": rfc3339(channel.created_at), "changed_at": rfc3339(channel.changed_at)}


def _rules(rules: Rules) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.to_builtins(rules)
    return members


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "event": delivery.event,
        "kind": delivery.kind,
        "message_id": delivery.message_id,
        "title": delivery.message["title"],
        "text": delivery.message["text"],
        "channel_id": delivery.channel_id,
        "channel": delivery.channel,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "raised_at": rfc3339(delivery.raised_at),
        "next_at": rfc3339_or_none(delivery.next_at),
        "ended_at": rfc3339_or_none(delivery.ended_at),
        "reason": delivery.reason,
    }
