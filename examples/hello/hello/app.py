"""One page that greets, at `GET /`."""

import os
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from {module}</title>
<style>
:root {{ color-scheme: light dark; font: 1.125rem/1.6 system-ui, sans-serif }}
body {{ display: grid; place-content: center; min-height: 100vh; margin: 0; padding: 1rem; box-sizing: border-box }}
h1 {{ margin: 0; font-size: clamp(2rem, 8vw, 4rem); line-height: 1.1 }}
</style>
</head>
<body>
<main>
<h1>Hello, world.</h1>
<p>The module <strong>{module}</strong> answers at <a href="{here}">{here}</a>.</p>
</main>
</body>
</html>
"""


async def greet(request: Request) -> HTMLResponse:
    """Say hello, and where from: the prefix Placet serves a module under arrives as ASGI's `root_path`."""
    module = os.environ.get("PLACET_MODULE", "hello")
    here = request.scope.get("root_path", "") + "/"
    return HTMLResponse(PAGE.format(module=escape(module), here=escape(here)))


app = Starlette(routes=[Route("/", greet, methods=["GET"])])
