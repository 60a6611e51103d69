"""Collects what a tag has to know about its whole template before it is parsed.

Jinja's parser gives a tag only its own part of the template. The token stream is the
one thing that an extension sees as a whole. So it is read once before parsing, and what
a tag has to know is inserted after its name, as a token of a type of its own.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, Self

from jinja2.lexer import Token

from jinja_fragcache.reads.arguments import AUTO
from jinja_fragcache.remembered import Remembered
from jinja_fragcache.render.bodies import (
    LIST_TAG,
    TAG,
    body_digests,
    tag_names,
    token_texts,
    tokens_digest,
)
from jinja_fragcache.render.output import NOTE_TEMPLATE
from jinja_fragcache.render.sources import Naming, find_namings, references

from .body_names import HOLE_TAG, body_names
from .html_places import html_places
from .parts import SPECIAL_NAMES
from .set_above import Above, set_above

TAGS = (TAG, LIST_TAG, HOLE_TAG)
# Without these tags, what stands in them would stand in the scope around them.
_SAME_SCOPE = {TAG, HOLE_TAG}
#: Where compiled templates keep the names that are set in a loop.
LOOP_VARIABLES = "_loop_vars"
# And those that are set in a scope.
_VARIABLES = {"block": "_block_vars", "for": LOOP_VARIABLES}
_NOWHERE = (None, None)
_FRAGMENTS = {TAG, LIST_TAG}
# What stands in these is not a part of the fragment around them.
_NOT_IN_FRAGMENT = {"block", HOLE_TAG}
# What stands in these tags is printed where they stand, or collected whether Jinja
# prints output there or not.
_PRINTING_AS_AROUND = {"if", "for", "with", "autoescape", "filter", HOLE_TAG}
_ALWAYS_PRINTING = {"block", "macro", "set", "call", *_FRAGMENTS}
# These tags set names in the scope that they are in, and those set none.
_ASSIGNING = {"set", "import", "from", "macro"}
_NOT_ASSIGNING = {
    *("if", "elif", "else", "for", "break", "continue", "with", "autoescape"),
    *("block", "extends", "include", "call", "filter", "print", "do", *TAGS),
}
_KNOWN = _ASSIGNING | _NOT_ASSIGNING
#: The type of the tokens that hold a `Site`.
SITE = "fragment_cache_site"
#: When a tag prints: always; unless the template extends another one when it is
#: reached; never; or when Jinja prints output there, which only its compiler knows.
Printing = Literal["always", "unless_extended", "never", "with_output"]


class Whole(NamedTuple):
    """What is known of a whole template.

    Attributes:
        digest: Digest of the template's source. Comments and the white space inside
            tags don't change it.
        references: The templates that this one names by constant strings, as
            `sources.references` returns them.
        assigned: The names that may be set by tags such as `{% set %}`, and possibly
            others. None if any name may be, because there are tags of other extensions.
        has_special_names: Whether one of `SPECIAL_NAMES` may be in it.
    """

    digest: str
    references: str
    assigned: tuple[str, ...] | None
    has_special_names: bool


class Site(NamedTuple):
    """The place of a tag in its template.

    Attributes:
        whole: What is known of the template.
        number: The number of the tag among all of this extension's tags in the
            template, from 0.
        position: 1 for the first cache tag that starts on its line, 2 for the next.
        printing: When the tag prints. After an `{% extends %}` and outside of all
            blocks, Jinja prints nothing.
        in_branch: Whether the tag stands in an `{% if %}`, and no other scope is
            between the two. An unknown filter is no error there until it is used.
        variables: The name under which compiled templates keep what is set in the
            `{% block %}` or `{% for %}` around the tag, None if neither is around it or
            another scope is in between.
        body: Digest of the tag's body, "" for a hole and for a tag without its end.
        names: The names that its body reads, with a space between them.
        html: Where in HTML it stands, as `html_places` returns it.
        needs: What its body needs, as `reads.needs.to_text` returns it, for a tag with
            `vary_on="auto"`; None for others, and if it is not known.
        above: What the names in its body were set to above it.
    """

    whole: Whole
    number: int
    position: int
    printing: Printing
    in_branch: bool
    variables: str | None
    body: str
    names: str
    html: str
    needs: str | None
    above: dict[str, Above]

    def to_text(self, whole: str) -> str:
        """Return it as the value of a token. Other extensions expect a string there.

        Args:
            whole: `self.whole` as JSON, which is the same for all tags of a template.
        """
        return f"{json.dumps(self[1:])}\n{whole}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the site that `to_text` was called on."""
        own, _, whole = text.partition("\n")
        fields = json.loads(own)
        fields[-1] = {name: Above(*each) for name, each in fields[-1].items()}
        return cls(_whole_from_text(whole), *fields)


# What all tags of a template have the same, one after the other.
_known: Remembered[str, Whole] = Remembered(16, 8 * 2**20)


def _whole_from_text(text: str) -> Whole:
    whole = _known.get(text)
    if whole is None:
        digest, references, assigned, has_special_names = json.loads(text)
        assigned = None if assigned is None else tuple(assigned)
        whole = Whole(digest, references, assigned, has_special_names)
        _known.add(text, whole)
    return whole


#: Returns what the body of each tag with `vary_on="auto"` needs, as `Site.needs`, by
#: the line of the tag and its position there.
FindNeeds = Callable[[list[Token]], Mapping[tuple[int, int], str]]


def mark_sites(
    stream: Iterable[Token],
    name: str | None = None,
    find_needs: FindNeeds | None = None,
) -> Iterator[Token]:
    """Yield a template's tokens, with those that this extension needs.

    A `SITE` follows the name of each of its tags. Where another template is named by an
    expression, the expression gets a filter that notes its value.

    Args:
        stream: The tokens of the template.
        name: The name of the template.
        find_needs: Finds what bodies need. It is called only if there are tags with
            `vary_on="auto"`.
    """
    tokens = list(stream)
    if any(token.type == SITE for token in tokens):
        # Another instance, such as that of a subclass, has inserted them.
        yield from tokens
        return
    namings = find_namings(tokens)
    sites = _sites(tokens, namings, find_needs)
    added: dict[int, list[Token]] = {}
    for index, site in sites.items():
        added[index + 1] = [Token(tokens[index].lineno, SITE, site)]
    for start, end in (span for each in namings for span in each.expressions):
        added[start] = [Token(tokens[start].lineno, "lparen", "(")]
        if end < len(tokens):
            added[end] = [*_note_filter(tokens[end].lineno, name)]
    done = 0
    for index in sorted(added):
        yield from tokens[done:index]
        yield from added[index]
        done = index
    yield from tokens[done:]


def _note_filter(line: int, name: str | None) -> Iterator[Token]:
    """Yield the tokens that follow an expression: `)|filter(name)`."""
    yield Token(line, "rparen", ")")
    yield Token(line, "pipe", "|")
    yield Token(line, "name", NOTE_TEMPLATE)
    if name is not None:
        yield Token(line, "lparen", "(")
        yield Token(line, "string", name)
        yield Token(line, "rparen", ")")


def _sites(
    tokens: list[Token], namings: list[Naming], find_needs: FindNeeds | None
) -> dict[int, str]:
    """Return this extension's tags, as `Site.to_text`, by the index of their names."""
    tags = tag_names(tokens)
    places = list(_places(tokens, tags))
    if not places:
        return {}
    nesting, texts = _Nesting(tokens, tags), token_texts(tokens)
    bodies, names = body_digests(tokens, tags, texts), body_names(tokens, tags)
    above = set_above(tokens, tags, nesting.ended)
    html = html_places(tokens, tags, nesting.ended, {index for index, _ in places})
    assigned = _assigned(tokens, tags)
    whole = Whole(
        tokens_digest(texts),
        references(namings),
        assigned,
        # Tags of other extensions may have names that are no tokens.
        assigned is None or any(token.value in SPECIAL_NAMES for token in tokens),
    )
    text = json.dumps(whole)
    needs: Mapping[tuple[int, int], str] = {}
    heads = (token for index, _ in places for token in _head(tokens, index))
    if find_needs and any(
        each.type == "string" and each.value == AUTO for each in heads
    ):
        # There may be a `vary_on="auto"`.
        needs = find_needs(tokens)
    sites = {}
    for number, (index, position) in enumerate(places):
        site = Site(
            whole,
            number,
            position,
            nesting.printing(index),
            index in nesting.in_branch,
            nesting.variables(index),
            bodies.get(index, ""),
            names.get(index, ""),
            html[index],
            needs.get((tokens[index].lineno, position)),
            above.get(index, {}),
        )
        sites[index] = site.to_text(text)
    return sites


def _head(tokens: list[Token], index: int) -> Iterator[Token]:
    """Yield the tokens between the name of a tag, which is at an index, and its end."""
    for following in range(index + 1, len(tokens)):
        token = tokens[following]
        if token.type == "block_end":
            return
        yield token


def _places(tokens: list[Token], tags: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the index of the name of each of our tags, and its `position`."""
    position = line = 0
    for index in tags:
        token = tokens[index]
        if token.value in TAGS:
            if token.value != HOLE_TAG:
                position = position + 1 if token.lineno == line else 1
                line = token.lineno
            yield index, position


def _assigned(tokens: list[Token], tags: list[int]) -> tuple[str, ...] | None:
    """Return the `Whole.assigned` of a template."""
    if [token.type for token in tokens].count("block_begin") > len(tags):
        # Jinja raises the error for what is no name.
        return None
    names: set[str] = set()
    for index in tags:
        name = tokens[index].value
        if name.removeprefix("end") not in _KNOWN:
            return None
        if name in _ASSIGNING:
            head = _head(tokens, index)
            names.update(token.value for token in head if token.type == "name")
    return tuple(sorted(names))


class _Nesting:
    """Which tags stand in which others.

    Which tags have an end, only the whole template shows: `{% set x %}` has one, and
    `{% set x = 1 %}` has not.

    Args:
        tokens: The tokens of the template.
        tags: The indices of the names of its tags.

    Attributes:
        in_branch: The indices of the names of tags that stand in an `{% if %}`.
        ended: The indices of the names of tags that have an end.
    """

    def __init__(self, tokens: list[Token], tags: list[int]) -> None:
        # The tag around each tag, by the indices of their names, and those with an end.
        self._around: dict[int, int | None] = {}
        self._names: dict[int, str] = {}
        self.ended: set[int] = set()
        self._read(tokens, tags)
        self.in_branch: set[int] = set()
        self._variables: dict[int, tuple[str | None, str | None]] = {}
        self._in_fragment: set[int] = set()
        self._outer: dict[int, int | None] = {}
        self._printing: dict[int, Printing] = {}
        # The first `{% extends %}`, the first that no tag of another extension is
        # around, and the first that no tag is around.
        self._extends = self._direct_extends = self._top_extends = len(tokens)
        for index, around in self._around.items():
            self._decide(index, around)

    def variables(self, index: int) -> str | None:
        """Return the `Site.variables` of a tag."""
        return self._variables[index][self._names[index] == HOLE_TAG]

    def printing(self, index: int) -> Printing:
        """Return the `Site.printing` of a tag."""
        if index < self._extends:
            return "always"
        printing = self._printing[index]
        if printing != "unless_extended":
            return printing
        if index > self._top_extends:
            return "never"
        return printing if index > self._direct_extends else "with_output"

    def _read(self, tokens: list[Token], tags: list[int]) -> None:
        opened: list[int] = []
        number_opened: Counter[str] = Counter()
        for index in tags:
            value = tokens[index].value
            name = value.removeprefix("end")
            if name == value:
                self._around[index] = opened[-1] if opened else None
                self._names[index] = name
                opened.append(index)
                number_opened[name] += 1
            elif number_opened[name]:
                while self._names[last := opened.pop()] != name:
                    number_opened[self._names[last]] -= 1
                number_opened[name] -= 1
                self.ended.add(last)

    def _decide(self, index: int, around: int | None) -> None:
        """Decide about a tag, after those in front of it."""
        # An `{% else %}` or a `{% set x = 1 %}` is not around what follows it.
        is_around = around is None or around in self.ended
        outer = around if around is None or is_around else self._outer[around]
        self._outer[index] = outer
        self._decide_printing(index, outer)
        if outer is None:
            self._variables[index] = _NOWHERE
            return
        name = self._names[outer]
        if name == "if" or (name in _SAME_SCOPE and outer in self.in_branch):
            self.in_branch.add(index)
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

    def _decide_printing(self, index: int, outer: int | None) -> None:
        """Decide when a tag prints if an `{% extends %}` is in front of it."""
        if outer is None:
            printing: Printing = "unless_extended"
        else:
            printing = self._printing[outer]
            if self._names[outer] in _ALWAYS_PRINTING:
                printing = "always"
            elif printing != "always" and self._names[outer] not in _PRINTING_AS_AROUND:
                printing = "with_output"
        self._printing[index] = printing
        if self._names[index] == "extends":
            self._extends = min(self._extends, index)
            if printing == "unless_extended":
                self._direct_extends = min(self._direct_extends, index)
            if outer is None:
                self._top_extends = min(self._top_extends, index)
