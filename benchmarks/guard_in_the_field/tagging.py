"""Puts a tag around each statement that prints, at all depths, outside of macros.

Where a macro is called, there is a tag. In the macro, it would need the arguments in
its key.
"""

from collections.abc import Callable, Iterable
from typing import ClassVar

from jinja2 import Environment, nodes
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

from benchmarks.transparency.tagging import find_pieces

_PLAIN = Environment(autoescape=True)
_OF_JINJA = frozenset({"caller", "loop", "self", "super"})


class FieldTags(Extension):
    """Tags templates when Jinja reads them.

    Attributes:
        around: Returns what is written before and after a statement, by its site and
            the names that it reads.
        sites: The sites of all tags so far.
    """

    # Before the extension whose tags are added sees the tokens.
    priority = 1
    around: ClassVar[Callable[[str, str], tuple[str, str]]]
    sites: ClassVar[set[str]] = set()

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        """Put tags into a template. Called by Jinja."""
        tokens = [*stream]
        if tokens:
            tokens = self._tagged(tokens, stream.name or "")
        return TokenStream(tokens, stream.name, stream.filename)

    def _tagged(self, tokens: list[Token], template: str) -> list[Token]:
        at = [[token] for token in tokens]
        bodies = find_pieces(self.environment, tokens)
        macros = [
            range(piece.start, piece.end)
            for pieces in bodies
            for piece in pieces
            if any(
                isinstance(node, nodes.Macro | nodes.CallBlock) for node in piece.body
            )
        ]
        for piece in (piece for pieces in bodies for piece in pieces if piece.prints):
            if any(
                piece.start in macro and piece.start != macro.start for macro in macros
            ):
                continue
            start, end = piece.start, piece.end - 1
            line = tokens[start].lineno
            kind = tokens[start + 1].value if piece.body else "{{ }}"
            site = f"{template}:{line} {kind} {start}"
            self.sites.add(site)
            read = nodes.Scope([*piece.body, *filter(None, [piece.expression])])
            names = sorted(
                {each.name for each in read.find_all(nodes.Name) if each.ctx == "load"}
                - _OF_JINJA
            )
            written = type(self).around(site, f"[{', '.join(names)}]")
            before, after = (_lexed(text, line) for text in written)
            at[start] = [*before, *at[start]]
            at[end] += after
        return [token for tokens_ in at for token in tokens_]


def _lexed(source: str, line: int) -> list[Token]:
    return [token._replace(lineno=line) for token in _PLAIN.lexer.tokenize(source)]
