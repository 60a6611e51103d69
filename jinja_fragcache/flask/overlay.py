"""Puts the overlay into the pages of an application."""

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, request, request_finished
from werkzeug.datastructures import Headers

from jinja_fragcache.errors import SettingError
from jinja_fragcache.inspector.overlay import Answer, may_have_overlay, with_overlay
from jinja_fragcache.messages import logger

from .inspector import AppInspector, nobody_may_see

#: Under this name, `app.extensions` keeps what signals hold weakly, by caches.
OVERLAYS = "jinja_fragcache_overlays"
_NAME = "CACHE_DEBUG_OVERLAY"
# In the environ of a request: one page has one overlay, however many caches there are.
_HAS_ONE = "jinja_fragcache.overlay"


class OverlaidPages:
    """Adds the overlay to the HTML pages of one application.

    That is done when nothing else changes the answer any more, because the script needs
    the nonce of the page's policy, which a function after the request may set.

    It has to be kept alive, because signals hold their receivers weakly.

    Args:
        app: The application.
        inspector: Serves the script, and does what its buttons ask for.
        settings: The settings.

    Raises:
        SettingError: If it is asked for, and what it needs is not there.
    """

    def __init__(
        self, app: Flask, inspector: AppInspector, settings: Mapping[str, Any]
    ) -> None:
        self._app = app
        self._inspector = inspector
        self._wanted = settings[_NAME]
        self._failed = False
        has_comments = settings["CACHE_DEBUG_COMMENTS"]
        if self._wanted:
            _check("CACHE_DEBUG_COMMENTS", "finds fragments by comments", has_comments)
            has_pages = settings["CACHE_INSPECTOR"] is not False
            _check("CACHE_INSPECTOR", "comes from the inspector", has_pages)
            if inspector.inspector.allow is None and not app.debug:
                raise nobody_may_see(_NAME, "the overlay")
        if has_comments and self._wanted is not False:
            request_finished.connect(self._finish, app)

    def _finish(self, _: Flask, response: Response, **__: Any) -> None:
        # Here, because `app.run(debug=True)` sets it after the cache was made.
        if not (self._app.debug if self._wanted is None else self._wanted):
            return
        is_whole = response.is_sequence and not response.direct_passthrough
        headers = response.headers.to_wsgi_list()
        if not is_whole or not may_have_overlay(response.status_code, headers):
            return
        if _HAS_ONE in request.environ or not self._may_see():
            return
        asked = self._inspector.request()
        made = with_overlay(
            Answer(response.status_code, headers, response.get_data()),
            asked.root,
            request.host_url.rstrip("/"),
            lambda: self._inspector.inspector.issue_token(asked),
        )
        if made is not None:
            request.environ[_HAS_ONE] = True
            response.set_data(made.body)
            response.headers = Headers(made.headers)

    def _may_see(self) -> bool:
        """Return whether this request may see the overlay.

        The inspector's own pages have none.
        """
        try:
            return not self._inspector.is_asked and self._inspector.may_see()
        except Exception as error:  # noqa: BLE001 - it may not fail the page
            if not self._failed:
                self._failed = True
                logger.error(
                    "The overlay is not shown, because CACHE_INSPECTOR_ALLOW failed."
                    " This is logged once.",
                    exc_info=error,
                )
            return False


def _check(setting: str, why: str, is_there: bool) -> None:
    if not is_there:
        raise SettingError(
            f"{_NAME} is on, and the overlay {why}. Turn {setting} on, too, or leave"
            f" {_NAME} out."
        )
