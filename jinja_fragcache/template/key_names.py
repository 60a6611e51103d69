"""The names that a key's expressions have, for the guard.

`user.id`, `request.args["page"]` and `session.get("cart")` name `user.id`,
`request.args.page` and `session.cart`. An expression names only what its value tells:
`session|length` names nothing, since two sessions may have the same length. (Its value
may still cover what gave it, see `guard.reads`.)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from jinja2 import nodes

from jinja_fragcache.reads.arguments import Arguments
from jinja_fragcache.reads.telling import dotted_name, told_by, told_if_false, whose
from jinja_fragcache.render.tag_guard import JOINED


def guard_names(arguments: Arguments) -> str:
    """Return what the tag's key, and its `unless`, name."""
    given = [arguments.name, arguments.vary_on, arguments.version]
    expressions = [
        each for each in given if each is not None and not _is_constant(each)
    ]
    names = key_names(expressions)
    names += [JOINED + name for name in joined_names(expressions, names)]
    if arguments.unless is not None:
        names += names_if_false(arguments.unless)
    if arguments.name is None:
        # The key has the template, which most often belongs to one page. But it may be
        # a layout, so the entry keeps the page.
        names += ["~request.blueprint", "~request.endpoint"]
    # A name with white space is that of an item. Its value may cover the read of it.
    return " ".join([name for name in names if not any(c in name for c in " \n\t|")])


def _is_constant(node: nodes.Expr) -> bool:
    """Return whether an expression names nothing, as most names, and no key values."""
    return isinstance(node, nodes.Const) or (
        isinstance(node, nodes.List) and not node.items
    )


def key_names(expressions: Iterable[nodes.Expr]) -> list[str]:
    """Return the dotted names in expressions, each once, in their order."""
    return _names(part for each in expressions for part in told_by(each))


def joined_names(
    expressions: Iterable[nodes.Expr], alone: Collection[str]
) -> list[str]:
    """Return the dotted names of what stands in expressions only joined with others.

    `a ~ "-" ~ b` may be the same text for other values of both.

    Args:
        expressions: The expressions.
        alone: Their `key_names`.
    """
    told = (part for each in expressions for part in told_by(each, joined=True))
    return [name for name in _names(told) if name not in alone]


def _names(told: Iterable[nodes.Expr]) -> list[str]:
    found = [name for each in told if (name := dotted_name(each)) is not None]
    return list(dict.fromkeys(found))


def names_if_false(condition: nodes.Expr) -> list[str]:
    """Return the dotted names of what is the same wherever a condition is false.

    Where `unless=current_user.is_authenticated` is false, nobody is logged in. Where
    `unless=not current_user.is_anonymous` is, neither.
    """
    names = (dotted_name(each) for each in told_if_false(condition))
    return [whose(name) for name in names if name is not None]
