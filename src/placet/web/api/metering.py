"""Metered features over HTTP: consuming, and blocks of units leased ahead."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.params import JSONBody, Parameter
from msgspec import Meta

from placet.enforcement import ProductError
from placet.guard import Consumption, UnknownBlock
from placet.license.instants import rfc3339
from placet.platform.server import PlatformServer
from placet.store.metering import Block
from placet.web.access import Access, caller_of, requires
from placet.web.api.parameters import SMALL_BODY, FeatureName, Server
from placet.web.problems import Problem
from placet.web.render import notice_members

LONGEST_KEY = 200

MeterName = Annotated[
    str | None, Parameter(pattern="^[a-z][a-z0-9_]{0,62}$", required=False, description="Of this feature alone")
]
BlockId = Annotated[int, Parameter(ge=1, le=2**62, description="A block's id")]
Units = Annotated[int, Meta(ge=1, le=10**12)]


class WantedConsumption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many units are consumed."""

    amount: Units = 1


class WantedBlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to how many units are leased ahead."""

    size: Units


class UsedUnits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many units of a block were used."""

    used: Annotated[int, Meta(ge=0, le=10**12)]


class MeterController(Controller):
    """``/api/v1/features/{name}``: consumption and blocks."""

    path = "/api/v1/features"
    tags = ("metering",)

    @post(
        "/{name:str}/consumptions",
        opt=requires(Access.SIGNED_IN),
        request_max_body_size=SMALL_BODY,
        sync_to_thread=True,
    )
    def consume(
        self, server: Server, request: Request[Any, Any, Any], name: FeatureName, data: JSONBody[WantedConsumption]
    ) -> Response[dict[str, Any]]:
        """Consume units, once for each ``Idempotency-Key``: 201, or 200 where that key was counted before.

        It is durable when it is answered.
        """
        _check_metered(server, name)
        key = _idempotency_key(request)
        found = server.guard.consume(name, data.amount, key=key, actor=caller_of(request).name)
        return Response(consumption_document(found), status_code=200 if found.replayed else 201)

    @post("/{name:str}/blocks", opt=requires(Access.SIGNED_IN), request_max_body_size=SMALL_BODY, sync_to_thread=True)
    def take(
        self, server: Server, request: Request[Any, Any, Any], name: FeatureName, data: JSONBody[WantedBlock]
    ) -> dict[str, Any]:
        """Lease up to ``size`` units ahead, to be counted by the caller and given back."""
        _check_metered(server, name)
        return _block(server.guard.take_block(name, data.size, holder=caller_of(request).name))


class BlockController(Controller):
    """``/api/v1/blocks``."""

    path = "/api/v1/blocks"
    tags = ("metering",)

    @get(opt=requires(Access.ADMINISTRATOR), sync_to_thread=True)
    def blocks(self, server: Server, feature: MeterName = None) -> list[dict[str, Any]]:
        """The blocks that are open, the oldest first: in use, or left behind by a process that died."""
        if feature is not None:
            _check_metered(server, feature)
        return [_block(block) for block in server.guard.open_blocks(feature)]

    @post("/{block_id:int}/return", opt=requires(Access.SIGNED_IN), status_code=200, sync_to_thread=True)
    def give_back(
        self, server: Server, request: Request[Any, Any, Any], block_id: BlockId, data: JSONBody[UsedUnits]
    ) -> dict[str, Any]:
        """Close one's own block of which ``used`` units were used; the rest is free again. A retry changes nothing."""
        caller = caller_of(request)
        if not caller.is_administrator and not _is_held_by(server, block_id, caller.name):
            raise _unknown_block(block_id)
        with _checked():
            return _block(server.guard.return_block(block_id, data.used, actor=caller.name))

    @post("/{block_id:int}/settle", opt=requires(Access.ADMINISTRATOR), status_code=200, sync_to_thread=True)
    def settle(
        self, server: Server, request: Request[Any, Any, Any], block_id: BlockId, data: JSONBody[UsedUnits]
    ) -> dict[str, Any]:
        """Close a block that its holder has not given back, with the number that was really used. Audited."""
        with _checked():
            return _block(server.guard.settle_block(block_id, data.used, actor=caller_of(request).name))


@contextmanager
def _checked() -> Iterator[None]:
    """Let more used units than a block has be the caller's mistake."""
    try:
        yield
    except ProductError as error:
        raise Problem("bad_request", title="Bad Request", status=400, detail=str(error)) from None


def _check_metered(server: PlatformServer, name: str) -> None:
    server.notice()
    metered = [feature.name for feature in server.guard.product.metered]
    if name not in metered:
        detail = f"There is no metered feature {name!r}. There are: {', '.join(metered)}."
        raise Problem("unknown_feature", title="No such feature", status=404, detail=detail)


def _idempotency_key(request: Request[Any, Any, Any]) -> str:
    """The key of the request (IETF draft-ietf-httpapi-idempotency-key-header)."""
    given = [value for name, value in request.scope["headers"] if name == b"idempotency-key"]
    if len(given) > 1:
        detail = (
            f"The request has {len(given)} headers Idempotency-Key, and is counted by one. Nothing was "
            "counted; send it once."
        )
        raise Problem("bad_request", title="Bad Request", status=400, detail=detail)
    key = given[0].decode("latin-1") if given else ""
    if is_idempotency_key(key):
        return key
    detail = (
        f"Consumption needs the header Idempotency-Key with 1 to {LONGEST_KEY} visible ASCII characters, so that a "
        "retry counts once. Nothing was counted; send a new key for new consumption, and the same one for a retry."
    )
    raise Problem("idempotency_key_required", title="Idempotency key required", status=400, detail=detail)


def is_idempotency_key(key: str) -> bool:
    """Tell whether consumption can be counted under ``key``."""
    return 0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()


def consumption_document(found: Consumption) -> dict[str, Any]:
    """What is answered to consumption that was counted, now or before."""
    members = {"feature": found.feature, "key": found.key, "amount": found.amount, "replayed": found.replayed}
    return members | {"warnings": notice_members(found.decision.warnings)}


def _is_held_by(server: PlatformServer, block_id: int, holder: str) -> bool:
    try:
        return server.guard.find_block(block_id).holder == holder
    except UnknownBlock:
        return False


def _unknown_block(block_id: int) -> Problem:
    detail = f"You hold no block {block_id}."
    return Problem("unknown_block", title="No such block", status=404, detail=detail)


def _block(block: Block) -> dict[str, Any]:
    return {
        "id": block.id,
        "feature": block.feature,
        "holder": block.holder,
        "size": block.size,
        "used": block.used,
        "period_starts_at": rfc3339(block.period_starts_at),
        "taken_at": rfc3339(block.taken_at),
        "closed_at": None if block.closed_at is None else rfc3339(block.closed_at),
        "closed_by": block.closed_by,
    }
