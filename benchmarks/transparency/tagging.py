"""Puts this package's tags around the statements of templates that have none.

It is done to the tokens of a template, before Jinja parses it. So the package sees what
it would see if somebody had written the tags into the source, the source itself is left
alone, and white space control has happened already. Where a statement begins and ends
depends on the extensions of the environment, so Jinja's own parser is asked: it parses
the template once for that, and the places at which it reads the statements are noted.

A tag is put around each statement that prints, and around each `{{ ... }}`, at all
depths. Some statements are left without a tag, for what docs/tag.md says:

- those that set names which the template reads after them,
- those that leave a loop around them,
- those in which another template is extended.
"""

from enum import StrEnum
from itertools import chain, groupby
from typing import Any, NamedTuple

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser

from jinja_fragcache.template.names import bound_names
from jinja_fragcache.template.parts import facts_of

#: The name of the filter that returns the key values of the tags.
KEY = "transparency_key"

_PLAIN = Environment(autoescape=True)
_CACHE = f"{{% cache vary_on=0|{KEY} %}}"
_END_CACHE = "{% endcache %}"
_NOCACHE = "{% nocache %}"
_END_NOCACHE = "{% endnocache %}"
_SILENT = (
    nodes.Assign,
    nodes.AssignBlock,
    nodes.ExprStmt,
    nodes.Extends,
    nodes.FromImport,
    nodes.Import,
    nodes.Macro,
)


class Way(StrEnum):
    """A way to use the package in templates that know nothing of it."""

    #: The extension is there, and no tag.
    EXTENSION = "extension"
    #: Each statement is in a cache tag of its own.
    CACHE = "cache"
    #: Each loop is a list of cached rows.
    CACHE_EACH = "cache_each"
    #: Statements that follow each other are in a cache tag, each in a hole of its own.
    NOCACHE = "nocache"


class Piece(NamedTuple):
    """A statement or a `{{ ... }}`.

    Attributes:
        start: The place of its first token.
        end: The place after its last token.
        body: What Jinja made of it, nothing for a `{{ ... }}`.
        expression: What stands in a `{{ ... }}`, None for a statement.
    """

    start: int
    end: int
    body: list[nodes.Node]
    expression: nodes.Expr | None = None

    @property
    def prints(self) -> bool:
        """Whether it prints something, and does nothing else that must be seen."""
        if bound_names(self.body):
            return False
        return not any(
            isinstance(node, _SILENT) or node.find(nodes.Extends) or _leaves_loop(node)
            for node in self.body
        )


def _leaves_loop(node: nodes.Node) -> bool:
    # What stands in a loop leaves that one. Its `else` is outside of it.
    body = node.else_ if isinstance(node, nodes.For) else [node]
    return facts_of(body).leaves_loop


class _Finder(Parser):
    """Parses a template to find where its statements stand.

    Args:
        environment: The environment of the template.
        tokens: The template.

    Attributes:
        bodies: The pieces of each body, those of inner bodies first.
    """

    def __init__(self, environment: Environment, tokens: list[Token]) -> None:
        super().__init__(environment, "")
        self.stream = TokenStream(tokens, None, None)
        self._tokens = tokens
        self._places = {id(token): place for place, token in enumerate(tokens)}
        self._pieces: list[Piece] = []
        self.bodies: list[list[Piece]] = []

    def subparse(self, end_tokens: tuple[str, ...] | None = None) -> list[nodes.Node]:
        """Parse a body. Called by Jinja."""
        outer, self._pieces = self._pieces, []
        body = super().subparse(end_tokens)
        self.bodies.append(self._pieces)
        self._pieces = outer
        return body

    def parse_statement(self) -> nodes.Node | list[nodes.Node]:
        """Parse a statement from its name on. Called by Jinja."""
        start = self._place() - 1
        parsed = super().parse_statement()
        body = parsed if isinstance(parsed, list) else [parsed]
        self._pieces.append(Piece(start, self._place() + 1, body))
        return parsed

    def parse_tuple(self, *args: Any, **kwargs: Any) -> nodes.Expr:
        """Parse an expression, which may be that of a `{{ ... }}`. Called by Jinja."""
        start = self._place() - 1
        parsed = super().parse_tuple(*args, **kwargs)
        if self._tokens[start].type == "variable_begin":
            self._pieces.append(Piece(start, self._place() + 1, [], parsed))
        return parsed

    def _place(self) -> int:
        # The last token is not one of the template's: it says that there are no more.
        return self._places.get(id(self.stream.current), len(self._tokens))


def add_tags(environment: Environment, tokens: list[Token], way: Way) -> list[Token]:
    """Return the tokens of a template with tags.

    Args:
        environment: The environment of the template.
        tokens: The template.
        way: Which tags to put where.
    """
    tagged = _Tagged(tokens)
    for pieces in find_pieces(environment, tokens):
        for prints, group in groupby(pieces, key=lambda piece: piece.prints):
            if prints:
                tagged.add(way, list(group))
    return tagged.tokens()


def find_pieces(environment: Environment, tokens: list[Token]) -> list[list[Piece]]:
    """Return the pieces of each body of a template, those of inner bodies first.

    Args:
        environment: The environment of the template.
        tokens: The template. If it can't be parsed, it has none: it is for Jinja to say
            what is wrong.
    """
    finder = _Finder(environment, tokens)
    try:
        finder.parse()
    except (TemplateSyntaxError, AssertionError):  # The latter of an expression.
        return []
    return finder.bodies


class _Tagged:
    """The tokens of a template, to which tags are added from the inside out.

    Args:
        tokens: The tokens of the template.
    """

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = [[token] for token in tokens]

    def tokens(self) -> list[Token]:
        """Return the tokens with all tags that were added."""
        return [*chain.from_iterable(self._at)]

    def add(self, way: Way, pieces: list[Piece]) -> None:
        """Add the tags for statements that follow each other."""
        for piece in pieces:
            match way:
                case Way.CACHE:
                    self._surround(piece, piece, _CACHE, _END_CACHE)
                case Way.CACHE_EACH:
                    self._make_list(piece)
                case Way.NOCACHE:
                    self._surround(piece, piece, _NOCACHE, _END_NOCACHE)
        if way is Way.NOCACHE:
            self._surround(pieces[0], pieces[-1], _CACHE, _END_CACHE)

    def _surround(self, first: Piece, last: Piece, before: str, after: str) -> None:
        start, end = first.start, last.end - 1
        self._at[start] = [*self._written(before, start), *self._at[start]]
        self._at[end] += self._written(after, end)

    def _make_list(self, piece: Piece) -> None:
        """Write `cache_each` in place of `for`, if its body can be that of rows."""
        match piece.body:
            case [nodes.For(recursive=False) as loop]:
                # A tuple without parentheses would end at its first comma, and Jinja
                # does not tell whether it has them.
                is_tuple = isinstance(loop.iter, nodes.Tuple)
                if is_tuple or facts_of(loop.body).leaves_loop:
                    return
            case _:
                return
        places = range(piece.start, piece.end)
        end = next(at for at in places if self._tokens[at].type == "block_end")
        if self._tokens[end - 1].type == "colon":
            end -= 1
        comma = Token(self._tokens[end].lineno, "comma", ",")
        key = self._written(_CACHE, end)[2:-1]
        self._at[end] = [comma, *key, *self._at[end]]
        for at, name in (
            (piece.start + 1, "cache_each"),
            (piece.end - 2, "endcache_each"),
        ):
            self._at[at] = [self._tokens[at]._replace(value=name)]

    def _written(self, source: str, place: int) -> list[Token]:
        """Return the tokens of a source, with the line of a token of the template."""
        line = self._tokens[place].lineno
        return [token._replace(lineno=line) for token in _PLAIN.lexer.tokenize(source)]
