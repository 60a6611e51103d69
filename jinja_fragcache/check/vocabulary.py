"""Which names mean what: a user, a token, a locale, a request.

The lists are for what Flask, Flask-Login, Flask-WTF, Flask-Babel, Starlette and Django
put into templates. A path is a name with attributes, such as `request.cookies`; it
stands for everything that is read of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from jinja_fragcache.frameworks.request_names import ATTRIBUTES, METHODS, told_by
from jinja_fragcache.reads.outline import Reads
from jinja_fragcache.reads.paths import Path

_USERS = (
    "user",
    "current_user",
    "logged_in_user",
    "user_id",
    "visitor",
    "request.user",
    "request.state.user",
    "g.user",
    "g.current_user",
    "g.user_id",
    "g.identity",
    "session.user",
    "session.user_id",
    "session._user_id",
    "session.uid",
    "session.username",
    "request.session.user",
    "request.session.user_id",
)
# What a user has: another user has another one.
_OWNED = (
    "perms",
    "permissions",
    "cart",
    "basket",
    "wishlist",
    "notifications",
    "unread_count",
    "is_authenticated",
    "is_admin",
    "is_staff",
    "logged_in",
    "g.perms",
    "g.cart",
    "g.permissions",
    "g.is_admin",
)
# What may be the one who is signed in, or an object of the page.
_VISITORS = ("account", "customer", "me", "member", "profile", "viewer")
_PERSONAL = (
    "session",
    "g.session",
    "request.session",
    "request.cookies",
    "request.COOKIES",
    "request.headers",
    "request.META",
    "request.authorization",
    "request.auth",
    "request.remote_addr",
    "request.remote_user",
    "request.access_route",
    "request.client",
    "request.user_agent",
    "request.environ",
    "request.accept_languages",
    "request.accept_mimetypes",
)
_TOKENS = (
    "csrf_token",
    "csrf_input",
    "csrf_field",
    "csp_nonce",
    "request.csp_nonce",
    "get_flashed_messages",
    "get_messages",
    "messages",
    "g.csrf_token",
    "session.csrf_token",
)
#: Attributes of any form that print a token.
TOKEN_ATTRIBUTES = frozenset({"csrf_token", "hidden_tag"})
_LOCALES = (
    "locale",
    "lang",
    "language",
    "lang_code",
    "language_code",
    "LANGUAGE_CODE",
    "current_locale",
    "current_language",
    "get_locale",
    "get_language",
    "g.locale",
    "g.lang",
    "g.language",
    "g.lang_code",
    "session.locale",
    "session.lang",
    "session.language",
    "request.LANGUAGE_CODE",
    "request.accept_languages.best_match",
)
_TRANSLATIONS = frozenset(
    f"{start}{name}"
    for start in ("", "u", "lazy_", "n", "p", "np", "un")
    for name in ("gettext",)
) | {"_", "lazy_ngettext", "lazy_pgettext"}
_FORMATS = frozenset(
    f"{start}{kind}{end}"
    for kind in (
        *("date", "time", "datetime", "timedelta", "interval", "number", "decimal"),
        *("currency", "percent", "scientific", "compact_currency", "compact_decimal"),
    )
    for start, end in (("format_", ""), ("", "format"))
)
#: Functions and filters whose text depends on the locale.
LOCALIZED = _TRANSLATIONS | _FORMATS
_SHARED = (
    *("config", "g", "site", "settings", "app", "env", "environment", "theme"),
    *("brand", "company", "appbuilder", "admin_view", "security", "debug", "version"),
    *("url_for", "static", "url", "self", "super", "caller", "varargs", "kwargs"),
    *("range", "dict", "lipsum", "cycler", "joiner", "namespace", "cache_tag"),
    *("loop", "now", "moment", "true", "false", "none"),
)
# Beginnings and names of attributes that many objects have in common.
_BOOLEANS = ("is_", "has_", "can_", "may_")
_FLAGS = (*_BOOLEANS, "get_locale", "get_lang")
_GROUPS = frozenset(
    {
        *("role", "roles", "group", "groups", "permission", "permissions", "plan"),
        *("tier", "status", "state", "type", "kind", "category", "theme", "locale"),
        *("lang", "language", "country", "currency", "timezone", "active", "staff"),
        *("admin", "anonymous", "authenticated", "verified", "public", "count"),
    }
)
# What a part of the request says of others.
_REQUEST_SAYS: dict[str, tuple[str, ...]] = {
    "url": (
        *("path", "full_path", "args", "values", "host", "host_url", "base_url"),
        *("url_root", "query_string", "endpoint", "view_args", "url_rule"),
        *("blueprint", "query_params", "scheme", "root_url", "is_secure"),
    ),
    "full_path": (
        *("path", "args", "values", "query_string", "endpoint", "view_args"),
        *("url_rule", "blueprint", "query_params"),
    ),
    "get_full_path": ("path", "GET", "get_full_path", "resolver_match"),
    "build_absolute_uri": ("path", "GET", "get_host", "get_full_path"),
    "path": ("endpoint", "view_args", "url_rule", "blueprint", "resolver_match"),
    "base_url": ("path", "host", "host_url", "url_root", "endpoint", "view_args"),
    "url_root": ("host", "host_url", "root_url", "scheme"),
    "host_url": ("host", "url_root", "root_url", "scheme"),
    "url_rule": ("endpoint", "blueprint"),
    "endpoint": ("blueprint",),
}
#: What tells the beginnings of all URLs of a request: each of these does, or all of one
#: set does together.
HOSTS = (
    *({name} for name in ("host_url", "url_root", "root_url", "url", "base_url")),
    {"host", "scheme"},
    {"build_absolute_uri"},
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that the rules look for, as paths.

    Attributes:
        users: Names of the one who is signed in.
        owned: Names of what a user has.
        visitors: Names of what may be a user.
        personal: Names of what else differs from visitor to visitor.
        tokens: Names of tokens and flashed messages.
        locales: Names that tell the locale.
        shared: Names of what is the same on all pages.
        covered: Names that need not stand in a key.
        in_all_keys: What every key has, as the `vary_on` of the cache reads it.
    """

    users: frozenset[Path]
    owned: frozenset[Path]
    visitors: frozenset[Path]
    personal: frozenset[Path]
    tokens: frozenset[Path]
    locales: frozenset[Path]
    shared: frozenset[Path]
    covered: frozenset[Path]
    in_all_keys: Reads = ()

    @property
    def known(self) -> set[str]:
        """The names that begin a path of any of the lists."""
        lists = (self.users, self.owned, self.personal, self.tokens, self.locales)
        return {path[0] for each in (*lists, self.shared) for path in each} | {
            "request"
        }


def vocabulary(
    names: Iterable[str] = (),
    locale: Iterable[str] = (),
    shared: Iterable[str] = (),
    covered: Iterable[str] = (),
    in_all_keys: Reads = (),
) -> Vocabulary:
    """Return the built-in names, with those of the settings.

    Args:
        names: More personal names, such as `g.tenant`.
        locale: More names that tell the locale.
        shared: More names of what is the same on all pages. They are taken out of the
            other lists.
        covered: Names that need not stand in a key.
        in_all_keys: See `Vocabulary`.
    """
    same = paths(shared)
    return Vocabulary(
        users=paths(_USERS) - same,
        owned=paths(_OWNED) - same,
        visitors=paths(_VISITORS) - same,
        personal=paths((*_PERSONAL, *names)) - same,
        tokens=paths(_TOKENS) - same,
        locales=paths((*_LOCALES, *locale)) - same,
        shared=paths(_SHARED) | same,
        covered=paths(covered),
        in_all_keys=in_all_keys,
    )


def paths(names: Iterable[str]) -> frozenset[Path]:
    """Return names with dots, such as `g.user` and `get_locale()`, as paths."""
    return frozenset(tuple(name.removesuffix("()").split(".")) for name in names)


def within(path: Path, names: frozenset[Path]) -> Path | None:
    """Return the longest name that a path begins with, None if there is none."""
    for length in range(len(path), 0, -1):
        if path[:length] in names:
            return path[:length]
    return None


def is_flag(step: str) -> bool:
    """Return whether many objects have the same value of an attribute."""
    return step in _GROUPS or step.startswith(_FLAGS)


def is_boolean(step: str) -> bool:
    """Return whether an attribute is true or false, so that a test tells all of it."""
    return step.startswith(_BOOLEANS)


def read_as(path: Path) -> Path:
    """Return the path of what a path shows: the referrer is a header."""
    if path[:2] == _PERMANENT[0]:
        return _PERMANENT[1]
    if path[0] != "request" or len(path) < _REQUEST_PART:
        return path
    if path[1] == "headers":
        # The names of headers don't depend on case.
        return (*path[:2], *(name.lower() for name in path[2:3]), *path[3:])
    shown = _SHOWN.get(path[1], path[1])
    return path if shown == path[1] else ("request", *shown.split("."))


def told_by_key(path: Path) -> set[Path]:
    """Return the paths of all that a path in a key tells, as `read_as` returns them."""
    told = {tuple(name.split(".")) for name in told_by(".".join(path))}
    if path in _ALSO_TOLD:
        told.add(_ALSO_TOLD[path])
    is_whole = len(path) == _REQUEST_PART or path[1:2] == ("headers",)
    return told | ({read_as(path)} if is_whole else {path})


def request_says(path: Path) -> tuple[str, ...]:
    """Return the parts of the request that a part of it, in a key, covers as well."""
    if path[0] != "request" or len(path) != _REQUEST_PART:
        return ()
    return _REQUEST_SAYS.get(path[1], ())


_SHOWN = {**ATTRIBUTES, **METHODS}
# What the session shows as an attribute, too.
_PERMANENT = (("session", "permanent"), ("session", "_permanent"))
_ALSO_TOLD: dict[Path, Path] = {
    ("request", "client", "host"): ("request", "client"),
}
_REQUEST_PART = 2
