"""The pages of the inspector in an application of Flask."""

import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, abort, request, request_started
from werkzeug.exceptions import HTTPException

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.errors import SettingError
from jinja_fragcache.forks import free_after_fork
from jinja_fragcache.inspector.exchange import (
    MOST_BYTES,
    TOO_LARGE,
    Request,
    read_headers,
)
from jinja_fragcache.inspector.inspector import Inspector
from jinja_fragcache.inspector.masking import ShownSetting, show_setting
from jinja_fragcache.inspector.mounting import check_allow, read_verdict
from jinja_fragcache.inspector.overlay import may_see
from jinja_fragcache.messages import describe, logger
from jinja_fragcache.operations import perform

from .custom_backends import import_setting
from .settings import SETTINGS

#: Under this name, `app.extensions` has the inspectors of an application, by caches.
INSPECTORS = "jinja_fragcache_inspectors"
_ENDPOINT = "fragcache_inspector"
_URL = re.compile(r"(/[\w.~-]+)+/?", re.ASCII)
_METHODS = ("GET", "POST")


class AppInspector:
    """The pages of one cache of an application.

    Its routes are added as soon as it is known that they are wanted. In debug mode that
    may be at the first request: `app.run(debug=True)` comes after all else. Blueprints
    can't be registered then, so these are plain routes.

    It has to be kept alive, because signals hold their receivers weakly.

    Args:
        app: The application.
        cache: The extension, by which the application knows the cache.
        find: Returns the cache.
        settings: The settings in force, which may be known at the first request only.

    Attributes:
        inspector: Answers the requests.
        prefix: The path of the pages, without a slash at its end; None while there are
            none.

    Raises:
        SettingError: If a setting has a value that is not allowed, or the application
            has another route where the pages were asked for.
    """

    def __init__(
        self,
        app: Flask,
        cache: object,
        find: Callable[[], FragmentCache],
        settings: Mapping[str, Any],
    ) -> None:
        self.prefix: str | None = None
        self._app = app
        self._is_refused = False
        self._lock = free_after_fork(threading.Lock())
        self._wanted = settings["CACHE_INSPECTOR"]
        self._url = _read_url(settings["CACHE_INSPECTOR_URL"])
        allow = _read_allow(settings["CACHE_INSPECTOR_ALLOW"])
        self.inspector = Inspector(
            find,
            allow=allow,
            secret_key=lambda: app.secret_key,
            settings=lambda: shown_settings(settings),
        )
        self._is_asked_for = is_asked_for(settings)
        if self._wanted and allow is None and not app.debug:
            raise nobody_may_see("CACHE_INSPECTOR", "the inspector")
        known: dict[object, AppInspector] = app.extensions.setdefault(INSPECTORS, {})
        # The application may be set up twice.
        self._former = known.get(cache)
        self._number = [*known, cache].index(cache)
        known[cache] = self
        if self._wanted is False:
            return
        if self._is_asked_for or app.debug:
            self._add_routes()
        request_started.connect(self._start, app)

    def _start(self, app: Flask, **_: Any) -> None:
        """Decide, at the first request, what could not be decided before."""
        request_started.disconnect(self._start, app)
        if self.prefix is None and app.debug and not self._is_refused:
            self._add_routes()
            self._match_again()
        protection: Any = app.extensions.get("csrf")
        if self.prefix is not None and hasattr(protection, "exempt"):
            # Of Flask-WTF, which knows nothing of the tokens of these pages.
            protection.exempt(self.view)

    def _add_routes(self) -> None:
        with self._lock:
            if self.prefix is not None:
                return
            number = f"-{self._number + 1}" if self._number else ""
            prefix, rules = self._url + number, self._app.url_map
            endpoint = f"{_ENDPOINT}{number.replace('-', '_')}.page"
            is_there = self._former is not None and self._former.prefix == prefix
            if not is_there:
                if any(_is_below(each.rule, prefix) for each in rules.iter_rules()):
                    self._refuse(prefix)
                    return
                # Each host has its own routes then.
                host = "<inspector_host>" if rules.host_matching else None
                for path in ("/", "/<path:page>"):
                    rules.add(
                        self._app.url_rule_class(
                            prefix + path,
                            methods=_METHODS,
                            endpoint=endpoint,
                            host=host,
                        )
                    )
            self._app.view_functions[endpoint] = self.view
            self.prefix = prefix

    def _refuse(self, prefix: str) -> None:
        """Tell that there is another route.

        Raises:
            SettingError: If the inspector was asked for.
        """
        self._is_refused = True
        told = (
            f"The application has a route at {prefix} already, so the inspector can't"
            " be there. Set CACHE_INSPECTOR_URL to another path"
        )
        if self._is_asked_for:
            raise SettingError(f"{told}.")
        logger.warning("%s, or CACHE_INSPECTOR to False.", told)

    def _match_again(self) -> None:
        """Find the route of the current request, which was not there before."""
        if self.prefix is None or not _is_below(request.path, self.prefix):
            return
        adapter = self._app.create_url_adapter(request)
        if adapter is None:
            return
        try:
            rule, values = adapter.match(return_rule=True)
            request.url_rule, request.view_args = rule, dict(values)
            request.routing_exception = None
        except HTTPException as error:
            request.routing_exception = error

    @property
    def is_asked(self) -> bool:
        """Whether the current request is for a page of the inspector."""
        return self.prefix is not None and _is_below(request.path, self.prefix)

    def may_see(self) -> bool:
        """Return whether the current request may see the inspector.

        Raises:
            SettingError: If the function in the settings returns neither.
        """
        allow = self.inspector.allow
        if self.prefix is None or (allow is None and not self._app.debug):
            return False
        is_allowed = None if allow is None else read_verdict(allow())
        return may_see(self.request(), is_allowed=is_allowed)

    def view(self, page: str = "", **_: str) -> Response:
        """Answer the current request, whatever the function in the settings allows."""
        allow = self.inspector.allow
        if allow is None and not self._app.debug:
            abort(404)
        is_allowed = None if allow is None else read_verdict(allow())
        response = TOO_LARGE
        if (request.content_length or 0) <= MOST_BYTES:
            asked = self.request(page, request.form.to_dict())
            response = perform(self.inspector.answer(asked, is_allowed=is_allowed))
        return Response(response.body, response.status, response.all_headers)

    def request(self, page: str = "", form: Mapping[str, str] | None = None) -> Request:
        """Return the current request, as the inspector reads it."""
        return Request(
            request.method,
            f"{request.script_root}{self.prefix}",
            page.strip("/"),
            request.args.to_dict(),
            form or {},
            read_headers(request.headers),
            request.is_secure,
        )


def is_asked_for(settings: Mapping[str, Any]) -> bool:
    """Return whether the pages are to be there outside of debug mode, too."""
    wanted, allow = settings["CACHE_INSPECTOR"], settings["CACHE_INSPECTOR_ALLOW"]
    return wanted is True or (wanted is None and allow is not None)


def nobody_may_see(setting: str, what: str) -> SettingError:
    """Return the error for something that is on where nobody may see it."""
    return SettingError(
        f"{setting} is on, and outside of debug mode {what} needs"
        " CACHE_INSPECTOR_ALLOW, a function that returns whether the current request"
        " may see it: CACHE_INSPECTOR_ALLOW = lambda: current_user.is_admin. Leave"
        f" {setting} out to have it in debug mode only."
    )


def shown_settings(settings: Mapping[str, Any]) -> list[ShownSetting]:
    """Return all settings, as they may be shown."""
    return [
        show_setting(each.name, settings[each.name], each.default) for each in SETTINGS
    ]


def _is_below(rule: str, prefix: str) -> bool:
    return f"{rule}/".startswith(f"{prefix}/")


def _read_allow(given: Any) -> Callable[[], Any] | None:
    name = "CACHE_INSPECTOR_ALLOW"
    if isinstance(given, str):
        form = "'package.module:name' of a function without arguments"
        given = import_setting(name, given, form)
    return None if given is None else check_allow(name, given)


def _read_url(given: Any) -> str:
    """Return the path of the pages, without a slash at its end.

    Raises:
        SettingError: If it is no path.
    """
    if isinstance(given, str) and _URL.fullmatch(given):
        return given.rstrip("/")
    raise SettingError(
        f"CACHE_INSPECTOR_URL can't be {describe(given)}. It is the path of the"
        " inspector, such as '/_fragcache'."
    )
