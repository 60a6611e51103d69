"""Collects what a tag has to know about its whole template before it is parsed.

Jinja's parser gives a tag only its own part of the template. The token stream is the
one thing that an extension sees as a whole. So it is read once before parsing, and what
a tag has to know is inserted after its name, as a token of a type of its own.
"""

import json
from collections import Counter
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
# Without these tags, what stands in them would stand in the scope around them.
_SAME_SCOPE = {TAG, HOLE_TAG}
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
        in_branch: Whether the tag stands in an `{% if %}`, and no other scope is
            between the two. An unknown filter is no error there until it is used.
    """

    digest: str
    references: tuple[str, ...]
    number: int
    position: int
    may_not_print: bool
    in_branch: bool

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
    spans = [span for each in find_namings(tokens) for span in each.expressions]
    opening = {start for start, _ in spans}
    closing = {end for _, end in spans}
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
    in_branches = _tags_in_branches(tokens)
    return {
        index: Site(
            digest, named, number, position, may_not_print, index in in_branches
        )
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


def _tags_in_branches(tokens: list[Token]) -> set[int]:
    """Return the indices of the names of tags that stand in an `{% if %}`.

    Which tags have an end, only the whole template shows: `{% set x %}` has one, and
    `{% set x = 1 %}` has not.
    """
    around: dict[int, int | None] = {}
    names: dict[int, str] = {}
    ended: set[int] = set()
    opened: list[int] = []
    number_opened: Counter[str] = Counter()
    for index, (before, token) in enumerate(pairwise(tokens), start=1):
        if token.type != "name" or before.type != "block_begin":
            continue
        name = token.value.removeprefix("end")
        if name == token.value:
            around[index] = opened[-1] if opened else None
            names[index] = name
            opened.append(index)
            number_opened[name] += 1
        elif number_opened[name]:
            while names[last := opened.pop()] != name:
                number_opened[names[last]] -= 1
            number_opened[name] -= 1
            ended.add(last)
    found: set[int] = set()
    for index, outer in around.items():
        if outer is None:
            continue
        is_transparent = outer not in ended or names[outer] in _SAME_SCOPE
        if names[outer] == "if" if not is_transparent else outer in found:
            found.add(index)
    return found
