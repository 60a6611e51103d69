"""Compile time of `vary_on="auto"`: what the body reads becomes the key values."""

from collections.abc import Iterable

from jinja2 import Environment, nodes
from jinja2.lexer import Token
from jinja2.parser import Parser

from jinja_fragcache.reads.arguments import written
from jinja_fragcache.reads.marks import marking
from jinja_fragcache.reads.needing import needs_of_tags
from jinja_fragcache.reads.needs import HERE, from_text, to_text
from jinja_fragcache.reads.outlining import outline_of_tokens
from jinja_fragcache.render.environment import Site
from jinja_fragcache.render.functions import AUTO_VALUES, load
from jinja_fragcache.render.needed import problem_with

from .filter_call import filter_call


def needs_in(
    environment: Environment, tokens: Iterable[Token]
) -> dict[tuple[int, int], str]:
    """Return what the bodies of a template's tags need, if it can be parsed.

    Args:
        environment: The environment of the template.
        tokens: The tokens of the template.

    Returns:
        The needs of each tag with `vary_on="auto"`, by its line and its position there.
    """
    outline = outline_of_tokens(tokens, None, marking(environment))
    needs = {} if outline is None else needs_of_tags(outline)
    return {place: to_text(each) for place, each in needs.items()}


def auto_values(
    parser: Parser, text: str | None, site: Site, given: nodes.Expr
) -> nodes.Expr:
    """Return an expression for the key values of a tag with `vary_on="auto"`.

    Args:
        parser: The parser of the template.
        text: What the body needs; None if that is not known.
        site: Where the tag stands.
        given: The key values that the tag names.

    Raises:
        jinja2.TemplateSyntaxError: If it can't be known what the body reads.
    """
    template, line, *_ = site
    if text is None:
        problem = "the tag stands in one of another extension"
    else:
        problem = problem_with(parser.environment, template, from_text(text))
    if text is None or problem:
        shown = written(parser, 'cache 300, "row", item.id')
        parser.fail(
            f'vary_on="auto" can\'t tell what the body reads: {problem}. Write the key'
            f" values by hand, as in {shown}.",
            line,
        )
    needs = from_text(text)
    read = sorted({each.shown(): each for each in needs.values}.items())
    names = list(dict.fromkeys(each.name for _, each in read if each.place == HERE))
    own = tuple(
        (
            shown,
            each.name,
            names.index(each.name) if each.place == HERE else -1,
            each.steps,
            each.is_called,
        )
        for shown, each in read
    )
    here = nodes.Tuple([nodes.Name(name, "load") for name in names], "load")
    others = to_text(needs._replace(values=())) if needs.others else ""
    arguments: list[nodes.Expr] = [nodes.Const((site, own, others)), here]
    if others:
        arguments.append(nodes.DerivedContextReference())
    load(parser.environment, AUTO_VALUES)
    return filter_call(given, AUTO_VALUES, arguments)
