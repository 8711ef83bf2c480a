"""The views of the console, in the order of the navigation. A new one is its file, its template, and a line here."""

from placet.web.console.view import View
from placet.web.console.views import (
    credentials,
    feature,
    front_ends,
    licensing,
    modules,
    overview,
    request,
    settings,
    usage,
)

VIEWS: tuple[View, ...] = (
    overview.VIEW,
    licensing.VIEW,
    request.VIEW,
    usage.VIEW,
    feature.VIEW,
    modules.VIEW,
    credentials.VIEW,
    front_ends.VIEW,
    settings.VIEW,
)
