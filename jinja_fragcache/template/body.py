"""Makes a fragment's body render the same as it would without its tag.

A miss renders the body in a function of its own, which Jinja compiles like the body of
`{% call %}`. Some things work differently in such a function. They are fixed here, or
refused.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Any

from jinja2 import nodes
from jinja2.idtracking import VAR_LOAD_RESOLVE, find_symbols
from jinja2.parser import Parser
from jinja2.visitor import NodeTransformer

from jinja_fragcache.reads.arguments import written
from jinja_fragcache.render.output import INCLUDE, TEXT

from .filter_call import filter_call, python_expression
from .parts import Facts, part_of
from .tag_sites import LOOP_VARIABLES, Site

_TRUE: Any = True


def check_loop_control(parser: Parser, body: Iterable[nodes.Node]) -> None:
    """Refuse a `{% break %}` or `{% continue %}` of a loop around the body.

    Raises:
        jinja2.TemplateSyntaxError: If there is one.
    """
    for node in _loop_control(body):
        name = "break" if isinstance(node, nodes.Break) else "continue"
        tag = written(parser, name)
        parser.fail(
            f"{tag} can't leave a cached fragment, because only a complete text can be"
            f" stored. Put the loop inside of {written(parser, 'cache')}, or {tag}"
            " before it.",
            node.lineno,
        )


def _loop_control(body: Iterable[nodes.Node]) -> Iterator[nodes.Node]:
    for node in body:
        if isinstance(node, nodes.Break | nodes.Continue):
            yield node
        elif isinstance(node, nodes.For):
            # The loop's body may leave the loop. Its `else` is outside of it.
            yield from _loop_control(node.else_)
        elif part_of(node) is None:
            yield from _loop_control(node.iter_child_nodes())


def keep_names(
    parser: Parser, body: list[nodes.Node], facts: Facts, variables: str | None
) -> list[tuple[nodes.Expr, nodes.InternalName]]:
    """Let the body read what its function would hide, under other names.

    These are `caller`, `kwargs` and `varargs` of the macro around it, which Jinja binds
    in every macro, and the names that are set in the loop around it, which a loop in
    the body replaces.

    Args:
        parser: Parses the template.
        body: The body, which is changed in place.
        facts: What is known of the body.
        variables: The `Site.variables` of its tag.

    Returns:
        What the other names stand for, each with its name. They have to be assigned to
        these in front of the body.

    Raises:
        jinja2.TemplateSyntaxError: If the body both reads and sets one of the three.
    """
    kept = list(_keep_macro_names(parser, body, facts.macro_names))
    if facts.has_loops and variables == LOOP_VARIABLES:
        # A variable that a function assigns anywhere is its own everywhere, so calls
        # in front of the body's loop would find it unbound.
        replacement = parser.free_identifier()
        own = python_expression(parser, variables)
        body.insert(0, nodes.Assign(own, replacement))
        kept.append((python_expression(parser, variables), replacement))
    return kept


def _keep_macro_names(
    parser: Parser, body: list[nodes.Node], names: Iterable[str]
) -> Iterator[tuple[nodes.Expr, nodes.InternalName]]:
    for name in sorted(names):
        use = _NameUse(name)
        for node in body:
            use.visit(node)
        if not use.is_read:
            continue
        if use.is_set:
            parser.fail(
                f"A cached fragment can't both read {name!r} and set it. Choose another"
                " name for what is set.",
                use.lineno,
            )
        replacement = parser.free_identifier()
        _replace(_Renamer(name, replacement), body)
        yield nodes.Name(name, "load"), replacement


def names_from_outside(
    body: list[nodes.Node],
    assigned: Container[str] | None,
    parameters: Iterable[str] = (),
) -> list[nodes.Expr]:
    """Return the names that the body reads from the scope around its tag.

    Jinja does not look for names in a call block, so a name that is set after the
    fragment, in the same scope, would be undefined in it. Other names are left out.

    Args:
        body: The body.
        assigned: The names that may be set in the template, None for all.
        parameters: Names that the call block passes to the body.
    """
    if assigned == ():
        return []
    symbols = find_symbols(body)
    names = {
        name
        for how, name in symbols.loads.values()
        if how == VAR_LOAD_RESOLVE and (assigned is None or name in assigned)
    }
    return [nodes.Name(name, "load") for name in sorted(names.difference(parameters))]


def keep_surroundings(
    parser: Parser, body: list[nodes.Node], site: Site
) -> list[nodes.Node]:
    """Return a body that is compiled like one that stands where its tag stands.

    Args:
        parser: Parses the template.
        body: The body, whose calls are changed in place.
        site: Where its tag stands.
    """
    if site.variables is not None:
        _pass_variables(parser, body, site.variables)
    if site.in_branch:
        # There, Jinja defers the error for an unknown filter or test until it is used.
        return [nodes.If(nodes.Const(_TRUE), body, [], [])]
    return body


def _pass_variables(parser: Parser, body: Iterable[nodes.Node], name: str) -> None:
    """Let functions that take the context see what is set around the body.

    Jinja passes the names that are set in a `{% block %}` or a loop to each call in the
    same scope, which the body is not.

    Args:
        parser: Parses the template.
        body: The body.
        name: The name under which the compiled template keeps the names.
    """
    for call in _calls_in_scope(body):
        call.kwargs.append(nodes.Keyword(name, python_expression(parser, name)))


def _calls_in_scope(body: Iterable[nodes.Node]) -> Iterator[nodes.Call]:
    for node in body:
        # What stands in a finished part is not in this scope. The call of its call
        # block is.
        if part_of(node) is None or isinstance(node, nodes.CallBlock):
            yield from _calls_of(node)


def _calls_of(node: nodes.Node) -> Iterator[nodes.Call]:
    match node:
        case nodes.If():
            body = (node.test, *node.body, *node.elif_, *node.else_)
            yield from _calls_in_scope(body)
        case nodes.For():
            yield from _calls_of(node.iter)
        case nodes.With():
            yield from _calls_in_scope(node.values)
        case nodes.CallBlock():
            yield from _calls_of(node.call)
        case nodes.Output() | nodes.ExprStmt() | nodes.Assign() | nodes.Expr():
            if isinstance(node, nodes.Call):
                yield node
            yield from node.find_all(nodes.Call)
        case nodes.Include() | nodes.Import() | nodes.FromImport() | nodes.Extends():
            yield from _calls_of(node.template)


def mend(parser: Parser, body: list[nodes.Node]) -> None:
    """Replace what Jinja can't compile in a function that collects its output.

    The functions of macros and call blocks do. In these, Jinja 3.1 compiles two nodes
    to a `yield`, and the repr of a generator is printed: an `OverlayScope`, which only
    extensions make, and an `{% include %}` without context. (In an async environment,
    the latter works.)
    """
    _replace(_Mender(parser), body)


def _replace(transformer: NodeTransformer, body: list[nodes.Node]) -> None:
    # It changes the list in place.
    transformer.generic_visit(nodes.Scope(body))


class _BodyTransformer(NodeTransformer):
    """Visits a body, without the finished parts in it."""

    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        if part_of(node) is not None:
            return node
        return super().generic_visit(node, *args, **kwargs)


class _Mender(_BodyTransformer):
    def __init__(self, parser: Parser) -> None:
        self._parser = parser

    def visit_Include(self, node: nodes.Include) -> nodes.Node:
        if node.with_context or self._parser.environment.is_async:
            return node
        options: list[nodes.Expr] = [
            nodes.Const(self._parser.name),
            nodes.Const(node.ignore_missing),
        ]
        included = filter_call(node.template, INCLUDE, options)
        printed = nodes.FilterBlock([], included, lineno=node.lineno)
        # It is never run, and tells `jinja2.meta` which template is included.
        node.with_context = True
        return nodes.If(nodes.Const(False), [node], [], [printed], lineno=node.lineno)

    def visit_OverlayScope(self, node: nodes.OverlayScope) -> list[nodes.Node]:
        self.generic_visit(node)
        text = self._parser.free_identifier()
        node.body = [nodes.AssignBlock(text, None, node.body, lineno=node.lineno)]
        printed = filter_call(text, TEXT, [])
        return [node, nodes.FilterBlock([], printed, lineno=node.lineno)]


class _OwnScopeVisitor(_BodyTransformer):
    """Visits the body, without the bodies of macros, call blocks and blocks in it."""

    def visit_Block(self, node: nodes.Block) -> nodes.Node:
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        node.defaults = [self.visit(default) for default in node.defaults]
        return node

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:
        node.call = self.visit(node.call)
        node.defaults = [self.visit(default) for default in node.defaults]
        return node


class _NameUse(_OwnScopeVisitor):
    """Finds out whether the body reads a name, and whether it sets it.

    Args:
        name: The name.

    Attributes:
        is_read: Whether it is read.
        is_set: Whether it is set.
        lineno: The line where it is set.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.is_read = self.is_set = False
        self.lineno = 0

    def visit_Name(self, node: nodes.Name) -> nodes.Node:
        if node.name == self._name:
            self.is_read |= node.ctx == "load"
            if node.ctx != "load":
                self.is_set = True
                self.lineno = node.lineno
        return node


class _Renamer(_OwnScopeVisitor):
    """Replaces a name in the body.

    Args:
        name: The name.
        new: What to write instead.
    """

    def __init__(self, name: str, new: nodes.InternalName) -> None:
        self._name = name
        self._new = new

    def visit_Name(self, node: nodes.Name) -> nodes.Node:
        return self._new if node.name == self._name else node
