"""What end users see: a page for each way in which a module cannot answer, and no word of licenses."""

import pytest

from console_server import Document
from placet.platform.problems import ProblemCode
from placet.web.console import public_problem_page

CODES = [
    *("unknown_module", "unknown_instance"),
    *(ProblemCode.MODULE_UNAVAILABLE, ProblemCode.MODULE_BROKEN, ProblemCode.MODULE_SILENT),
    ProblemCode.REQUEST_TOO_LARGE,
]


@pytest.mark.parametrize("code", CODES, ids=str)
def test_a_page_in_plain_words(code: str) -> None:
    body, headers = public_problem_page(code, 503)
    page = Document(body.decode())
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.one("h1").text == page.one("title").text
    assert len(page.all("p")) == 2
    for word in ("licens", "service center", "placet", "module", "sign in"):
        assert word not in page.text.lower()
