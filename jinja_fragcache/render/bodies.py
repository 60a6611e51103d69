"""The bodies of cache tags, as the tokens of their template show them.

A tag whose name is known only when it is rendered notes in its entries which body made
them. So if two tags with other bodies get the same name, neither prints the text of the
other (see `shared_names`).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from jinja2.lexer import Token

from jinja_fragcache.keys.digests import digest

TAG = "cache"
LIST_TAG = "cache_each"
_TAGS = {TAG, LIST_TAG}
_ENDS = {f"end{tag}" for tag in _TAGS}


class _Open:
    """A tag whose end was not reached yet.

    Args:
        index: The index of its name.

    Attributes:
        in_head: Whether the end of its arguments was not reached yet.
        body: Its body so far. A tag in it is the digest of that tag's body.
    """

    def __init__(self, index: int) -> None:
        self.index = index
        self.in_head = True
        self.body: list[str] = []


def body_digests(tokens: Iterable[Token]) -> dict[int, str]:
    """Return the digest of the body of each cache tag, by the index of the tag's name.

    Comments, the white space inside tags, and the tag's own arguments don't change it.
    """
    digests: dict[int, str] = {}
    # The first one stands for the template.
    opened = [_Open(0)]
    for index, (before, token) in enumerate(pairwise(tokens), start=1):
        is_name = token.type == "name" and before.type == "block_begin"
        if is_name and token.value in _TAGS:
            opened.append(_Open(index))
        elif is_name and token.value in _ENDS and len(opened) > 1:
            ended = opened.pop()
            digests[ended.index] = digest("\n".join(ended.body))
            opened[-1].body.append(digests[ended.index])
        last = opened[-1]
        around = opened[-2] if last.in_head and len(opened) > 1 else last
        around.body.append(f"{token.type} {token.value!r}")
        if token.type == "block_end":
            last.in_head = False
    return digests
