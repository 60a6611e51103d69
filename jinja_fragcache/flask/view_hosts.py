"""The hosts in the keys of views, where an application has views for several hosts.

Two views may have one path on two hosts then, and one view may get the name of a user
from the host.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import current_app, request

from jinja_fragcache.errors import KeyValueError


def host_of_request() -> str:
    """Return the host of the current request, "" if all hosts have the same views."""
    return request.host if _has_hosts() else ""


def host_of_url(url: str) -> str:
    """Return the host that a view has by a URL that Werkzeug has built.

    Args:
        url: The URL. It is whole if the host is not the application's own.
    """
    return (urlsplit(url).netloc or own_host()) if _has_hosts() else ""


def host_of_views(endpoints: Iterable[str]) -> str:
    """Return the host of a view that has only one.

    Args:
        endpoints: The endpoints of the view.

    Raises:
        KeyValueError: If it has several hosts.
    """
    if not _has_hosts():
        return ""
    hosts = {
        _host_of(rule.host, rule.subdomain)
        for endpoint in endpoints
        for rule in current_app.url_map.iter_rules(endpoint)
    }
    if len(hosts) != 1 or "<" in (host := hosts.pop()):
        raise KeyValueError(
            "A path alone does not tell the host, and the view has several. Give the"
            " view's arguments."
        )
    return host


def own_host() -> str:
    """Return the host of views that name none."""
    name: str | None = current_app.config["SERVER_NAME"]
    return name or "localhost"


def _host_of(host: str | None, subdomain: str | None) -> str:
    return host or (f"{subdomain}.{own_host()}" if subdomain else own_host())


def _has_hosts() -> bool:
    return current_app.url_map.host_matching or current_app.subdomain_matching
