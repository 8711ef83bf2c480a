"""The Service Center: pages for people, rendered on the server, without a script."""

from typing import Any

from placet.web.console.assets import static_file
from placet.web.console.errors import problem_page
from placet.web.console.overview import overview_page, root
from placet.web.console.problem_pages import problem_index, problem_of_code
from placet.web.console.public_pages import public_problem_page
from placet.web.console.sign_in import sign_in, sign_in_page, sign_out
from placet.web.console.upload import after_upload, upload_license

__all__ = ["ROUTES", "problem_page", "public_problem_page"]

ROUTES: list[Any] = [
    root,
    overview_page,
    upload_license,
    after_upload,
    sign_in_page,
    sign_in,
    sign_out,
    problem_index,
    problem_of_code,
    static_file,
]
