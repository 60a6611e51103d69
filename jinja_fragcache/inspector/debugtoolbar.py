"""A panel of Flask-DebugToolbar: the fragments of the page that it stands on.

Flask-DebugToolbar imports it, and nothing in this package does.
"""

from typing import Any

from flask import current_app
from flask_debugtoolbar.panels import DebugPanel
from werkzeug import Request

from jinja_fragcache.observe.requests import OUTCOMES, Collected, RequestReports
from jinja_fragcache.render.environment import fragment_cache_of

from .html import render, seconds

# Of all applications: each request has its own reports.
_REPORTS = RequestReports()


class FragmentCachePanel(DebugPanel):
    """Shows what became of the fragments, and the decorated functions, of a request.

    List it in `DEBUG_TB_PANELS`, as `jinja_fragcache.inspector.debugtoolbar:` and its
    name. It shows the cache of the application's templates.
    """

    name = "FragmentCache"
    has_content = True

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._collected = Collected()

    def process_request(self, request: Request) -> None:
        """Begin to collect. The toolbar calls it before the view is called."""
        fragment_cache_of(current_app.jinja_env).listen(_REPORTS)
        self._collected = _REPORTS.start()

    def nav_title(self) -> str:
        """Return the panel's name in the list of panels."""
        return "Fragment cache"

    def nav_subtitle(self) -> str:
        """Return what stands below it: the numbers, and the time in the store."""
        counts = self._collected.counts
        told = [f"{counts[each]} {name}" for each, name in OUTCOMES if counts[each]]
        if not told:
            return "nothing asked for"
        return f"{', '.join(told)}; store {seconds(self._collected.store_seconds)}"

    def title(self) -> str:
        """Return the panel's heading."""
        return "Fragments of this page"

    def url(self) -> str:
        """Return nothing: the panel has its content with it."""
        return ""

    def content(self) -> str:
        """Return the panel's content, as HTML."""
        collected = self._collected
        reports = collected.in_order()
        asked = sum(collected.counts.values())
        return render(
            "debugtoolbar.html",
            collected=collected,
            reports=reports,
            asked=asked,
            left_out=asked - len(reports),
        )
