"""Which expressions put what was read into a key.

They work when they are pasted into a tag, for visitors without the value, too.
"""

from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from jinja_fragcache.list_names import split_list_name
from jinja_fragcache.messages import quoted

from .reads import is_plain

#: What is for one visitor, once.
FOR_ONE = frozenset({"csrf_token", "flashed messages"})
# What these are is told apart for each request, so they belong into no key.
_FOR_HOLES = FOR_ONE | frozenset(
    {
        *("g", "request", "request.auth"),
        *("request.environ", "request.files", "request.FILES", "request.form()"),
        *("request.headers", "request.META", "request.scope", "request.state"),
    }
)
# Each item may be missing.
_MAPPINGS = (
    *("session", "g", "request.session", "request.args", "request.form"),
    *("request.values", "request.cookies", "request.headers", "request.view_args"),
    *("request.GET", "request.POST", "request.COOKIES", "request.META"),
    *("request.query_params", "request.path_params"),
    *("request.query", "request.match_info", "request.ctx.session"),
    "request.resolver_match.kwargs",
)
# Query strings that Flask has, with `lists`, and Sanic and aiohttp without it.
_QUERIES = {"request.args", "request.query"}
_NOT_ALWAYS = {"request.view_args"}
# What is read under another name, and the function that a key can have for it: its
# module, and what gives it to all templates.
_GLOBAL = 'app.jinja_env.globals["{0}"] = {1}.{0}'
_OF_DJANGO = 'env.globals["{0}"] = {1}.{0}'
_FUNCTIONS = {
    "language": ("get_language", "django.utils.translation", _OF_DJANGO),
    "locale": ("get_locale", "flask_babel", _GLOBAL),
    "timezone": ("get_timezone", "flask_babel", _GLOBAL),
}
# Expressions for what can't be in a key as it is, in templates and in Python.
_OTHERS = {
    "request.client": ("request.client.host",) * 2,
    "request.json": ("request.get_json(silent=true)", "request.get_json(silent=True)"),
    "request.rel_url": ("request.rel_url|string", "str(request.rel_url)"),
    # A text in Flask and Quart, and an object elsewhere.
    "request.url": ("request.url|string", "str(request.url)"),
    "request.url_rule": ("request.url_rule|string", "str(request.url_rule)"),
}
# What identifies users, where nobody is signed in.
_OF_USERS = {
    "current_user": "get_id()",
    "request.user": "id",
    "user": "id",
}
# The first is the safest. Those of several kinds have more than one.
_IDENTITIES = ("get_id", "id", "pk", "uuid", "identity", "auth_id", "username")
_VALUES = (list, tuple, dict, set, frozenset, bytes)
_NOTHING = object()


class Now(Protocol):
    """The present values of what was read."""

    @property
    def takes_values(self) -> bool:
        """Whether a key is made of values, and not a text that a function returns."""
        ...

    def value(self, name: str) -> Any:
        """Return the value that a dotted name has now.

        Raises:
            LookupError: If that is not known.
        """
        ...

    def has(self, name: str) -> bool:
        """Return whether an expression can have a name."""
        ...

    def encodes(self, value: Any) -> bool:
        """Return whether a value can be a key value."""
        ...


class Proposal(NamedTuple):
    """What puts a read into a key.

    Attributes:
        expression: The expression.
        needs: What has to be written elsewhere for it, else "".
    """

    expression: str
    needs: str = ""


def propose(name: str, now: Now, *, in_template: bool) -> Proposal | None:
    """Return what puts a read into a key, None if it belongs into none.

    Args:
        name: The dotted name of the read.
        now: What has the present values.
        in_template: Whether the key is a tag's. Else the expression is Python's.
    """
    if name in _FOR_HOLES or name.startswith("request.files."):
        return None
    if name in _FUNCTIONS:
        function, module, way = _FUNCTIONS[name]
        if not in_template:
            return Proposal(f"{function}()", f"from {module} import {function}")
        needs = "" if now.has(function) else way.format(function, module)
        return Proposal(f"{function}()", needs)
    if split_list_name(name) is not None:
        return Proposal(name)
    if name in _OTHERS:
        return Proposal(_OTHERS[name][not in_template])
    return _of_now(name, now, in_template=in_template)


def _of_now(name: str, now: Now, *, in_template: bool) -> Proposal | None:
    """Like `propose`, for what the present value tells."""
    if not now.has(name.partition(".")[0]):
        return None
    value: Any = _NOTHING
    with suppress(Exception):  # What an application has may raise anything.
        value = now.value(name)
    if name in _MAPPINGS:
        is_known = hasattr(value, "items") and now.encodes([*value.items()])
        if not is_known:
            return None
        if name in _QUERIES and not hasattr(value, "lists"):
            return Proposal("request.query_string")
        return (
            _whole_in_template(name, value) if in_template else _whole(name, value, now)
        )
    identity = _identity(name, value)
    if identity is None and value is not _NOTHING and not now.encodes(value):
        return None
    return Proposal(_item_of(name, value, identity, in_template=in_template))


def _item_of(name: str, value: Any, identity: str | None, *, in_template: bool) -> str:
    """Return the expression for a part of a request, or for what identifies it."""
    nothing = "none" if in_template else "None"
    inside = [each for each in _MAPPINGS if name.startswith(f"{each}.")]
    if inside:
        # It may be missing, and so may the object.
        container = max(inside, key=len)
        item = f"{container}.get({quoted(name.removeprefix(f'{container}.'))})"
        return f"{item}.{identity} if {item} else {nothing}" if identity else item
    root, _, part = name.rpartition(".")
    is_attribute = part.removesuffix("()").isidentifier()
    item = name if is_attribute else f"{root}[{quoted(part)}]"
    if identity == "username" and hasattr(value, "is_authenticated"):
        # A visitor who is not signed in has none.
        return f"{item}.username if {item}.is_authenticated else {nothing}"
    return f"{item}.{identity}" if identity else item


def _identity(name: str, value: Any) -> str | None:
    """Return the attribute of an object that tells which one it is, if it has one."""
    if value is None or value is _NOTHING:
        return _OF_USERS.get(name)
    if is_plain(value) or isinstance(value, _VALUES):
        return None
    for attribute in _IDENTITIES:
        with suppress(Exception):  # A property of the user's may raise anything.
            identity = getattr(value, attribute)
            if attribute == "get_id":
                identity, attribute = identity(), "get_id()"  # noqa: PLW2901 - with its ()
            if is_plain(identity):
                return attribute
    return None


def _whole(name: str, value: Any, now: Now) -> Proposal:
    """Return the expression of Python's for all items of a mapping."""
    if now.takes_values:
        # A query may have several values for one key.
        if hasattr(value, "to_dict"):
            return Proposal(f"{name}.to_dict(flat=False)")
        return Proposal(
            f"dict({name} or ())" if name in _NOT_ALWAYS else f"dict({name})"
        )
    # The digest of all tells them, where a text would show each of them.
    items = "items(multi=True)" if hasattr(value, "to_dict") else "items()"
    digest = f"sha256(repr(sorted({name}.{items})).encode()).hexdigest()"
    return Proposal(digest, "from hashlib import sha256")


def _whole_in_template(name: str, value: Any) -> Proposal:
    """Return the expression for all items of a mapping, for a tag."""
    if hasattr(value, "lists") and hasattr(value, "to_dict"):
        return Proposal(f"{name}.to_dict(flat=false)")
    for method in ("multi_items", "lists"):
        if hasattr(value, method):
            return Proposal(f"{name}.{method}()|list")
    items = f"{name}|dictsort"
    # Where no view was found, a request of Flask has none.
    return Proposal(f"{items} if {name} else none" if name in _NOT_ALWAYS else items)
