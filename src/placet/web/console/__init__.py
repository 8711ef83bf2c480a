"""The Service Center: pages for people, rendered on the server. Its one script only adds to them."""

from typing import Any

from litestar import Response, get

from placet.web.access import Access, requires
from placet.web.console.assets import static_file
from placet.web.console.errors import problem_page
from placet.web.console.live import live
from placet.web.console.openid_pages import from_provider, to_provider
from placet.web.console.pages import see_other
from placet.web.console.password_pages import (
    change_password,
    change_password_page,
    set_password,
    set_password_page,
)
from placet.web.console.problem_pages import problem_index, problem_of_code
from placet.web.console.public_pages import public_problem_page
from placet.web.console.routing import routes_of
from placet.web.console.sign_in import sign_in, sign_in_page, sign_out
from placet.web.console.upload import after_upload, upload_license
from placet.web.console.views import VIEWS
from placet.web.console.views.request import request_file

__all__ = ["ROUTES", "VIEWS", "problem_page", "public_problem_page"]


@get("/", opt=requires(Access.PUBLIC), include_in_schema=False, sync_to_thread=False)
def root() -> Response[str]:
    """Lead whoever opens the server's address to the Service Center."""
    return see_other("/service-center/")


ROUTES: list[Any] = [
    root,
    *(route for view in VIEWS for route in routes_of(view)),
    upload_license,
    after_upload,
    request_file,
    live,
    sign_in_page,
    sign_in,
    sign_out,
    to_provider,
    from_provider,
    set_password_page,
    set_password,
    change_password_page,
    change_password,
    problem_index,
    problem_of_code,
    static_file,
]
