"""What has to be known of a whole template before one of its tags is parsed.

Jinja's parser hands a tag its own part of the template and nothing else. The token
stream is the one thing that an extension sees whole, so it is read once, ahead, and
what was found is put behind the name of each tag, as a token of a type of its own.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple, Self

from jinja2.lexer import Token

from jinja_fragcache.render.lookup import NOTE_TEMPLATE
from jinja_fragcache.render.sources import find_namings, references, tokens_digest

TAG = "cache"
LIST_TAG = "cache_each"
HOLE_TAG = "nocache"
TAGS = (TAG, LIST_TAG, HOLE_TAG)
SITE = "fragment_cache_site"


class Site(NamedTuple):
    """Where a tag stands.

    Attributes:
        digest: digest of the template's source. It does not change with comments or
            with the white space inside tags.
        references: the templates that this one names by texts.
        number: which of all the tags in the template it is, from 0.
        position: 1 for the first cache tag that starts on its line, 2 for the next.
        may_not_print: whether a tag stands outside of all blocks behind an
            `{% extends %}`, where output goes nowhere.
    """

    digest: str
    references: tuple[str, ...]
    number: int
    position: int
    may_not_print: bool

    def to_text(self) -> str:
        """Write it as a token's value, which other extensions expect to be text."""
        return json.dumps(self)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote."""
        digest, references, *rest = json.loads(text)
        return cls(digest, tuple(references), *rest)


def mark_sites(stream: Iterable[Token], name: str | None = None) -> Iterator[Token]:
    """Give a template's tokens, prepared for this extension.

    A `SITE` stands behind the name of each of its tags. Where the name of a template is
    an expression, a filter is put behind it that notes what it came to.

    Args:
        stream: the tokens.
        name: the template's name.
    """
    tokens = list(stream)
    if any(token.type == SITE for token in tokens):
        # Done by another one of this extension, such as a subclass of it.
        yield from tokens
        return
    sites = _sites(tokens)
    namings = [each for each in find_namings(tokens) if each.names is None]
    opening = {each.start: each for each in namings if each.start < each.end}
    closing = {each.end for each in opening.values()}
    for index, token in enumerate(tokens):
        if index in closing:
            yield from _noting(token.lineno, name)
        if index in opening:
            yield Token(token.lineno, "lparen", "(")
        yield token
        if index in sites:
            yield Token(token.lineno, SITE, sites[index].to_text())


def _noting(line: int, name: str | None) -> Iterator[Token]:
    """Give what is put behind an expression: `)|filter(name)`."""
    yield Token(line, "rparen", ")")
    yield Token(line, "pipe", "|")
    yield Token(line, "name", NOTE_TEMPLATE)
    if name is not None:
        yield Token(line, "lparen", "(")
        yield Token(line, "string", name)
        yield Token(line, "rparen", ")")


def _sites(tokens: list[Token]) -> dict[int, Site]:
    """Give the places of this extension's tags, by the index of their names."""
    sites: dict[int, Site] = {}
    extends = False
    depth = position = line = 0
    for index, (before, token) in enumerate(pairwise(tokens), start=1):
        if token.type != "name" or before.type != "block_begin":
            continue
        if token.value == "extends":
            extends = True
        elif token.value == "block":
            depth += 1
        elif token.value == "endblock":
            depth -= 1
        elif token.value in TAGS:
            if token.value != HOLE_TAG:
                position = position + 1 if token.lineno == line else 1
                line = token.lineno
            sites[index] = Site(
                "", (), len(sites), position, may_not_print=extends and depth == 0
            )
    if not sites:
        return sites
    digest, named = tokens_digest(tokens), references(tokens)
    return {
        index: site._replace(digest=digest, references=named)
        for index, site in sites.items()
    }
