"""Installing a license in the console: a dry run that shows what would change, then the same for good."""

import re
from collections.abc import Iterator

import anyio.to_thread
import msgspec
from litestar import Response, get, post

from placet.enforcement import Code, Decision, Refused, Status
from placet.guard import AcknowledgementRequired, Outcome
from placet.license.document import License, examine
from placet.platform.server import PlatformServer
from placet.web.access import Access, caller_of, requires
from placet.web.console.asking import AnyRequest
from placet.web.console.errors import answer_page
from placet.web.console.forms import file_of, read_fields
from placet.web.console.license_words import STATE_WORDS
from placet.web.console.pages import see_other
from placet.web.console.routing import answer_view
from placet.web.console.views import licensing
from placet.web.console.words import Moment, ending, quantity

LARGEST_LICENSE = 256 * 1024
_LARGEST_FORM = LARGEST_LICENSE + 16 * 1024
_NUMBER = re.compile(r"[0-9]{1,15}")
_OF_ANOTHER = frozenset({Code.WRONG_SERVER, Code.OPERATION_WRONG_SERVER})
_ADVICE = "No license is as large as that. Choose the file as it came from the vendor."


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """What the form sent: the file's content (``None``: there is none), and what is to happen with it.

    ``entry`` is the license of the history to be put in force again, instead of a file.
    """

    data: bytes | None
    entry: int | None
    install: bool
    acknowledge: bool


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an upload changes, or leaves as it is; ``None`` where there is none."""

    what: str
    before: Moment | str | None
    after: Moment | str | None
    effect: str = "the same"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an upload.

    ``document`` is the checked license's text where it may still be installed, so that the file need not be chosen
    again; what comes back is verified anew. ``entry`` is the license of the history that was looked at instead.
    ``issued_to``: the serial number a refused license was issued to, where that is another server's.
    """

    title: str
    refusal: Decision | None = None
    outcome: Outcome | None = None
    changes: tuple[Change, ...] = ()
    document: str | None = None
    entry: int | None = None
    issued_to: str | None = None
    http_status: int = 200


@post(
    "/service-center/license",
    opt=requires(Access.ADMINISTRATOR),
    include_in_schema=False,
    request_max_body_size=_LARGEST_FORM,
    exception_handlers={Exception: answer_page},
)
async def upload_license(request: AnyRequest) -> Response[str]:
    """Check or install the license of the form, and answer the licensing page with what came of it."""
    upload = await _read_form(request)
    if upload.data is None and upload.entry is None:
        result = Result(title="No file was chosen", http_status=400)
    else:
        server: PlatformServer = request.app.state.server
        result = await anyio.to_thread.run_sync(_install, server, upload, caller_of(request).name)
    return await answer_view(licensing.VIEW, request, status_code=result.http_status, result=result)


@get("/service-center/license", opt=requires(Access.PUBLIC), include_in_schema=False, sync_to_thread=False)
def after_upload() -> Response[str]:
    """Lead from the address of an upload's answer, opened again, to its page."""
    return see_other(licensing.VIEW.path)


def _install(server: PlatformServer, upload: Upload, actor: str) -> Result:
    entry, how = upload.entry, {"dry_run": not upload.install, "acknowledge": upload.acknowledge}
    data = upload.data or b""
    try:
        if entry is not None:
            outcome = server.guard.restore(entry, actor=actor, **how)
        else:
            outcome = server.guard.install(data, actor=actor, **how)
    except AcknowledgementRequired as error:
        return _result("The license was not installed", error.outcome, entry, error.decision)
    except Refused as error:
        title = "The license was not installed" if upload.install else "This license cannot be installed"
        refusal, issued_to = error.decision, _issued_to(server, data) if error.decision.code in _OF_ANOTHER else None
        return Result(title=title, refusal=refusal, issued_to=issued_to, http_status=refusal.http_status)
    server.license_changed()
    title = "The license is installed" if outcome.installed else "What this license would change"
    return _result(title, outcome, entry)


def _issued_to(server: PlatformServer, data: bytes) -> str | None:
    found = examine(data, server.guard.trust)
    return found.terms.serial_number if isinstance(found, License) else None


def _result(title: str, outcome: Outcome, entry: int | None, refusal: Decision | None = None) -> Result:
    return Result(
        entry=entry,
        title=title,
        refusal=refusal,
        outcome=outcome,
        changes=tuple(_changes(outcome)),
        document=None if outcome.installed or entry is not None else outcome.license.signed,
        http_status=200 if refusal is None else refusal.http_status,
    )


def _changes(outcome: Outcome) -> Iterator[Change]:
    """What differs, beginning with what is always told: the state, its messages, and until when."""
    before, after = outcome.before, outcome.after
    yield _change("State", STATE_WORDS[before.state], STATE_WORDS[after.state])
    yield _change("Messages", _messages(before), _messages(after))
    old, new = before.expires_at, after.expires_at
    effect = "later" if old and new and new > old else "earlier" if old and new else "changed"
    yield _change("Valid until", ending(old) if old else None, ending(new) if new else None, effect)
    for feature in outcome.changes.features:
        used = "" if feature.used is None else f", {quantity(feature.used)} in use"
        effect = f"{feature.effect}{used}"
        yield Change(what=feature.title, before=feature.before, after=feature.after, effect=effect)


def _change(what: str, before: Moment | str | None, after: Moment | str | None, effect: str = "changed") -> Change:
    return Change(what=what, before=before, after=after, effect="the same" if before == after else effect)


def _messages(status: Status) -> str:
    counts = ((len(status.errors), "error"), (len(status.warnings), "warning"))
    told = [f"{count} {what}" if count == 1 else f"{count} {what}s" for count, what in counts if count]
    return ", ".join(told) or "none"


async def _read_form(request: AnyRequest) -> Upload:
    form = await read_fields(request, largest=LARGEST_LICENSE, what="The file", advice=_ADVICE)
    data = await file_of(form.getall("license", []))
    if data is None:
        data = _text_of(form.getall("document", []))
    intent, acknowledged = form.getall("intent", []), form.getall("acknowledge", [])
    return Upload(
        data=data,
        entry=_number_of(form.getall("entry", [])),
        install="install" in intent,
        acknowledge="yes" in acknowledged,
    )


def _text_of(sent: list[object]) -> bytes | None:
    return next((entry.encode() for entry in sent if isinstance(entry, str) and entry.strip()), None)


def _number_of(sent: list[object]) -> int | None:
    numbers = (int(entry) for entry in sent if isinstance(entry, str) and _NUMBER.fullmatch(entry))
    return next(numbers, None)
