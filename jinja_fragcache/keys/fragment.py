"""From a fragment's name and key values to its key in the store."""

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from hashlib import sha256
from typing import Any

from jinja2 import Undefined

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.messages import describe

from .encoding import encode_text, encode_value

_READABLE_CHARACTERS = 80
_REMEMBERED_CHARACTERS = 200
_REMEMBERED_PARTS = 8
_NOT_READABLE = re.compile(r"[^!-~]+")
_TAG_LISTS = (list, tuple, set, frozenset)
_RIGHT_TAGS = 'Write tags=["posts", "post:%s" % post.id].'
_NO_VALUES = (Undefined, str, bytes, AbstractSet, Mapping)


def make_template_fragment_key(
    fragment_name: str, vary_on: Iterable[Any] | None = None
) -> str:
    """Give the key that the cache tag uses for a fragment.

    `{% cache 300, "row", item.id, lang %}` stores its text under
    `make_template_fragment_key("row", [item.id, lang])`.

    Args:
        fragment_name: the fragment's name. For a fragment without a name of its own,
            what `default_fragment_name` gives.
        vary_on: the key values in the tag's order (a list or tuple), or None for a
            fragment that has none. A fragment with a block inside takes the name of
            the page's template as one more, the last.

    Returns:
        At most 200 characters of printable ASCII without spaces, which is what
        Memcached takes (protocol.txt: up to 250 bytes, no control characters and no
        white space). The start is readable, the end is a SHA-256 digest.

    Raises:
        KeyValueError: a value can't stand in a key, or `vary_on` is no list of
            values.
    """
    if type(vary_on) is list and len(vary_on) == 1:
        # Most have one, and a page with a list has many.
        part = vary_on[0]
        kind = type(part)
        if (kind is int or (kind is str and len(part) <= _REMEMBERED_CHARACTERS)) and (
            type(fragment_name) is str and len(fragment_name) <= _REMEMBERED_CHARACTERS
        ):
            return _remembered_key(fragment_name, part)
    if type(fragment_name) is not str:
        fragment_name = _name_text(fragment_name)
    parts = (fragment_name, *key_values(vary_on))
    if len(parts) > _REMEMBERED_PARTS:
        return _make_key(*parts)
    for part in parts:
        kind = type(part)
        if kind is not int and (kind is not str or len(part) > _REMEMBERED_CHARACTERS):
            return _make_key(*parts)
    return _remembered_key(*parts)


def _make_key(name: str, *values: Any) -> str:
    encoded = encode_text(name) + "".join(map(encode_value, values))
    return digest_key("fragment", name, encoded)


def digest_key(kind: str, name: str, encoded: str) -> str:
    """Give a key that can be read by people and is as long as keys may be.

    Args:
        kind: what is stored under it.
        name: what people know it by.
        encoded: all that makes it another key than others of its kind.
    """
    readable = _NOT_READABLE.sub("_", name)[:_READABLE_CHARACTERS]
    # A text may hold lone surrogates, which plain UTF-8 has no bytes for.
    digest = sha256(encoded.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{kind}:{readable}:{digest}"


# On the path of every hit with key values, which are nearly always short texts and
# numbers. Other values are never looked up here: True equals 1, and 1.0 does, but
# their keys differ.
_remembered_key = lru_cache(maxsize=4096)(_make_key)


def key_values(vary_on: Any) -> list[Any] | tuple[Any, ...]:
    """Give the key values of a `vary_on`, none for None.

    Raises:
        KeyValueError: it is no list of values. A text is none, since its characters are
            never what was meant; nor is a set or dictionary, which has no order to tell
            the first value from the second; nor is an iterator, which would be used up
            when the body asks for its values.
    """
    if vary_on is None:
        return ()
    if isinstance(vary_on, (list, tuple)):
        return vary_on
    if isinstance(vary_on, Iterator):
        raise KeyValueError(
            f"vary_on takes a list or tuple of key values and got {describe(vary_on)},"
            " which can be gone through only once. Write vary_on=values|list."
        )
    if not isinstance(vary_on, Iterable) or isinstance(vary_on, _NO_VALUES):
        raise KeyValueError(
            f"vary_on takes a list or tuple of key values and got {describe(vary_on)}."
            " Write vary_on=[value]."
        )
    return list(vary_on)


def tag_names(tags: Any) -> tuple[str, ...]:
    """Give the tags of an entry, none for None.

    Raises:
        KeyValueError: it is no list of texts. A text is none, since its characters are
            never what was meant.
    """
    if tags is None:
        return ()
    if not isinstance(tags, _TAG_LISTS):
        raise KeyValueError(
            f"tags takes a list of texts and got {describe(tags)}. {_RIGHT_TAGS}"
        )
    for tag in tags:
        if not isinstance(tag, str):
            raise KeyValueError(
                f"A tag is text and this one is {describe(tag)}. {_RIGHT_TAGS}"
            )
    return tuple(map(str, tags))


def default_fragment_name(template: str, line: int, position: int = 1) -> str:
    """Give the name of a fragment that has none in its tag.

    Args:
        template: the template's name, as its loader knows it.
        line: the line of `{% cache %}`, from 1.
        position: 1 for the first cache tag that starts on the line, 2 for the next.
    """
    return f"{template}:{line}" if position == 1 else f"{template}:{line}#{position}"


def _name_text(name: Any) -> str:
    # A number is as a rule a key value whose fragment was given no name.
    if not isinstance(name, str):
        raise KeyValueError(
            f"A fragment's name is text and this one is {describe(name)}."
            ' Write a name in quotes, in front of the key values: "sidebar", user.id.'
        )
    return str(name)
