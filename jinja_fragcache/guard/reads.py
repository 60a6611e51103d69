"""Reads: what a body reads that differs between requests, and what a key covers of it.

A read has a dotted name: `session.user`, `request.args.page`, `current_user`. Two
requests in which it differs may need another text. So it has to be in the key, or the
text is not stored.
"""

import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, NamedTuple

from jinja_fragcache.identities import names_object
from jinja_fragcache.list_names import split_list_name

#: Reads whose parts are read one by one. A key that names one part covers only that.
CONTAINERS = frozenset(
    {
        "session",
        "g",
        "request",
        "request.COOKIES",
        "request.FILES",
        "request.GET",
        "request.META",
        "request.POST",
        "request.args",
        "request.cookies",
        "request.ctx",
        "request.ctx.session",
        "request.environ",
        "request.files",
        "request.form",
        "request.headers",
        "request.json",
        "request.match_info",
        "request.path_params",
        "request.query",
        "request.query_params",
        "request.resolver_match",
        "request.resolver_match.kwargs",
        "request.state",
        "request.url",
        "request.values",
        "request.view_args",
    }
)
#: The texts of what is missing.
NOTHING = frozenset({"None"})
# By what an object may stand in a key: the fields that name a row or a user.
_IDENTITIES = ("id", "pk", "uuid", "username", "auth_id", "identity")
_PLAIN = (str, int, float)
# The same, in modules that are not imported here. Whoever has such a value has them.
_PLAIN_ELSEWHERE = (
    *(("datetime", "date"), ("datetime", "tzinfo")),
    *(("uuid", "UUID"), ("decimal", "Decimal")),
)
_LISTS = (list, tuple)
# Begins the text of a mapping.
_MAPPING = "mapping "
_SETS = (set, frozenset)
# A list that is nested deeper than this has no text. It may contain itself.
_DEEPEST = 10


class Read(NamedTuple):
    """Something that differs between requests and was read while a body ran.

    Attributes:
        name: Its dotted name.
        values: The texts of the values by which it may stand in a key.
        where: Where it was read: templates and lines, from the body inwards.
        instead: The texts of the key values of the nested fragment that it was read
            for. A key with all of these tells the nested text, so it covers the read.
        parts: The reads of which it consists, as a URL does of host and path. A key
            that covers all of them covers it.
        is_object: Whether an object was read, whose attributes may say less of it.
        kept: The text of what was read, if the entry keeps it: then the key need not
            have it, and a hit compares it with the present one. This is for what is
            the same in nearly all requests, such as the host. None for all else.
        is_whole: Whether all items of a mapping were read, not only how many it has.
    """

    name: str
    values: frozenset[str] = frozenset()
    where: tuple[str, ...] = ()
    instead: frozenset[str] = frozenset()
    parts: tuple["Read", ...] = ()
    is_object: bool = False
    kept: str | None = None
    is_whole: bool = False

    @property
    def shown(self) -> str:
        """Its name, with where it was read if that is known."""
        return f"{self.name} ({' > '.join(self.where)})" if self.where else self.name

    def below(self, template: str | None, line: int) -> "Read":
        """Return it without its tag's line, if another line of the template follows.

        A tag may stand over several lines, and is no template around its body.
        """
        tag = f"{template}:{line}"
        at = self.where.index(tag) if tag in self.where[:-1] else -1
        if at < 0 or not self.where[at + 1].startswith(f"{template}:"):
            return self
        return self.inside_of(tag)

    def inside_of(self, name: str) -> "Read":
        """Return it without the function that a message is about among the places."""
        return self._replace(where=tuple(each for each in self.where if each != name))


class Cover(NamedTuple):
    """What a key names.

    Attributes:
        names: The dotted names of the key's expressions.
        values: The texts of its values.
        allowed: The dotted names of what may be read though the key lacks it.
        shown: The dotted names of what a user's function read to make the key and the
            key shows, also where another value may look the same.
        shallow: The dotted names of reads that cover only what is read without a value,
            as by `"user" in session`.
        told: The dotted names that the key tells in a text that other values may give,
            too: a user's function made it, or `~` joined it. What they cover is
            compared before the entry is served.
        read: The names of what a user's function read to make the key, each with a text
            of its value.
    """

    names: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()
    shallow: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()
    read: frozenset[tuple[str, str]] = frozenset()

    def beside(self, other: "Cover") -> "Cover":
        """Return what a key names that has all of this one and of another one."""
        both: Any = (mine | its for mine, its in zip(self, other, strict=True))
        return Cover(*both)

    def names_it(self, read: Read) -> bool:
        """Return whether the key names a read.

        Requests with the same key read the same then.
        """
        return any(_names(name, read.name) for name in self.names)

    def tells(self, read: Read) -> bool:
        """Return whether the key tells a read, or all key values that it was read for.

        Another value may give the same key, by chance or by the way that it is made.
        """
        if any(_names(name, read.name) for name in self.told):
            return True
        return bool(read.instead) and read.instead <= self.values

    def tells_presence(self, read: Read) -> bool:
        """Return whether the key tells that something is there, and no more was read.

        Another thing may be there in a request with the same key.
        """
        return read.name in self.shallow and not (read.values or read.is_object)

    def texts_read(self, name: str) -> frozenset[str]:
        """Return the texts of what a user's function read to make the key."""
        return frozenset(text for each, text in self.read if each == name)

    def allows(self, read: Read) -> bool:
        """Return whether a read is allowed though it is not in the key."""
        return any(_names(name, read.name) for name in self.allowed)


def _names(name: str, read: str) -> bool:
    """Return whether a key with a name covers a read."""
    if name == read or read.startswith(f"{name}."):
        return True
    if (listed := split_list_name(name)) is not None:
        return read == ".".join(listed)
    # `user.id` tells who the user is, `user.is_admin` doesn't.
    part = name.removeprefix(f"{read}.")
    if part == name or read in CONTAINERS:
        return False
    return names_object(part, read.rpartition(".")[2])


def has_items(name: str) -> bool:
    """Return whether what a name stands for is read item by item."""
    return name in CONTAINERS


def is_plain(value: Any) -> bool:
    """Return whether a value is a text, a number, a locale, or the like."""
    if value is None or isinstance(value, _PLAIN):
        return True
    return type(value).__module__ == "babel.core" or any(
        isinstance(value, getattr(sys.modules.get(module), name, ()))
        for module, name in _PLAIN_ELSEWHERE
    )


def texts_of(value: Any, depth: int = 0) -> frozenset[str]:
    """Return the texts by which a value that was read may stand in a key.

    A key has the value if it has any one of them. So a list has one text, which tells
    all of it: a key with one item of it doesn't tell what else is in it.

    Args:
        value: A plain value, a list of values, or an object, which may stand there by
            its id.
        depth: How many lists it is inside of.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if is_plain(value):
        return frozenset({str(value)})
    if isinstance(value, (*_LISTS, *_SETS)):
        return _text_of_all(value, depth) if depth < _DEEPEST else frozenset()
    identities = frozenset(
        str(each) for each in _identities(value) if each is not None and is_plain(each)
    )
    if isinstance(value, Mapping) and depth < _DEEPEST:
        return identities | _text_of_mapping(value, depth)
    return identities


def texts_of_mappings(texts: Iterable[str]) -> frozenset[str]:
    """Return those of some texts that tell all keys and values of a mapping."""
    return frozenset(text for text in texts if text.startswith(_MAPPING))


def texts_in(value: Any, depth: int = 0) -> frozenset[str]:
    """Return the texts of a value that is in a key, and of all that is in it.

    Args:
        value: As for `texts_of`. A key that has a list tells each item of it, too, and
            so does one with a dictionary.
        depth: As for `texts_of`.
    """
    texts = texts_of(value, depth)
    items: Iterable[Any] = ()
    if isinstance(value, (*_LISTS, *_SETS)):
        items = value
    elif isinstance(value, dict):
        items = value.values()
    if depth < _DEEPEST:
        return texts.union(*(texts_in(each, depth + 1) for each in items))
    return texts


def _text_of_all(items: Iterable[Any], depth: int) -> frozenset[str]:
    """Return the text that tells all items, none if one of them has no text.

    Each text has its length before it, so no two lists have the same.
    """
    found = []
    for each in items:
        texts = sorted(texts_of(each, depth + 1))
        if not texts:
            return frozenset()
        # The text "list" is not an empty list.
        kind = "items" if isinstance(each, (*_LISTS, *_SETS)) else "item"
        found.append(_joined(kind, texts))
    if isinstance(items, _SETS):
        return frozenset({_joined("set", sorted(found))})
    return frozenset({_joined("list", found)})


def _text_of_mapping(value: Mapping[Any, Any], depth: int) -> frozenset[str]:
    """Return the text that tells all keys and values, none if one has no text."""
    with suppress(Exception):  # A mapping of the user's may raise anything.
        pairs = [*map(list, pairs_of(value))]
        return frozenset(f"{_MAPPING}{text}" for text in _text_of_all(pairs, depth))
    return frozenset()


def pairs_of(value: Mapping[Any, Any]) -> Iterable[tuple[Any, Any]]:
    """Return the keys of a mapping with their values.

    That of a query string may have several values for one key: a list of them, or a
    pair for each.
    """
    for method in ("lists", "multi_items"):
        if hasattr(value, method):
            pairs: Iterable[tuple[Any, Any]] = getattr(value, method)()
            return pairs
    return value.items()


def _joined(kind: str, texts: Iterable[str]) -> str:
    return kind + "".join(f" {len(each)}:{each}" for each in texts)


def _identities(value: Any) -> Iterable[Any]:
    for name in _IDENTITIES:
        with suppress(Exception):  # A property of the user's may raise anything.
            yield getattr(value, name, None)
    get_id = getattr(value, "get_id", None)
    if callable(get_id):
        with suppress(Exception):  # So may a method.
            identity = get_id()
            yield "None" if identity is None else identity
