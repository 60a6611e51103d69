"""Collects what a tag has to know about its whole template before it is parsed.

Jinja's parser gives a tag only its own part of the template. The token stream is the
one thing that an extension sees as a whole. So it is read once before parsing, and what
a tag has to know is inserted after its name, as a token of a type of its own.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple, Self

from jinja2.lexer import Token

from jinja_fragcache.render.output import NOTE_TEMPLATE
from jinja_fragcache.render.sources import find_namings, references, tokens_digest

TAG = "cache"
LIST_TAG = "cache_each"
HOLE_TAG = "nocache"
TAGS = (TAG, LIST_TAG, HOLE_TAG)
#: The type of the tokens that hold a `Site`.
SITE = "fragment_cache_site"


class Site(NamedTuple):
    """The place of a tag in its template.

    Attributes:
        digest: Digest of the template's source. Comments and the white space inside
            tags don't change it.
        references: The templates that this one names by constant strings.
        number: The number of the tag among all of this extension's tags in the
            template, from 0.
        position: 1 for the first cache tag that starts on its line, 2 for the next.
        may_not_print: Whether the tag comes after an `{% extends %}` and is outside of
            all blocks, where Jinja prints nothing.
    """

    digest: str
    references: tuple[str, ...]
    number: int
    position: int
    may_not_print: bool

    def to_text(self) -> str:
        """Return it as the value of a token. Other extensions expect a string there."""
        return json.dumps(self)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the site that `to_text` was called on."""
        digest, references, *rest = json.loads(text)
        return cls(digest, tuple(references), *rest)


def mark_sites(stream: Iterable[Token], name: str | None = None) -> Iterator[Token]:
    """Yield a template's tokens, with those that this extension needs.

    A `SITE` follows the name of each of its tags. Where another template is named by an
    expression, the expression gets a filter that notes its value.

    Args:
        stream: The tokens of the template.
        name: The name of the template.
    """
    tokens = list(stream)
    if any(token.type == SITE for token in tokens):
        # Another instance, such as that of a subclass, has inserted them.
        yield from tokens
        return
    sites = _sites(tokens)
    namings = [each for each in find_namings(tokens) if each.names is None]
    opening = {each.start: each for each in namings if each.start < each.end}
    closing = {each.end for each in opening.values()}
    for index, token in enumerate(tokens):
        if index in closing:
            yield from _note_filter(token.lineno, name)
        if index in opening:
            yield Token(token.lineno, "lparen", "(")
        yield token
        if index in sites:
            yield Token(token.lineno, SITE, sites[index].to_text())


def _note_filter(line: int, name: str | None) -> Iterator[Token]:
    """Yield the tokens that follow an expression: `)|filter(name)`."""
    yield Token(line, "rparen", ")")
    yield Token(line, "pipe", "|")
    yield Token(line, "name", NOTE_TEMPLATE)
    if name is not None:
        yield Token(line, "lparen", "(")
        yield Token(line, "string", name)
        yield Token(line, "rparen", ")")


def _sites(tokens: list[Token]) -> dict[int, Site]:
    """Return the sites of this extension's tags, by the index of the tag's name."""
    places = list(_places(tokens))
    if not places:
        return {}
    digest, named = tokens_digest(tokens), references(tokens)
    return {
        index: Site(digest, named, number, position, may_not_print)
        for number, (index, position, may_not_print) in enumerate(places)
    }


def _places(tokens: list[Token]) -> Iterator[tuple[int, int, bool]]:
    """Yield the index of each tag's name, its `position` and its `may_not_print`."""
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
            yield index, position, extends and depth == 0
