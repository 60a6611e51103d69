"""A text with holes, into which something is put for each request.

While a body is rendered, a mark stands where a hole is. It has a random token in it
that is made for this one rendering, so no text that a user writes is taken for one.
What is stored are no marks, but the lengths of the pieces between them.
"""

from collections.abc import Iterator
from typing import NamedTuple, Self

_MARK = "\x1e"


class Pieces(NamedTuple):
    """A text with holes.

    Attributes:
        text: the text without what stands in the holes.
        holes: for each hole, how many characters stand before it, behind the last one,
            and its number.
    """

    text: str
    holes: tuple[tuple[int, int], ...] = ()

    @classmethod
    def cut(cls, text: str, token: str) -> Self:
        """Cut a text at its marks.

        Args:
            text: what a body printed.
            token: what stands in its marks.
        """
        piece, *rest = str(text).split(_begin(token))
        pieces, holes = [piece], []
        for each in rest:
            number, _, behind = each.partition(_MARK)
            holes.append((len(pieces[-1]), int(number)))
            pieces.append(behind)
        return cls("".join(pieces), tuple(holes))

    def parts(self) -> Iterator[str | int]:
        """Give the pieces of the text and the numbers of the holes, in their order."""
        begin = 0
        for length, number in self.holes:
            yield self.text[begin : begin + length]
            yield number
            begin += length
        yield self.text[begin:]


def mark(token: str, number: int) -> str:
    """Give what a body prints where a hole is."""
    return f"{_begin(token)}{number}{_MARK}"


def _begin(token: str) -> str:
    return f"{_MARK}{token}:"
