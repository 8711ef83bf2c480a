"""Seats over HTTP: leases, the queue for them, borrowing, and what an administrator says of them."""

from datetime import timedelta
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, delete, get, post, put
from litestar.params import JSONBody, Parameter
from msgspec import Meta

from placet.enforcement import Seats
from placet.enforcement.seating import Reservation, SeatRules, SubjectKind
from placet.guard import Lease, Queued
from placet.guard.leasing import PLACE_KEPT
from placet.license.instants import rfc3339
from placet.platform.server import PlatformServer
from placet.store.installation import read_installation
from placet.web.access import Access, caller_of, requires
from placet.web.api.parameters import SMALL_BODY, FeatureName, Server
from placet.web.problems import Problem
from placet.web.render import decision_members, notice_members

LeaseId = Annotated[str, Parameter(max_length=1000, description="A lease's id; one that none can have is unknown")]
Kind = Annotated[SubjectKind, Parameter(description="Whether a user or a group")]
Subject = Annotated[
    str, Parameter(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$", description="A user or a group")
]

Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+$")]
Units = Annotated[int, Meta(ge=1, le=10**12)]
LeaseSeconds = Annotated[int, Meta(ge=1, le=86_400)]
BorrowSeconds = Annotated[int, Meta(ge=1, le=366 * 86_400)]


class WantedLease(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A lease to acquire for ``ttl`` seconds, or to ``borrow`` for so many.

    ``holder`` is the caller, where none is said. With ``queue`` a caller who finds no free seat gets a place.
    """

    holder: Name | None = None
    ttl: LeaseSeconds = 300
    borrow: BorrowSeconds | None = None
    group: Name | None = None
    amount: Units = 1
    priority: Annotated[int, Meta(ge=-1000, le=1000)] = 0
    queue: bool = False


class Renewal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many seconds a lease is to last from now on."""

    ttl: LeaseSeconds = 300


class ReservedAmount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many seats are to be reserved."""

    amount: Units


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The seats that borrowing has to leave, and the longest time one is borrowed for."""

    low_water_mark: Annotated[int, Meta(ge=0, le=10**12)] = 0
    longest_borrow_seconds: Annotated[int, Meta(ge=0, le=366 * 86_400)] = 30 * 86_400


class SeatController(Controller):
    """``/api/v1/features/{name}``: leases and the queue."""

    path = "/api/v1/features"
    tags = ("seats",)

    @get("/{name:str}/leases", opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def leases(self, server: Server, name: FeatureName) -> list[dict[str, Any]]:
        """Who has seats now, the oldest lease first."""
        _check_seats(server, name)
        return [_lease(lease) for lease in server.guard.leases(name)]

    @get("/{name:str}/queue", opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def queue(self, server: Server, name: FeatureName) -> list[dict[str, Any]]:
        """Who waits for seats, the next one first."""
        _check_seats(server, name)
        return [
            {"place": place, "holder": item.holder, "group": item.group, "amount": item.amount}
            | {"priority": item.priority, "asked_at": rfc3339(item.asked_at)}
            for place, item in enumerate(server.guard.queue(name), start=1)
        ]

    @post("/{name:str}/leases", opt=requires(Access.SIGNED_IN), request_max_body_size=SMALL_BODY, sync_to_thread=True)
    def acquire(
        self, server: Server, request: Request[Any, Any, Any], name: FeatureName, data: JSONBody[WantedLease]
    ) -> Response[dict[str, Any]]:
        """Acquire seats, renew those the holder has, or borrow them.

        Answers 201 with the lease, 202 with a place in the queue, or the refusal.
        """
        _check_seats(server, name)
        caller = caller_of(request)
        holder = data.holder or caller.name
        is_own = holder == caller.name and data.group is None and data.priority <= 0
        if not is_own and not caller.is_administrator:
            _refuse_others("name another holder, a group or a priority above 0")
        server.guard.refresh()
        if data.borrow is not None:
            return Response(_borrowed(server, name, holder, data, caller.name), status_code=201)
        try:
            lease = server.guard.lease(
                name,
                holder,
                timedelta(seconds=data.ttl),
                group=data.group,
                amount=data.amount,
                priority=data.priority,
                queue=data.queue,
                actor=caller.name,
            )
        except Queued as error:
            return Response(_place(error), status_code=202)
        return Response(_lease(lease), status_code=201)

    @put(
        "/{name:str}/leases/{lease_id:str}",
        opt=requires(Access.SIGNED_IN),
        request_max_body_size=SMALL_BODY,
        sync_to_thread=True,
    )
    def renew(
        self,
        server: Server,
        request: Request[Any, Any, Any],
        name: FeatureName,
        lease_id: LeaseId,
        data: JSONBody[Renewal],
    ) -> dict[str, Any]:
        """Let a lease last longer."""
        _check_own(server, request, name, lease_id)
        server.guard.refresh()
        return _lease(server.guard.renew_lease(lease_id, timedelta(seconds=data.ttl), actor=caller_of(request).name))

    @delete("/{name:str}/leases/{lease_id:str}", opt=requires(Access.SIGNED_IN), status_code=200, sync_to_thread=True)
    def release(
        self, server: Server, request: Request[Any, Any, Any], name: FeatureName, lease_id: LeaseId
    ) -> dict[str, Any]:
        """Give seats back, borrowed ones as well."""
        _check_own(server, request, name, lease_id)
        server.guard.release_lease(lease_id, actor=caller_of(request).name)
        return {"id": lease_id, "released": True}


class SeatRulesController(Controller):
    """``/api/v1/features/{name}``: what an administrator says of seats."""

    path = "/api/v1/features"
    tags = ("seats",)

    @get("/{name:str}/reservations", opt=requires(Access.ADMINISTRATOR), sync_to_thread=True)
    def reservations(self, server: Server, name: FeatureName) -> list[dict[str, Any]]:
        """The seats that are reserved, and for whom."""
        _check_seats(server, name)
        return [_reservation(item) for item in server.guard.reservations(name)]

    @put(
        "/{name:str}/reservations/{kind:str}/{subject:str}",
        opt=requires(Access.ADMINISTRATOR),
        request_max_body_size=SMALL_BODY,
        sync_to_thread=True,
    )
    def reserve(
        self,
        server: Server,
        request: Request[Any, Any, Any],
        name: FeatureName,
        *,
        kind: Kind,
        subject: Subject,
        data: JSONBody[ReservedAmount],
    ) -> dict[str, Any]:
        """Keep seats for a user or a group alone."""
        _check_seats(server, name)
        return _reservation(server.guard.reserve_seats(name, kind, subject, data.amount, actor=caller_of(request).name))

    @delete(
        "/{name:str}/reservations/{kind:str}/{subject:str}",
        opt=requires(Access.ADMINISTRATOR),
        status_code=200,
        sync_to_thread=True,
    )
    def unreserve(
        self, server: Server, request: Request[Any, Any, Any], name: FeatureName, kind: Kind, subject: Subject
    ) -> dict[str, Any]:
        """Keep no seats for a user or a group any more."""
        _check_seats(server, name)
        server.guard.unreserve_seats(name, kind, subject, actor=caller_of(request).name)
        return {"feature": name, "kind": kind, "subject": subject, "amount": 0}

    @get("/{name:str}/seat-rules", opt=requires(Access.ADMINISTRATOR), sync_to_thread=True)
    def rules(self, server: Server, name: FeatureName) -> dict[str, Any]:
        """What borrowing has to leave, and how long it may last."""
        _check_seats(server, name)
        return _rules(name, server.guard.seat_rules(name))

    @put(
        "/{name:str}/seat-rules",
        opt=requires(Access.ADMINISTRATOR),
        request_max_body_size=SMALL_BODY,
        sync_to_thread=True,
    )
    def set_rules(
        self, server: Server, request: Request[Any, Any, Any], name: FeatureName, data: JSONBody[Rules]
    ) -> dict[str, Any]:
        """Say what borrowing has to leave, and how long it may last."""
        _check_seats(server, name)
        longest = timedelta(seconds=data.longest_borrow_seconds)
        rules = SeatRules(low_water_mark=data.low_water_mark, longest_borrow=longest)
        server.guard.set_seat_rules(name, rules, actor=caller_of(request).name)
        return _rules(name, rules)

    @delete("/{name:str}/seat-rules", opt=requires(Access.ADMINISTRATOR), status_code=200, sync_to_thread=True)
    def reset_rules(self, server: Server, request: Request[Any, Any, Any], name: FeatureName) -> dict[str, Any]:
        """Let the defaults hold again; answers them."""
        _check_seats(server, name)
        return _rules(name, server.guard.reset_seat_rules(name, actor=caller_of(request).name))


@get("/api/v1/denials", opt=requires(Access.ADMINISTRATOR), tags=["seats"], sync_to_thread=True)
def seat_denials(
    server: Server,
    feature: Annotated[str | None, Parameter(pattern="^[a-z][a-z0-9_]{0,62}$", required=False)] = None,
    before: Annotated[int | None, Parameter(ge=1, le=2**53, required=False)] = None,
    most: Annotated[int, Parameter(ge=1, le=1000)] = 200,
) -> list[dict[str, Any]]:
    """Who was refused a seat and why, newest first; ``before`` is the id of a denial to go on from."""
    found = server.guard.denials(feature, most=most, before=before)
    return [msgspec.structs.asdict(item) | {"at": rfc3339(item.at)} for item in found]


def _check_seats(server: PlatformServer, name: str) -> None:
    product = server.guard.product
    if not isinstance(product.by_name.get(name), Seats):
        known = ", ".join(seats.name for seats in product.seats)
        detail = f"There are no seats of a feature {name!r}. There are of: {known}."
        raise Problem("unknown_feature", title="No such feature", status=404, detail=detail)


def _check_own(server: PlatformServer, request: Request[Any, Any, Any], name: str, lease_id: str) -> None:
    """Let the holder of a lease through, and administrators."""
    _check_seats(server, name)
    lease, caller = server.guard.find_lease(lease_id), caller_of(request)
    if lease.feature != name:
        detail = f"The lease {lease_id!r} is not one of {name!r} but of {lease.feature!r}."
        raise Problem("unknown_lease", title="No such lease", status=404, detail=detail)
    if lease.holder != caller.name and not caller.is_administrator:
        _refuse_others(f"change the lease of {lease.holder!r}")


def _refuse_others(what: str) -> None:
    detail = f"Only an administrator may {what}. Ask your Service Center administrator."
    raise Problem("role_required", title="An administrator's task", status=403, detail=detail)


def _borrowed(server: PlatformServer, name: str, holder: str, data: WantedLease, actor: str) -> dict[str, Any]:
    """The lease, its document, and the key that its clients are to know."""
    period = timedelta(seconds=data.borrow or 0)
    lease, document = server.guard.borrow(name, holder, period, group=data.group, amount=data.amount, actor=actor)
    with server.guard.database.read() as connection:
        key = read_installation(connection).signing_key()
    return _lease(lease) | {"document": document.decode(), "public_key": key.public_jwk()}


def _lease(lease: Lease) -> dict[str, Any]:
    members: dict[str, Any] = {
        "id": lease.id,
        "feature": lease.feature,
        "holder": lease.holder,
        "group": lease.group,
        "amount": lease.amount,
        "acquired_at": rfc3339(lease.acquired_at),
        "expires_at": rfc3339(lease.expires_at),
        "borrowed": lease.borrowed,
    }
    return members | ({"warnings": notice_members(lease.decision.warnings)} if lease.decision else {})


def _place(error: Queued) -> dict[str, Any]:
    decision = error.decision
    members = {"code": decision.code, "message": decision.message} | decision_members(decision)
    return {"queued": True, "place": error.place, "ask_again_seconds": PLACE_KEPT.total_seconds()} | members


def _reservation(item: Reservation) -> dict[str, Any]:
    return {"feature": item.feature, "kind": item.subject_kind, "subject": item.subject, "amount": item.amount}


def _rules(name: str, rules: SeatRules) -> dict[str, Any]:
    seconds = rules.longest_borrow // timedelta(seconds=1)
    return {"feature": name, "low_water_mark": rules.low_water_mark, "longest_borrow_seconds": seconds}
