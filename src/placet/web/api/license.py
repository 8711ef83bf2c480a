"""The license over HTTP: status, installing, requesting, history, and the vendor's list of revoked licenses."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, get, post, put
from litestar.params import JSONBody, Parameter, QueryParameter, RawBody
from msgspec import Meta

from placet import __version__
from placet.guard import Outcome
from placet.guard.wanted import read_wanted
from placet.license.instants import parse_when, rfc3339
from placet.platform.server import PlatformServer
from placet.web.access import Access, caller_of, requires
from placet.web.api.parameters import DOCUMENT_BODY, SMALL_BODY, Server, flags
from placet.web.problems import Problem
from placet.web.render import changes_of, license_document, notice_members, status_document

Want = Annotated[
    list[Annotated[str, Meta(max_length=100)]] | None,
    QueryParameter(max_items=100, description="A feature that is wanted: `run`, or `software_units=50`; repeat it"),
]
Until = Annotated[
    str | None, QueryParameter(max_length=40, description="Until when: 2028-12-31, or an RFC 3339 instant")
]
Wishes = Annotated[str | None, QueryParameter(max_length=1000, description="What else the vendor should know")]


LicenseId = Annotated[int, Parameter(ge=1, le=2**53, description="An entry of the license history")]


class Restore(msgspec.Struct, frozen=True):
    """Which entry of the history to put in force again."""

    id: Annotated[int, Meta(ge=1, le=2**53)]
    acknowledge: bool = False


class LicenseController(Controller):
    """``/api/v1/license``."""

    path = "/api/v1/license"
    tags = ("license",)

    @get(opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def status(self, server: Server) -> dict[str, Any]:
        """The license as it stands on this server."""
        server.notice()
        front_end = server.front_end
        return status_document(server.guard.status(), server.guard.license_id) | {
            "front_end": {
                "id": front_end.id,
                "name": front_end.name,
                "registered": front_end.registered,
                "license_digest": front_end.license_digest,
            }
        }

    @put(opt=requires(Access.ADMINISTRATOR), request_max_body_size=DOCUMENT_BODY, sync_to_thread=True)
    def install(self, server: Server, request: Request[Any, Any, Any], body: RawBody) -> dict[str, Any]:
        """Install the license file that is the body. Refused, the one before stays in force."""
        outcome = server.guard.install(
            body,
            actor=caller_of(request).name,
            **flags(request, "dry_run", "acknowledge"),
        )
        server.license_changed()
        return _outcome(outcome)

    @get("/request", opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def request_file(
        self,
        server: Server,
        want: Want = None,
        until: Until = None,
        wishes: Wishes = None,
    ) -> Response[bytes]:
        """The signed request for a license of this server, to be sent to the vendor."""
        server.notice()
        data = license_request(server, want or [], until, wishes)
        return as_download(data, f"license-request-{server.guard.status().serial_number}.json")

    @get("/history", opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def history(self, server: Server) -> list[dict[str, Any]]:
        """The licenses that were installed here, newest first."""
        current = server.guard.license_id
        return [
            {
                "id": entry.id,
                "in_force": entry.id == current,
                "jti": entry.jti,
                "digest": entry.digest,
                "issuer": entry.issuer,
                "customer": entry.customer,
                "serial_number": entry.serial_number,
                "expires_at": rfc3339(entry.expires_at),
                "installed_at": rfc3339(entry.installed_at),
                "installed_by": entry.installed_by,
                "restored_from": entry.restored_from,
            }
            for entry in server.guard.history()
        ]

    @get("/history/{license_id:int}", opt=requires(Access.ADMINISTRATOR), sync_to_thread=True)
    def file(self, server: Server, license_id: LicenseId) -> Response[bytes]:
        """The license file of an entry of the history, as it was installed: a backup of it."""
        return as_download(server.guard.license_file(license_id), f"license-{license_id}.json")

    @post(
        "/restore",
        opt=requires(Access.ADMINISTRATOR),
        status_code=200,
        request_max_body_size=SMALL_BODY,
        sync_to_thread=True,
    )
    def restore(self, server: Server, request: Request[Any, Any, Any], data: JSONBody[Restore]) -> dict[str, Any]:
        """Put a license of the history in force again."""
        acknowledge = data.acknowledge or flags(request, "acknowledge")["acknowledge"]
        outcome = server.guard.restore(data.id, actor=caller_of(request).name, acknowledge=acknowledge)
        server.license_changed()
        return _outcome(outcome)

    @put("/status-list", opt=requires(Access.ADMINISTRATOR), request_max_body_size=DOCUMENT_BODY, sync_to_thread=True)
    def status_list(self, server: Server, request: Request[Any, Any, Any], body: RawBody) -> dict[str, Any]:
        """Install the vendor's signed list of revoked licenses."""
        found = server.guard.install_status_list(body, actor=caller_of(request).name)
        revoked = [entry.jti for entry in found.content.revoked]
        return {"sequence": found.content.sequence, "revoked": revoked, "state": server.guard.status().state}


def as_download(data: bytes, name: str) -> Response[bytes]:
    """Answer a signed document to be kept as a file of that name."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(data, media_type="application/jose+json", headers=headers)


def license_request(server: PlatformServer, want: Sequence[str], until: str | None, wishes: str | None) -> bytes:
    """Write the signed request for what is wanted; raises :class:`Problem` (400) where nobody can want that."""
    try:
        return server.guard.request(
            product_version=__version__,
            wishes=wishes or None,
            wanted=read_wanted(server.guard.product, want),
            until=parse_when(until, server.guard.now()) if until else None,
        )
    except ValueError as error:
        raise Problem("bad_request", title="Bad Request", status=400, detail=str(error)) from None


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "installed": outcome.installed,
        "license": license_document(outcome.license, outcome.after),
        "changes": changes_of(outcome),
        "state": outcome.after.state,
        "errors": notice_members(outcome.after.errors),
        "warnings": notice_members(outcome.after.warnings),
    }
