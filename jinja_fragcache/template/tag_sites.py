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

from jinja_fragcache.render.bodies import LIST_TAG, TAG, body_digests
from jinja_fragcache.render.output import NOTE_TEMPLATE
from jinja_fragcache.render.sources import find_namings, references, tokens_digest

HOLE_TAG = "nocache"
TAGS = (TAG, LIST_TAG, HOLE_TAG)
# Without these tags, what stands in them would stand in the scope around them.
_SAME_SCOPE = {TAG, HOLE_TAG}
# Where compiled templates keep the names that are set in a scope.
_VARIABLES = {"block": "_block_vars", "for": "_loop_vars"}
_NOWHERE = (None, None)
_FRAGMENTS = {TAG, LIST_TAG}
# What stands in these is not a part of the fragment around them.
_NOT_IN_FRAGMENT = {"block", HOLE_TAG}
# These tags print what stands in them at once.
_NOT_COLLECTING = {"if", "for", "with", "autoescape"}
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
        never_prints: Whether that is certain: the `{% extends %}` is in no other tag,
            and the tag is in none that collects its output.
        in_branch: Whether the tag stands in an `{% if %}`, and no other scope is
            between the two. An unknown filter is no error there until it is used.
        variables: The name under which compiled templates keep what is set in the
            `{% block %}` or `{% for %}` around the tag, None if neither is around it or
            another scope is in between.
        body: Digest of the tag's body, "" for a hole and for a tag without its end.
    """

    digest: str
    references: tuple[str, ...]
    number: int
    position: int
    may_not_print: bool
    never_prints: bool
    in_branch: bool
    variables: str | None
    body: str

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
    nesting, bodies = _Nesting(tokens), body_digests(tokens)
    return {
        index: Site(
            digest,
            named,
            number,
            position,
            may_not_print,
            may_not_print and nesting.is_skipped(index),
            index in nesting.in_branch,
            nesting.variables(index),
            bodies.get(index, ""),
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


class _Nesting:
    """Which tags stand in which others.

    Which tags have an end, only the whole template shows: `{% set x %}` has one, and
    `{% set x = 1 %}` has not.

    Args:
        tokens: The tokens of the template.

    Attributes:
        in_branch: The indices of the names of tags that stand in an `{% if %}`.
    """

    def __init__(self, tokens: list[Token]) -> None:
        # The tag around each tag, by the indices of their names, and those with an end.
        self._around: dict[int, int | None] = {}
        self._names: dict[int, str] = {}
        self._ended: set[int] = set()
        self._read(tokens)
        self.in_branch: set[int] = set()
        self._variables: dict[int, tuple[str | None, str | None]] = {}
        self._in_fragment: set[int] = set()
        self._outer: dict[int, int | None] = {}
        self._is_direct: set[int] = set()
        for index, around in self._around.items():
            self._decide(index, around)
        extends = (
            index
            for index, outer in self._outer.items()
            if outer is None and self._names[index] == "extends"
        )
        self._extended_from = min(extends, default=len(tokens))

    def variables(self, index: int) -> str | None:
        """Return the `Site.variables` of a tag."""
        return self._variables[index][self._names[index] == HOLE_TAG]

    def is_skipped(self, index: int) -> bool:
        """Return whether Jinja skips the output of a tag that stands in no block."""
        return index > self._extended_from and index in self._is_direct

    def _read(self, tokens: list[Token]) -> None:
        opened: list[int] = []
        number_opened: Counter[str] = Counter()
        for index, (before, token) in enumerate(pairwise(tokens), start=1):
            if token.type != "name" or before.type != "block_begin":
                continue
            name = token.value.removeprefix("end")
            if name == token.value:
                self._around[index] = opened[-1] if opened else None
                self._names[index] = name
                opened.append(index)
                number_opened[name] += 1
            elif number_opened[name]:
                while self._names[last := opened.pop()] != name:
                    number_opened[self._names[last]] -= 1
                number_opened[name] -= 1
                self._ended.add(last)

    def _decide(self, index: int, around: int | None) -> None:
        """Decide about a tag, after those in front of it."""
        # An `{% else %}` or a `{% set x = 1 %}` is not around what follows it.
        is_around = around is None or around in self._ended
        outer = around if around is None or is_around else self._outer[around]
        self._outer[index] = outer
        if outer is None:
            self._is_direct.add(index)
            self._variables[index] = _NOWHERE
            return
        name = self._names[outer]
        if name == "if" or (name in _SAME_SCOPE and outer in self.in_branch):
            self.in_branch.add(index)
        if outer in self._is_direct and name in _NOT_COLLECTING:
            self._is_direct.add(index)
        if name in _FRAGMENTS or (
            name not in _NOT_IN_FRAGMENT and outer in self._in_fragment
        ):
            self._in_fragment.add(index)
        # The names for tags, and for holes.
        if around is not None and not is_around:
            variables = self._variables[around]
        elif name in {"if", TAG}:
            variables = self._variables[outer]
        elif name == HOLE_TAG:
            variables = (self._variables[outer][1],) * 2
        else:
            variables = (_VARIABLES.get(name),) * 2
        if name == "for" and outer in self._in_fragment:
            # What is in a hole is moved out of the loop.
            variables = (variables[0], None)
        if name == "for" and self._names[index] == "else":
            variables = _NOWHERE
        self._variables[index] = variables
