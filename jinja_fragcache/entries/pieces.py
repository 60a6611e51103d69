"""A text with holes, which are filled for each request.

While a body is rendered, it prints a mark where a hole is. The mark contains a random
token that is made for this one rendering, so no text that a user writes can be taken
for a mark. Marks are not stored: what is stored are the lengths of the pieces of text
between them.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

_MARK = "\x1e"


class Pieces(NamedTuple):
    """A text with holes.

    Attributes:
        text: The text without the holes.
        holes: The holes in their order: how many characters of text are between the
            previous hole and this one, and the number of the hole in its template.
    """

    text: str
    holes: tuple[tuple[int, int], ...] = ()

    @classmethod
    def cut(cls, text: str, token: str) -> Self:
        """Cut a text at its marks.

        Args:
            text: What a body printed.
            token: The token in its marks.
        """
        first, *rest = str(text).split(_mark_start(token))
        pieces, holes = [first], []
        for each in rest:
            number, _, piece = each.partition(_MARK)
            holes.append((len(pieces[-1]), int(number)))
            pieces.append(piece)
        return cls("".join(pieces), tuple(holes))

    @classmethod
    def of_parts(cls, parts: Iterable[str | int]) -> Self:
        """Return the text of which `parts` returns these."""
        pieces, holes = [""], []
        for each in parts:
            if isinstance(each, str):
                pieces[-1] += each
            else:
                holes.append((len(pieces[-1]), each))
                pieces.append("")
        return cls("".join(pieces), tuple(holes))

    def parts(self) -> Iterator[str | int]:
        """Yield the pieces of the text and the numbers of the holes, in their order."""
        start = 0
        for length, number in self.holes:
            yield self.text[start : start + length]
            yield number
            start += length
        yield self.text[start:]


def mark(token: str, number: int) -> str:
    """Return the mark that a body prints where a hole is.

    Args:
        token: The token of this rendering.
        number: The number of the hole in its template.
    """
    return f"{_mark_start(token)}{number}{_MARK}"


def _mark_start(token: str) -> str:
    return f"{_MARK}{token}:"
