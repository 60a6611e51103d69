"""What a user's function reads while it makes a key, and what the key tells of it."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

from jinja_fragcache.guard.reads import (
    NOTHING,
    Cover,
    Read,
    has_items,
    is_plain,
    pairs_of,
    texts_of,
)

from .dependencies import Dependencies, names_told_by
from .noted_reads import note, value_of_now

# A hash of Python, or the digits of another one.
_DIGEST = re.compile(r"[0-9a-f]{16,}|[0-9]{15,}")
# Dictionaries of the request whose items a function may put into the key one by one.
_OF_MANY = frozenset({"request.args", "request.values", "request.view_args"})
_LISTS = (list, tuple, set, frozenset)
# What is nested deeper may contain itself.
_DEEPEST = 10
# In paths, queries and addresses, which are no part of another word by chance.
_IN_WHOLE = re.compile(r"[/=@]")


class KeyReads(Dependencies):
    """What a user's function reads while it makes a key: the key covers it if it tells.

    A function that returns `bool(session["user"])` has read the user, and doesn't tell
    who that is. So what was read has to stand in the key, or the key is a digest of
    nothing but whole values.
    """

    has_places = False

    def pass_on(self) -> None:
        """Note for the body around what was read: its key may lack that."""
        for read in self.reads.values():
            note(read)

    def cover(self, *texts: str) -> Cover:
        """Return what the key names.

        Args:
            texts: What the function returned: the key, or the texts of its values.
        """
        if not self.reads:
            return Cover(values=frozenset(texts))
        is_digest = self._has_digest(texts)
        told: list[str] = []
        shallow: list[str] = []
        shown: list[str] = []
        values = {*texts}
        for read in self.reads.values():
            if _is_told(read, texts) or (is_digest and _is_whole(read)):
                told.append(read.name)
                values |= read.values
            elif read.values == NOTHING or _is_shown(read, texts):
                values |= read.values
                shallow.append(read.name)
                shown.append(read.name)
            elif _is_shallow(read):
                shallow.append(read.name)
        # The function may give the same key for other values, such as those that it
        # turns into small letters. So nothing is covered by its name alone.
        names = names_told_by(told)
        return Cover(
            values=frozenset(values),
            shown=names.union(shown),
            shallow=frozenset(shallow),
            told=names,
            read=frozenset(
                (each.name, text)
                for each in self.reads.values()
                for text in each.values
            ),
        )

    def _has_digest(self, texts: tuple[str, ...]) -> bool:
        """Return whether a key has what looks like a digest, and was not read."""
        read = frozenset().union(*(each.values for each in self.reads.values()))
        return any(
            not any(match.group() in text for text in read)
            for each in texts
            for match in _DIGEST.finditer(each)
        )


def _is_whole(read: Read) -> bool:
    """Return whether all of something was read, and not a part or an attribute of it.

    Nobody can see what of it is in a digest. Of an object, that may be what others have
    in common with it.
    """
    return read.is_whole or (bool(read.values) and not read.is_object)


def _is_shallow(read: Read) -> bool:
    """Return whether it was only asked whether something is there.

    How many items a mapping has tells nothing of them, unless that is none.
    """
    if read.values or read.is_object:
        return False
    return not has_items(read.name) or (read.is_whole and _leaves_now(read.name) == [])


def _is_told(read: Read, texts: tuple[str, ...]) -> bool:
    """Return whether a key shows what was read, and no part of it or the like."""
    if not read.values and (read.is_whole or read.name in _OF_MANY):
        return _are_told(read.name, texts)
    if read.is_object:
        return False
    return any(_stands_alone(text, texts) for text in read.values)


def _are_told(name: str, texts: tuple[str, ...]) -> bool:
    """Return whether a key shows all that is in a dictionary of the request."""
    leaves = _leaves_now(name)
    if leaves is None:
        return False
    # No argument at all shows in no key.
    is_there = bool(leaves) or name in _OF_MANY
    return is_there and all(_stands_alone(text, texts) for text in leaves)


def _leaves_now(name: str) -> list[str] | None:
    """Return the texts of all that is in a dictionary of the request, None if unknown.

    The names of a view's arguments are those of its route, so a key need not have them.
    """
    with suppress(Exception):
        value = value_of_now(name)
        if name == "request.view_args":
            value = [*value.values()]
        return [*_leaves(value)]
    return None


def _leaves(value: Any) -> Iterator[str]:
    """Yield the texts of all keys and values, also of those inside of others."""
    if isinstance(value, Mapping):
        for key, inner in pairs_of(value):
            yield from texts_of(key)
            yield from _leaves(inner)
    elif isinstance(value, _LISTS):
        for each in value:
            yield from _leaves(each)
    else:
        yield from texts_of(value)


def _is_shown(read: Read, texts: tuple[str, ...]) -> bool:
    """Return whether a key shows a value that was read, as a part of a word, too.

    Of an object, one of its ids is enough. Of a list, such as a user's roles, all items
    have to stand there, if they do not as a list. A dictionary has to stand there as
    Python shows it.
    """
    return _is_one_in(read.values, texts) or (
        read.is_object and _is_data_in(read, texts)
    )


def _is_one_in(values: frozenset[str], texts: tuple[str, ...]) -> bool:
    return any(text and _is_in(text, texts, str.isdigit) for text in values)


def _is_data_in(read: Read, texts: tuple[str, ...]) -> bool:
    """Return whether a key shows all of a list or a dictionary that was read."""
    value: Any = None
    with suppress(Exception):
        value = value_of_now(read.name)
    if not isinstance(value, (*_LISTS, dict)) or texts_of(value) != read.values:
        return False
    shown = repr(value) if _is_data(value) else None
    return (shown is not None and any(shown in each for each in texts)) or (
        not isinstance(value, dict) and _are_items_in(value, texts)
    )


def _is_data(value: Any, depth: int = 0) -> bool:
    """Return whether the repr of a value shows all that is in it."""
    if type(value) not in (*_LISTS, dict):
        return is_plain(value)
    parts = [*value.keys(), *value.values()] if type(value) is dict else value
    return depth < _DEEPEST and all(_is_data(each, depth + 1) for each in parts)


def _are_items_in(items: Collection[Any], texts: tuple[str, ...]) -> bool:
    """Return whether a key shows each item of a list.

    An empty list shows nowhere, and neither do lists inside of lists, nor how often a
    list has the same item.
    """
    shown = [texts_of(each) for each in items if not isinstance(each, _LISTS)]
    return (
        bool(items)
        and len(set(shown)) == len(items)
        and all(_is_one_in(each, texts) for each in shown)
    )


def _stands_alone(text: str, texts: tuple[str, ...]) -> bool:
    """Return whether a text stands in a key and is no part of another word there."""
    if _IN_WHOLE.search(text):
        return any(text in each for each in texts)
    return _is_in(text, texts, str.isalnum)


def _is_in(
    text: str, texts: tuple[str, ...], is_of_word: Callable[[str], bool]
) -> bool:
    """Return whether a text is in others, and no part of a longer word or number.

    Not by a pattern, because each user's texts would be compiled to another one.

    Args:
        text: The text.
        texts: The others.
        is_of_word: Returns whether a character is part of words.
    """
    begins, ends = is_of_word(text[:1]), is_of_word(text[-1:])
    for each in texts:
        at = each.find(text)
        while at >= 0:
            end = at + len(text)
            before, after = each[max(at - 1, 0) : at], each[end : end + 1]
            if not (begins and is_of_word(before)) and not (ends and is_of_word(after)):
                return True
            at = each.find(text, at + 1)
    return False
