"""Where in HTML each tag stands, as far as its own template's text shows.

Only the template's own text is known when it is compiled. Another template may put that
anywhere: by an include, a block, a macro. So a template, and a block of one that
extends another, begins in an unknown place, until its text has shown an element.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from jinja2.lexer import Token

from jinja_fragcache.reads.html import DOUBT, UNKNOWN, joined, place_after

# What stands in these is printed where it stands. What stands in others may be changed,
# or printed elsewhere.
_PRINTING = {
    "if",
    "for",
    "with",
    "autoescape",
    "block",
    "cache",
    "cache_each",
    "nocache",
}
_COLLECTING = {"set", "macro", "call"}
_LOOPS = {"for", "cache_each"}
_BRANCHES = {"elif", "else"}


def html_places(
    tokens: list[Token],
    tags: Sequence[int],
    ended: Collection[int],
    wanted: Collection[int],
) -> dict[int, str]:
    """Return where tags stand: `DATA`, `UNKNOWN`, or where no comment may be.

    Args:
        tokens: The tokens of the template.
        tags: The indices of the names of its tags.
        ended: The indices of the names of tags with an end.
        wanted: The indices of the names of the tags whose places are returned.
    """
    walk = _Walk(tokens, tags, ended, wanted)
    start = 0
    for index in [*tags, len(tokens)]:
        for token in tokens[start:index]:
            if token.type == "data":
                walk.place = place_after(walk.place, token.value)
        if index < len(tokens):
            walk.take_tag(index, tokens[index].value)
        start = index
    return walk.found


class _Around:
    """A tag around others.

    Args:
        name: Its name.
        start: Where it begins.

    Attributes:
        ends: Where its branches lead to that have ended.
        has_else: Whether one of the branches is taken always.
        tags: The wanted tags in it.
        is_elsewhere: Whether it is a block that is printed elsewhere, too.
    """

    __slots__ = ("ends", "has_else", "is_elsewhere", "name", "start", "tags")

    def __init__(self, name: str, start: str) -> None:
        self.name = name
        self.start = start
        self.ends: list[str] = []
        self.tags: list[int] = []
        self.has_else = self.is_elsewhere = False


class _Walk:
    """The way through a template.

    Args:
        tokens: The tokens of the template.
        tags: As for `html_places`.
        ended: As for `html_places`.
        wanted: As for `html_places`.

    Attributes:
        place: Where the text so far leads to.
        found: What `html_places` returns.
    """

    def __init__(
        self,
        tokens: list[Token],
        tags: Sequence[int],
        ended: Collection[int],
        wanted: Collection[int],
    ) -> None:
        self.place = UNKNOWN
        self.found: dict[int, str] = {}
        self._tokens, self._ended, self._wanted = tokens, ended, wanted
        self._around: list[_Around] = []
        self._extends = any(tokens[index].value == "extends" for index in tags)
        self._of_self = _blocks_of_self(tokens)

    def take_tag(self, index: int, name: str) -> None:
        """Take the start, the end, or a branch of a tag."""
        if index in self._wanted:
            self.found[index] = self.place if self._is_printed_here() else DOUBT
            for each in self._around:
                each.tags.append(index)
        if name in _BRANCHES and index not in self._ended:
            if self._around:
                self._branch(self._around[-1], name)
        elif index in self._ended:
            self._around.append(_Around(name, self.place))
            if name == "block":
                self._enter_block(self._tokens[index + 1].value)
        elif name.startswith("end"):
            self._leave(name.removeprefix("end"))

    def _is_printed_here(self) -> bool:
        return all(each.name in _PRINTING for each in self._around)

    def _enter_block(self, name: str) -> None:
        if name in self._of_self:
            self._around[-1].is_elsewhere = True
            self.place = DOUBT
        elif self._extends and len(self._around) == 1:
            self.place = UNKNOWN

    def _branch(self, around: _Around, name: str) -> None:
        around.ends.append(self.place)
        around.has_else |= name == "else"
        self.place = around.start

    def _leave(self, name: str) -> None:
        if not any(each.name == name for each in self._around):
            return
        while (around := self._around.pop()).name != name:
            pass
        start, ends = around.start, [*around.ends, self.place]
        if name in _LOOPS:
            if joined(start, ends[0]) == DOUBT:
                # The next item begins elsewhere than the first one.
                self.found.update(dict.fromkeys(around.tags, DOUBT))
            self.place = joined(start, *ends)
        elif name == "if":
            self.place = joined(*ends) if around.has_else else joined(start, *ends)
        elif around.is_elsewhere or name in _COLLECTING:
            self.place = start


def _blocks_of_self(tokens: list[Token]) -> set[str]:
    """Return the names of blocks that the template prints by `self.name()`, too."""
    return {
        tokens[index + 2].value
        for index, token in enumerate(tokens[:-2])
        if token.value == "self"
        and (tokens[index + 1].type, tokens[index + 2].type) == ("dot", "name")
    }
