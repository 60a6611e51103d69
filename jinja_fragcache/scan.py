"""What has to be known of a whole template before one of its cache tags is parsed.

Jinja's parser hands a tag its own part of the template and nothing else. The token
stream is the one thing that an extension sees whole, so it is read once, ahead, and
what was found is put behind the name of each cache tag, as a token of a type of its
own.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

from jinja2.lexer import Token

from .digests import digest

TAG = "cache"
SITE = "fragment_cache_site"


class Site(NamedTuple):
    """Where a cache tag stands.

    Attributes:
        digest: digest of the template's source. It does not change with comments or
            with the white space inside tags.
        position: 1 for the first cache tag that starts on its line, 2 for the next.
        may_not_print: whether a tag stands outside of all blocks behind an
            `{% extends %}`, where output goes nowhere.
    """

    digest: str
    position: int
    may_not_print: bool

    def to_text(self) -> str:
        """Write it as a token's value, which other extensions expect to be text."""
        return f"{self.digest} {self.position} {self.may_not_print:d}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote."""
        digest, position, may_not_print = text.split()
        return cls(digest, int(position), may_not_print=may_not_print == "1")


def mark_sites(stream: Iterable[Token]) -> Iterator[Token]:
    """Give a template's tokens, with a `SITE` behind the name of each cache tag."""
    tokens = list(stream)
    if any(token.type == SITE for token in tokens):
        # Done by another one of this extension, such as a subclass of it.
        yield from tokens
        return
    source = ""
    extends = False
    depth = position = line = 0
    for before, token in zip([None, *tokens], tokens, strict=False):
        yield token
        if before is None or before.type != "block_begin" or token.type != "name":
            continue
        if token.value == "extends":
            extends = True
        elif token.value == "block":
            depth += 1
        elif token.value == "endblock":
            depth -= 1
        elif token.value == TAG:
            position = position + 1 if token.lineno == line else 1
            line = token.lineno
            source = source or _digest(tokens)
            site = Site(source, position, may_not_print=extends and depth == 0)
            yield Token(token.lineno, SITE, site.to_text())


def _digest(tokens: Iterable[Token]) -> str:
    return digest("\n".join(f"{token.type} {token.value!r}" for token in tokens))
