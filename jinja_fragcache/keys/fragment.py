"""Keys of fragments, made from a name and key values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

from jinja2 import Undefined

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.messages import (
    class_name,
    describe,
    describe_class,
    describe_error,
)
from jinja_fragcache.remembered import Made

from .form import digest_key
from .one_value import KeysByName
from .plain import encode_text, int_text, refusal

T = TypeVar("T")
#: What a key begins with that has more values than those it names.
VARIED = "varied:"
_WRONG_NAME = "A fragment's name is text and this one is {}"
_WRONG_VALUES = "vary_on takes a list or tuple of key values and got {}"
_WRONG_TAGS = "tags takes a list of texts and got {}"
_TAG_LISTS = (list, tuple, set, frozenset)
_TAGS_EXAMPLE = 'Write tags=["posts", "post:%s" % post.id].'
# Iterables that are not lists of values.
_NOT_LISTS = (Undefined, str, bytes, AbstractSet)
# What is written in place of a list, as a constant. Here it comes in another case.
_AUTO = "auto"


def make_template_fragment_key(
    fragment_name: str, vary_on: Iterable[Any] | None = None
) -> str:
    """Return the key under which the cache tag stores a fragment.

    To read what `{% cache 300, "row", item.id, lang %}` has stored:

        cache.get(make_template_fragment_key("row", [42, "en"]))

    Strings, numbers and dates count as their text, so `[1]` and `["1"]` give the same
    key. True, False and None count as themselves.

    Args:
        fragment_name: The fragment's name. For a fragment without a name in its tag,
            use `default_fragment_name`.
        vary_on: The key values in the order of the tag, as a list, a tuple or another
            ordered iterable that can be iterated more than once. None for a fragment
            without key values. A fragment that contains a `{% block %}` has one more
            key value, the last: the name of the template that is rendered.

    Returns:
        At most 200 characters of printable ASCII without spaces. Memcached accepts such
        keys (protocol.txt: up to 250 bytes, no control characters and no white space).
        The start is readable, the end is a SHA-256 digest. Every process makes the same
        key.

    Raises:
        KeyValueError: If nothing identifies a value (an undefined variable, an object
            that is known only by its address in memory), if `vary_on` is not a list of
            values, or if the name is not a string.
    """
    if type(vary_on) is list and len(vary_on) == 1:
        # A fast path, because most fragments have one key value, and a page with a list
        # makes many keys.
        part = vary_on[0]
        kind = type(part)
        if (kind is str or kind is int) and type(fragment_name) is str:
            return KEYS_OF_ONE_VALUE[fragment_name][part]
    if type(fragment_name) is not str:
        fragment_name = _name_text(fragment_name)
    parts = (fragment_name, *key_values(vary_on))
    for part in parts:
        kind = type(part)
        if kind is not int and kind is not str:
            return _make_key(parts)
    return KEYS_OF_PARTS[parts]


def _make_key(parts: tuple[Any, ...]) -> str:
    name = parts[0] if type(parts[0]) is str else _name_text(parts[0])
    encoded = ""
    # Not by map(): a StopIteration would end it, and with it the key.
    for part in parts:
        # The same as `encode_text`: nearly all are texts, and every miss comes here.
        text = f"s{len(part)}:{part}" if type(part) is str else encoded_value(part)
        encoded += text
    return digest_key("fragment", name, encoded)


def encoded_value(value: Any) -> str:
    """Return what a key value counts as.

    Raises:
        KeyValueError: If nothing identifies it. See `encoding.encode_value`.
    """
    kind = type(value)
    if kind is str:
        return encode_text(value)
    if kind is int:
        return encode_text(int_text(value))
    from .encoding import encode_value  # noqa: PLC0415 - see `plain`

    return encode_value(value)


def can_be_encoded(value: Any) -> bool:
    """Return whether something identifies a key value."""
    try:
        encoded_value(value)
    except (KeyValueError, RecursionError):
        return False
    return True


#: `KEYS_OF_PARTS[name, *values]` is `make_template_fragment_key(name, values)`. Only
#: for a `str`, and each a `str` or `int`: True and 1.0 equal 1, but have keys of their
#: own. As many as of one value, and as large.
KEYS_OF_PARTS = Made(_make_key, 4096, 500)
#: `KEYS_OF_ONE_VALUE[name][value]` is `make_template_fragment_key(name, [value])`. Only
#: for a `str` and a `str` or `int`, not for objects of their subclasses.
KEYS_OF_ONE_VALUE = KeysByName()


def encode_values(values: Any) -> str:
    """Return key values as one string that no other values have.

    Raises:
        KeyValueError: If it is not a list of values, or a value can't be part of a key.
    """
    return "".join([encoded_value(value) for value in key_values(values)])


def varied_key(key: str, encoded: str) -> str:
    """Return the key of an entry that differs by more values than its key names.

    It has at most 153 characters.

    Args:
        key: The key without these values.
        encoded: The values, as `encode_values` returns them.
    """
    name = key_without_values(key) or key
    return digest_key(VARIED.rstrip(":"), name, encode_text(key) + encoded)


def key_without_values(key: str) -> str:
    """Return the part of a key that all keys with the same name begin with."""
    return key.rpartition(":")[0]


def readable_name_of(key: str) -> str:
    """Return the name of a fragment as it stands in its key."""
    return key_without_values(key).removeprefix(VARIED).removeprefix("fragment:")


def key_values(vary_on: Any) -> list[Any] | tuple[Any, ...]:
    """Return the key values in a `vary_on`, which are none for None.

    Raises:
        KeyValueError: If it is not a list of values. A string is refused, because its
            characters are never what was meant. So are a set and a dict, which have no
            order to tell the first value from the second, and an iterator, which would
            be used up when the body reads its values.
    """
    if vary_on is None:
        return ()
    if type(vary_on) is list or type(vary_on) is tuple:
        return vary_on
    return _guarded(_listed_values, vary_on, _WRONG_VALUES)


def _listed_values(vary_on: Any) -> list[Any]:
    if isinstance(vary_on, str) and vary_on.lower() == _AUTO:
        raise refusal(f'{_WRONG_VALUES}. Write vary_on="{_AUTO}".', vary_on)
    if isinstance(vary_on, Mapping):
        raise refusal(
            f"{_WRONG_VALUES}. Write vary_on=[value] with one of its items, or"
            " vary_on=values|dictsort.",
            vary_on,
        )
    if isinstance(vary_on, Iterator):
        raise refusal(
            f"{_WRONG_VALUES}, which can be iterated only once. Write"
            " vary_on=values|list.",
            vary_on,
        )
    if not isinstance(vary_on, Iterable) or isinstance(vary_on, _NOT_LISTS):
        raise refusal(f"{_WRONG_VALUES}. Write vary_on=[value].", vary_on)
    return _items(vary_on)


def _guarded(read: Callable[[Any], T], value: Any, message: str) -> T:
    """Return `read(value)`.

    Args:
        read: A function that may run code of the value's class.
        value: The value.
        message: The start of an error's message, with `{}` where the value stands.

    Raises:
        KeyValueError: If the value is refused, or its code raises anything.
    """
    try:
        return read(value)
    except KeyValueError:
        raise
    except Exception as error:
        raise KeyValueError(
            f"{message.format(describe(value))}, which raised {describe_error(error)}.",
            for_log=f"{message.format(describe_class(value))}, which raised"
            f" {class_name(error)}.",
        ) from error


def _items(values: Iterable[Any]) -> list[Any]:
    """Return the items of an iterable that is not of a builtin type.

    Raises:
        KeyValueError: If they are fewer than its length. Its own code may end the
            iteration early, by a `next()` without a default.
    """
    items = list(values)
    if isinstance(values, Sized) and len(values) != len(items):
        raise refusal(
            "{} gives fewer or more values than its length. Write a list.", values
        )
    return items


def tag_names(tags: Any) -> tuple[str, ...]:
    """Return the tags of an entry, which are none for None.

    Args:
        tags: A list, tuple, set or frozenset of strings, or None.

    Raises:
        KeyValueError: If it is anything else. A single string is refused, because its
            characters are never what was meant.
    """
    if tags is None:
        return ()
    if type(tags) is tuple or type(tags) is list:
        for tag in tags:
            if type(tag) is not str:
                break
        else:
            return tuple(tags)
    return _guarded(_listed_tags, tags, _WRONG_TAGS)


def _listed_tags(tags: Any) -> tuple[str, ...]:
    if not isinstance(tags, _TAG_LISTS):
        raise _wrong_tag(f"{_WRONG_TAGS}. {_TAGS_EXAMPLE}", tags)
    names = list(tags) if type(tags) in _TAG_LISTS else _items(tags)
    for tag in names:
        if not isinstance(tag, str):
            message = f"A tag is text and this one is {{}}. {_TAGS_EXAMPLE}"
            raise _wrong_tag(message, tag)
    # Not by map(): a StopIteration would end it, and tags would be missing.
    return tuple([str.__str__(str(tag)) for tag in names])


def _wrong_tag(message: str, tag: Any) -> KeyValueError:
    """Like `refusal`. Logs show a text or number, because a tag is a name."""
    if type(tag) in {str, int} or isinstance(tag, Undefined):
        return KeyValueError(message.format(describe(tag)))
    return refusal(message, tag)


def default_fragment_name(template: str, line: int, position: int = 1) -> str:
    """Return the name of a fragment whose tag gives it none.

    To delete a `{% cache 300 %}` on line 12 of `blog/page.html`:

        cache.delete_fragment(default_fragment_name("blog/page.html", 12))

    Args:
        template: The template's name, as its loader knows it.
        line: The line of the `{% cache %}` tag, from 1.
        position: 1 for the first cache tag that starts on the line, 2 for the next.

    Returns:
        `"blog/page.html:12"` for the first tag on the line, `"blog/page.html:12#2"` for
        the second.
    """
    return f"{template}:{line}" if position == 1 else f"{template}:{line}#{position}"


def _name_text(name: Any) -> str:
    # A name that is a number is most likely a key value of a fragment without a name.
    if not _guarded(lambda name: isinstance(name, str), name, _WRONG_NAME):
        raise refusal(
            f"{_WRONG_NAME}. Write a name in quotes before the key values:"
            ' "sidebar", user.id.',
            name,
        )
    # str() gives an object of a subclass if `__str__` does, as Django's SafeString.
    return _guarded(lambda name: str.__str__(str(name)), name, _WRONG_NAME)
