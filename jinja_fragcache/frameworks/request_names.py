"""The names of what is read of a request, and what names in keys tell of it.

Several attributes of a request show the same, and some consist of others: a URL has a
host and a path.
"""

from collections.abc import Iterator

#: Attributes of the request, by the name of what they show of it.
ATTRIBUTES = {
    "accept_charsets": "headers.accept-charset",
    "accept_encodings": "headers.accept-encoding",
    "accept_languages": "headers.accept-language",
    "accept_mimetypes": "headers.accept",
    "access_route": "access_route",
    "authorization": "headers.authorization",
    "base_url": "base_url",
    "blueprint": "blueprint",
    "blueprints": "blueprint",
    "data": "data",
    "endpoint": "endpoint",
    "environ": "environ",
    "full_path": "full_path",
    "host": "host",
    "host_url": "host_url",
    "is_secure": "scheme",
    "json": "json",
    "method": "method",
    "path": "path",
    "query_string": "args",
    "referrer": "headers.referer",
    "remote_addr": "remote_addr",
    "remote_user": "remote_user",
    "root_path": "script_root",
    "root_url": "url_root",
    "routing_exception": "routing_exception",
    "scheme": "scheme",
    "script_root": "script_root",
    "stream": "data",
    "url": "url",
    "url_root": "url_root",
    "url_rule": "url_rule",
    "user_agent": "headers.user-agent",
}
# Those whose headers have the same name.
ATTRIBUTES |= {
    name: f"headers.{name.replace('_', '-')}"
    for name in (
        *("access_control_request_headers", "access_control_request_method"),
        *("cache_control", "content_encoding", "content_length", "content_type"),
        *("date", "if_match", "if_modified_since", "if_none_match", "if_range"),
        *("if_unmodified_since", "max_forwards", "origin", "pragma", "range"),
    )
}
ATTRIBUTES |= {
    "content_md5": "headers.content-md5",
    "input_stream": "data",
    # These tell less than the header.
    "is_json": "is_json",
    "mimetype": "mimetype",
    "mimetype_params": "mimetype_params",
    "want_form_data_parsed": "want_form_data_parsed",
}
#: Methods of the request, by the same.
METHODS = {"get_data": "data", "get_json": "json"}
_HOST = ("host", "scheme")
#: What attributes consist of. Below a script root, these with a path contain that, too.
PARTS = {
    "base_url": (*_HOST, "path"),
    "full_path": ("path", "args"),
    "host_url": _HOST,
    "url": (*_HOST, "path", "args"),
    "url_root": _HOST,
}
#: What begins with the script root.
BELOW_ROOT = frozenset({"base_url", "url", "url_root"})
# The attributes of these tell enough of them.
_TOLD_BY_PART = {"headers.user-agent": "string"}
#: What routing makes of `OF_ROUTE`, and of the host where views have several.
ROUTED = frozenset(
    {"blueprint", "endpoint", "routing_exception", "url_rule", "view_args"}
)
OF_ROUTE = ("method", "path")


def told_by(name: str) -> Iterator[str]:
    """Yield the dotted names of all that a name in a key tells of the request.

    Args:
        name: A dotted name, such as `request.user_agent.string`.
    """
    root, _, attribute = name.partition(".")
    if root != "request":
        return
    attribute, _, part = attribute.partition(".")
    shown = {**ATTRIBUTES, **METHODS}.get(attribute)
    is_whole = not part or part == _TOLD_BY_PART.get(shown or "")
    if shown is None or not (is_whole or attribute.startswith("accept_")):
        return
    yield f"request.{shown}"
    for each in PARTS.get(shown, ()):
        yield f"request.{each}"
    if shown in BELOW_ROOT:
        yield "request.script_root"
    if shown in {"endpoint", "url_rule"}:
        yield "request.blueprint"
    if shown == "url_rule":
        yield "request.endpoint"
