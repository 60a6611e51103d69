"""From the arguments of a cache tag to the call that looks its fragment up.

What can be decided while the template is compiled, is.
"""

from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.parser import Parser

from jinja_fragcache.engine.policy import normalize_window
from jinja_fragcache.errors import KeyValueError, PolicyError, TimeoutValueError
from jinja_fragcache.keys.fragment import (
    default_fragment_name,
    make_template_fragment_key,
    tag_names,
)
from jinja_fragcache.messages import describe
from jinja_fragcache.render.each import (
    ADD_ROW,
    ASK_FOR_ROW,
    LOOK_UP_KEYED_ROWS,
    LOOK_UP_ROWS,
)
from jinja_fragcache.render.lookup import (
    DELETE,
    IS_ESCAPED,
    LOOK_UP,
    LOOK_UP_KEYED,
    LOOK_UP_VARIED,
)
from jinja_fragcache.timeouts import normalize_timeout

from .arguments import Arguments, example
from .tag_sites import Site


class LookUp:
    """A tag's arguments, with all that can be decided before rendering decided.

    Raises:
        jinja2.TemplateSyntaxError: an argument is wrong whatever is rendered.
    """

    def __init__(
        self, parser: Parser, line: int, site: Site, arguments: Arguments
    ) -> None:
        self._parser = parser
        self._line = line
        self._eval_ctx = nodes.EvalContext(parser.environment, parser.name)
        self._source = (parser.name, site.digest, site.references)
        self._vary_on = arguments.vary_on
        self._timeout = self._decide_timeout(arguments.timeout)
        self._options = self._decide_options(arguments)
        self._unless: nodes.Expr | None = None
        #: What has to stand in front of the call.
        self.preparation: list[nodes.Node] = []
        if arguments.unless is not None:
            self._unless = parser.free_identifier()
            self.preparation = [nodes.Assign(self._unless, arguments.unless)]
        if arguments.name is None:
            template = parser.name or f"string-{site.digest}"
            default = default_fragment_name(template, line, site.position)
            self._name: nodes.Expr = nodes.Const(default)
            # One that is known by its place is bound to what stands there.
            self._options["template_digest"] = nodes.Const(True)  # noqa: FBT003 - its form
        else:
            self._name = arguments.name

    def call(
        self, missed: nodes.Expr, *, by_page: bool, more: list[nodes.Keyword]
    ) -> nodes.Filter:
        """Make the call that looks a fragment up.

        Args:
            missed: the list that a `Miss` is put into.
            by_page: whether the text depends on the page that is rendered.
            more: what else it is told.
        """
        key = nodes.Const(None if by_page else self._constant_key())
        options = dict(self._options)
        if by_page:
            options["by_page"] = nodes.Const(True)  # noqa: FBT003 - its form
        elif not (self._unless or more) and self._seconds_are_known():
            plain = self._plain_call(key, missed, options)
            if plain is not None:
                return plain
        keywords = [*self.keywords(options), *more]
        return filter_call(key, LOOK_UP_VARIED, [missed, *self.arguments()], keywords)

    def _plain_call(
        self, key: nodes.Const, missed: nodes.Expr, options: dict[str, nodes.Expr]
    ) -> nodes.Filter | None:
        """Make the call where nothing but the key has to be made; None elsewhere."""
        source = nodes.Const(self._source)
        arguments = [missed, escaped_here(), self._timeout]
        if key.value is None:
            if options:
                return None
            where = nodes.Const((self._parser.name, self._line))
            arguments += [source, where, self._vary_on]
            return filter_call(self._name, LOOK_UP_KEYED, arguments)
        if not options:
            return filter_call(key, LOOK_UP, [*arguments, nodes.Const(None), source])
        if options.keys() == {"template_digest"} and self._is_its_own_source():
            own = nodes.Const(self._source[1])
            return filter_call(key, LOOK_UP, [*arguments, own, nodes.Const(None)])
        return None

    def row_call(
        self,
        item: nodes.Expr,
        rows: nodes.Expr,
        *,
        by_page: bool,
        holes: list[int],
    ) -> nodes.Filter:
        """Make the call that adds a row to those of a list.

        Args:
            item: what the row is made of.
            rows: the list.
            by_page: as for `call`.
            holes: the numbers of the holes that its text may have.
        """
        if isinstance(self._name, nodes.Const):
            self._check_name(self._name.value)
        if self._has_plain_rows(by_page=by_page, holes=holes):
            return filter_call(self._vary_on, ADD_ROW, [rows, item])
        options = dict(self._options)
        if by_page:
            options["by_page"] = nodes.Const(True)  # noqa: FBT003 - its form
        keywords = self.keywords(options)
        if holes:
            keywords.append(nodes.Keyword("holes", nodes.Const(tuple(holes))))
        return filter_call(item, ASK_FOR_ROW, [rows, *self.arguments()], keywords)

    def rows_call(
        self,
        rows: nodes.Expr,
        lists: list[nodes.Expr],
        *,
        by_page: bool,
        holes: list[int],
    ) -> nodes.Filter:
        """Make the call that looks up the rows of a list.

        Args:
            rows: the list.
            lists: the lists that what was missed is put into, and what was found.
            by_page: as for `call`.
            holes: as for `row_call`.
        """
        if self._has_plain_rows(by_page=by_page, holes=holes):
            ends = [self._source, (self._parser.name, self._line)]
            arguments = [*lists, self._name, escaped_here(), self._timeout]
            arguments += map(nodes.Const, ends)
            return filter_call(rows, LOOK_UP_KEYED_ROWS, arguments)
        return filter_call(rows, LOOK_UP_ROWS, lists)

    def _has_plain_rows(self, *, by_page: bool, holes: list[int]) -> bool:
        """Tell whether the keys are all in which the rows differ."""
        return (
            isinstance(self._name, nodes.Const)
            and self._seconds_are_known()
            and not (self._options or self._unless or by_page or holes)
        )

    def arguments(self) -> list[nodes.Expr]:
        """Give what is handed over by place, behind the list that a `Miss` goes to."""
        where = nodes.Const((self._parser.name, self._line))
        source = nodes.Const(self._source)
        values = [self._timeout, source, where, self._name, self._vary_on]
        return [escaped_here(), *map(self._unless_not, values)]

    def keywords(self, options: dict[str, nodes.Expr]) -> list[nodes.Keyword]:
        """Give what is handed over by name."""
        given = {name: self._unless_not(value) for name, value in options.items()}
        if self._unless is not None:
            given["unless"] = self._unless
        return [nodes.Keyword(*each) for each in given.items()]

    def _unless_not(self, value: nodes.Expr) -> nodes.Expr:
        """Leave an argument alone where `unless` is true: it may be undefined there."""
        if self._unless is None or isinstance(value, nodes.Const):
            return value
        return nodes.CondExpr(self._unless, nodes.Const(None), value)

    def _seconds_are_known(self) -> bool:
        timeout = self._timeout
        return isinstance(timeout, nodes.Const) and timeout.value != DELETE

    def _is_its_own_source(self) -> bool:
        """Tell whether the entry is bound to the source of this one template."""
        told, (_, _, references) = self._options["template_digest"], self._source
        return isinstance(told, nodes.Const) and told.value is True and not references

    def _decide_options(self, arguments: Arguments) -> dict[str, nodes.Expr]:
        """Give the options that the tag has, but for those that are None."""
        decided = {
            "stale": self._decide_window("stale", arguments.stale),
            "stale_if_error": self._decide_window(
                "stale_if_error", arguments.stale_if_error
            ),
            "tags": self._decide_tags(arguments.tags),
            "version": arguments.version,
            "template_digest": self._decide_digest(arguments.template_digest),
        }
        return {
            name: value
            for name, value in decided.items()
            if value is not None
            and not (isinstance(value, nodes.Const) and value.value is None)
        }

    def _decide_tags(self, tags: nodes.Expr | None) -> nodes.Expr | None:
        if tags is None:
            return None
        try:
            return nodes.Const(tag_names(tags.as_const(self._eval_ctx)))
        except nodes.Impossible:
            return tags
        except KeyValueError as error:
            self._fail(str(error))

    def _decide_digest(self, told: nodes.Expr | None) -> nodes.Expr | None:
        if told is None:
            return None
        try:
            value = told.as_const(self._eval_ctx)
        except nodes.Impossible:
            return told
        if value is not None and not isinstance(value, bool):
            shown = example(self._parser, '300, "sidebar", template_digest=true')
            self._fail(
                f"template_digest can't be {describe(value)}. It is true or false."
                f" Write {shown}."
            )
        return nodes.Const(value)

    def _decide_timeout(self, timeout: nodes.Expr | None) -> nodes.Expr:
        if timeout is None:
            return nodes.Const(None)
        try:
            value = timeout.as_const(self._eval_ctx)
        except nodes.Impossible:
            return timeout
        if isinstance(value, str) and value == DELETE:
            return nodes.Const(DELETE)
        try:
            return nodes.Const(normalize_timeout(value))
        except TimeoutValueError as error:
            delete = example(self._parser, "'del', \"sidebar\"")
            name = example(self._parser, '300, "sidebar"')
            self._fail(
                f"{error} The name of a fragment stands second, as in {name}, and"
                f" {delete} deletes it."
            )

    def _decide_window(self, name: str, window: nodes.Expr | None) -> nodes.Expr:
        if window is None:
            return nodes.Const(None)
        try:
            return nodes.Const(normalize_window(name, window.as_const(self._eval_ctx)))
        except nodes.Impossible:
            return window
        except PolicyError as error:
            shown = example(self._parser, f'300, "sidebar", {name}=60')
            self._fail(f"{error} Write {shown}.")

    def _constant_key(self) -> str | None:
        try:
            name = self._name.as_const(self._eval_ctx)
            vary_on = self._vary_on.as_const(self._eval_ctx)
        except nodes.Impossible:
            return None
        try:
            return make_template_fragment_key(name, vary_on)
        except KeyValueError as error:
            self._fail(str(error))

    def _check_name(self, name: Any) -> None:
        try:
            make_template_fragment_key(name)
        except KeyValueError as error:
            self._fail(str(error))

    def _fail(self, message: str) -> NoReturn:
        self._parser.fail(message, self._line)


def escaped_here() -> nodes.Filter:
    """Make an expression that tells whether the text that stands here is escaped.

    That is decided where it is compiled, by the template's own state, and not by the
    one of the page that is rendered. This compiles to a constant there, or to a look at
    the state if it can change.
    """
    return filter_call(nodes.TemplateData(""), IS_ESCAPED, [])


def filter_call(
    value: nodes.Expr | None,
    name: str,
    arguments: list[nodes.Expr],
    keywords: list[nodes.Keyword] | None = None,
) -> nodes.Filter:
    """Make a call of one of the functions in `runtime`."""
    return nodes.Filter(value, name, arguments, keywords or [], None, None)
