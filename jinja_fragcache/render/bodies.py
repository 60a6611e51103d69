"""The bodies of cache tags, as the tokens of their template show them.

A tag whose name is known only when it is rendered notes in its entries which body made
them. So if two tags with other bodies get the same name, neither prints the text of the
other (see `shared_names`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from jinja2.lexer import Token

from jinja_fragcache.keys.digests import digest

TAG = "cache"
LIST_TAG = "cache_each"
_TAGS = {TAG, LIST_TAG}
_ENDS = {f"end{tag}" for tag in _TAGS}


def tag_names(tokens: Sequence[Token]) -> list[int]:
    """Return the indices of the names of all tags of a template."""
    return [
        index
        for index, (before, token) in enumerate(pairwise(tokens), start=1)
        if before.type == "block_begin" and token.type == "name"
    ]


def token_texts(tokens: Iterable[Token]) -> list[str]:
    """Return a text for each token, of which digests are made."""
    return [f"{token.type} {token.value!r}" for token in tokens]


def tokens_digest(texts: Iterable[str]) -> str:
    """Return the digest of a template, without comments and white space inside tags.

    Args:
        texts: The texts of its tokens.
    """
    return digest("\n".join(texts))


def body_digests(
    tokens: Sequence[Token], tags: Iterable[int], texts: Sequence[str]
) -> dict[int, str]:
    """Return the digest of the body of each cache tag, by the index of the tag's name.

    Comments, the white space inside tags, and the tag's own arguments don't change it.

    Args:
        tokens: The tokens of the template.
        tags: The indices of the names of its tags.
        texts: The texts of its tokens.
    """
    digests: dict[int, str] = {}
    # The tags whose end was not reached yet, each with its body so far. A tag in it is
    # the digest of that tag's body. The first one stands for the template.
    opened: list[tuple[int, list[str]]] = [(0, [])]
    # Where the texts begin that are in no body yet.
    start = 0
    for index in tags:
        name = tokens[index].value
        if name in _TAGS:
            end = index
            while end < len(tokens) and tokens[end].type != "block_end":
                end += 1
            opened[-1][1].extend(texts[start : end + 1])
            opened.append((index, []))
            start = end + 1
        elif name in _ENDS and len(opened) > 1:
            tag, body = opened.pop()
            body += texts[start:index]
            digests[tag] = digest("\n".join(body))
            opened[-1][1].append(digests[tag])
            start = index
    return digests
