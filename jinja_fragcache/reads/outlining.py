"""Makes outlines from the sources of templates."""

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser

from jinja_fragcache.identities import OF_ROWS

from .arguments import Arguments
from .expressions import reads_of, refusals_of, tests_of
from .marks import Mark, body_of, mark_of
from .outline import (
    FILTER,
    Bind,
    Block,
    Branch,
    Broken,
    CallBlock,
    Fragment,
    Group,
    Hole,
    Import,
    Include,
    Loop,
    Macro,
    Outline,
    Reads,
    Statement,
    Tag,
    Templates,
    Use,
)
from .paths import is_bag
from .tag_texts import tag_texts

# Methods that put something into a list, a set or a mapping.
_ADDING = {"add", "append", "extend", "insert", "setdefault", "update"}
_SPACE = re.compile(r"(?:\s|\\n|\\t|\\r)+")


def outline(
    source: str, name: str, marking: Environment, real: Environment | None
) -> Outline | Broken:
    """Return the outline of a template.

    Args:
        source: The template's source.
        name: The template's name.
        marking: The environment that marks tags.
        real: The environment whose errors count for templates with tags, None if it has
            other tags.

    Returns:
        A `Broken` if it can't be parsed.
    """
    try:
        # Made once for both environments: that takes longer than to parse them.
        tokens = [*marking.lexer.tokenize(marking.preprocess(source, name), name)]
        made = _Outlining(marking).template(_parsed(marking, tokens, name))
        if real is not None and (made.tags or "nocache" in source):
            # Holes, constant keys and loop control are checked there.
            _parsed(real, tokens, name)
    except TemplateSyntaxError as error:
        return Broken(error.lineno, " ".join((error.message or "").split()))
    except RecursionError:
        return Broken(1, "It is nested too deeply.")
    return made


def outline_of_tokens(
    tokens: Iterable[Token], name: str | None, marking: Environment
) -> Outline | None:
    """Return the outline of a template of which the tokens are known, but no source.

    Args:
        tokens: The tokens.
        name: The template's name.
        marking: The environment that marks tags.

    Returns:
        None if it can't be parsed.
    """
    try:
        return _Outlining(marking).template(
            _nodes(marking, TokenStream(tokens, name, None), name)
        )
    except (TemplateSyntaxError, RecursionError):
        # Jinja parses the same tokens, and raises it again.
        return None


def _parsed(environment: Environment, tokens: list[Token], name: str) -> nodes.Template:
    """Return the nodes of a template, like `Environment.parse` of its source."""
    stream = TokenStream(tokens, name, None)
    for extension in environment.iter_extensions():
        given = extension.filter_stream(stream)
        if not isinstance(given, TokenStream):
            given = TokenStream(given, name, None)
        stream = given
    return _nodes(environment, stream, name)


def _nodes(
    environment: Environment, stream: TokenStream, name: str | None
) -> nodes.Template:
    """Return the nodes of a template whose extensions have filtered its tokens."""
    parser = Parser(environment, "", name)
    parser.stream = stream
    return parser.parse()


class _Outlining:
    """Makes one outline."""

    def __init__(self, environment: Environment) -> None:
        self._eval_ctx = nodes.EvalContext(environment)
        self._tags: list[Tag] = []
        self._blocks: list[Block] = []
        self._extends: Templates | None = None
        self._line = self._position = self._extends_line = 0

    def template(self, tree: nodes.Template) -> Outline:
        """Return the outline of a template's nodes."""
        body = self._body(tree.body)
        names: set[str] = set()
        identified: set[str] = set()
        for read in _all_reads(body):
            names.add(read.path[0])
            if len(read.path) > 1 and read.path[1] in OF_ROWS:
                identified.add(read.path[0])
        for tag in self._tags:
            identified |= {read.path[0] for read in tag.key if len(read.path) > 1}
        return Outline(
            body,
            tuple(self._tags),
            tuple(self._blocks),
            self._extends,
            self._extends_line,
            tuple(sorted(names)),
            tuple(sorted(identified)),
        )

    def _body(self, body: Iterable[nodes.Node]) -> tuple[Statement, ...]:
        return tuple(each for node in body for each in self._statements(node))

    def _statements(self, node: nodes.Node) -> Iterator[Statement]:
        match node:
            case nodes.Output() | nodes.ExprStmt():
                reads = reads_of(*node.iter_child_nodes())
                if reads:
                    yield Use(reads)
                yield from _additions(node)
            case nodes.If():
                yield self._branch(node)
            case nodes.For():
                yield self._loop(node)
            case nodes.Assign() | nodes.AssignBlock():
                yield self._bind(node)
                yield from _additions(node)
            case nodes.With():
                values = zip(node.targets, node.values, strict=True)
                binds = [
                    Bind(_stored(to), reads_of(value), (), False, node.lineno)
                    for to, value in values
                ]
                yield Group((*binds, *self._body(node.body)))
            case nodes.Scope():
                yield self._scope(node)
            case _:
                yield from self._others(node)

    def _others(self, node: nodes.Node) -> Iterator[Statement]:
        match node:
            case nodes.Macro():
                yield Macro(
                    node.name,
                    tuple(each.name for each in node.args),
                    reads_of(*node.defaults),
                    self._body(node.body),
                    node.lineno,
                )
            case nodes.CallBlock():
                yield CallBlock(
                    tuple(each.name for each in node.args),
                    reads_of(node.call, *node.defaults),
                    self._body(node.body),
                    node.lineno,
                )
            case nodes.Include() | nodes.Import() | nodes.FromImport():
                yield self._naming(node)
            case nodes.Extends():
                self._extends, is_known, reads = _templates(node.template)
                self._extends_line = 0 if is_known else node.lineno
                yield Use(reads)
            case nodes.Block():
                block = Block(node.name, self._body(node.body), node.scoped)
                self._blocks.append(block)
                yield block
            case nodes.FilterBlock():
                yield Use(reads_of(node.filter))
                yield Group(self._body(node.body))
            case nodes.Expr() | nodes.Helper():
                yield Use(reads_of(node))
            case _:
                # An {% autoescape %}, or a statement of another extension.
                yield Group(self._body(node.iter_child_nodes()))

    def _branch(self, node: nodes.If) -> Branch:
        tests, bodies = [node.test], [node.body]
        for each in node.elif_:
            tests.append(each.test)
            bodies.append(each.body)
        bodies.append(node.else_)
        return Branch(tests_of(*tests), tuple(map(self._body, bodies)))

    def _loop(self, node: nodes.For) -> Loop:
        return Loop(
            _stored(node.target),
            reads_of(node.iter),
            reads_of(node.test),
            self._body(node.body),
            self._body(node.else_),
            node.lineno,
        )

    def _bind(self, node: nodes.Assign | nodes.AssignBlock) -> Bind:
        added = [each.name for each in _find(node.target, nodes.NSRef)]
        names = (*_stored(node.target), *added)
        if isinstance(node, nodes.Assign):
            return Bind(names, reads_of(node.node), (), bool(added), node.lineno)
        body = self._body(node.body)
        return Bind(names, reads_of(node.filter), body, bool(added), node.lineno)

    def _naming(self, node: nodes.Include | nodes.Import | nodes.FromImport) -> Any:
        templates, is_known, reads = _templates(node.template)
        if isinstance(node, nodes.Include):
            return Include(templates, is_known, reads, node.with_context, node.lineno)
        names: list[tuple[str, str]] = []
        target = None
        if isinstance(node, nodes.Import):
            target = node.target
        else:
            names = [(n, n) if isinstance(n, str) else n for n in node.names]
        return Import(
            templates,
            is_known,
            reads,
            target,
            tuple(names),
            node.with_context,
            node.lineno,
        )

    def _scope(self, node: nodes.Scope) -> Statement:
        mark = mark_of(node)
        if mark is None:
            return Group(self._body(node.body))
        if mark.arguments is None:
            return Hole(self._body(body_of(node)))
        content = body_of(node)
        place = len(self._tags)
        tag = self._tag(mark, mark.arguments, _digest(content))
        # In front of the tags in it.
        self._tags.insert(place, tag)
        return Fragment(tag, self._body(content))

    def _tag(self, mark: Mark, arguments: Arguments, body: str) -> Tag:
        self._position = self._position + 1 if mark.line == self._line else 1
        self._line = mark.line
        name = self._constant(arguments.name)
        timeout = self._constant(arguments.timeout)
        return Tag(
            mark.kind,
            mark.line,
            self._position,
            name if isinstance(name, str) else None,
            arguments.name is not None and name is None,
            timeout if isinstance(timeout, int | float) else None,
            reads_of(arguments.name, arguments.vary_on, arguments.version),
            refusals_of(arguments.unless),
            self._allowed(arguments.allow),
            *tag_texts(arguments, mark.each),
            body,
            arguments.is_auto,
        )

    def _allowed(self, expression: nodes.Expr | None) -> tuple[str, ...]:
        names = self._constant(expression)
        if not isinstance(names, list | tuple):
            return ()
        return tuple(name for name in names if isinstance(name, str))

    def _constant(self, expression: nodes.Expr | None) -> Any:
        """Return the value of a constant expression, None if it is no constant."""
        if expression is None:
            return None
        try:
            return expression.as_const(self._eval_ctx)
        except Exception:  # noqa: BLE001 - the expression is the template's
            return None


def _find(node: nodes.Node, kind: type[Any]) -> Iterator[Any]:
    # Scope.find_all finds the node itself as well.
    return nodes.Scope([node]).find_all(kind)


def _additions(node: nodes.Node) -> Iterator[Bind]:
    """Yield what a statement puts into lists and other values that have names."""
    for call in _find(node, nodes.Call):
        match call.node:
            case nodes.Getattr(node=nodes.Name(name=name), attr=method):
                # The first child is what is called.
                reads = reads_of(*[*call.iter_child_nodes()][1:])
                if reads and method in _ADDING and not is_bag((name,)):
                    yield Bind((name,), reads, (), True, call.lineno)


def _stored(target: nodes.Node) -> tuple[str, ...]:
    return tuple(each.name for each in _find(target, nodes.Name) if each.ctx != "load")


def _templates(node: nodes.Expr) -> tuple[Templates, bool, Reads]:
    """Return the names of templates in an expression, and what it reads.

    Returns:
        The constant names, whether there are no others, and the reads.
    """
    match node:
        case nodes.Const(value=str() as name):
            return (name,), True, ()
        case nodes.List() | nodes.Tuple():
            parts = [*node.items]
        case nodes.CondExpr():
            parts = [node.expr1, *([node.expr2] if node.expr2 else [])]
        case nodes.Or():
            parts = [node.left, node.right]
        case _:
            return (), False, reads_of(node)
    found = [_templates(part) for part in parts]
    names = [name for named, _, _ in found for name in named]
    return tuple(names), all(is_known for _, is_known, _ in found), reads_of(node)


def _digest(body: list[nodes.Node]) -> str:
    """Return a digest of a body that white space and comments don't change."""
    text = _SPACE.sub(" ", repr(body))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _all_reads(body: Iterable[Statement]) -> Iterator[Any]:
    """Iterate over all reads of statements, but for filters."""
    for each in body:
        for name in each._fields:
            value = getattr(each, name)
            if name in {"reads", "test"}:
                yield from (read for read in value if read.path[0][0] != FILTER)
            elif name in {"body", "else_"}:
                yield from _all_reads(value)
            elif name == "bodies":
                for body_ in value:
                    yield from _all_reads(body_)
