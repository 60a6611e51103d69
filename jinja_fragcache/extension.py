"""The cache tag: from its arguments and body to the nodes that Jinja compiles.

What `{% cache 300, "sidebar" %} ... {% endcache %}` becomes, written as a template:

    {% set missed = [] %}
    {{ the text of the store, or nothing and a Miss in `missed` }}
    {% if missed %}{% call render(missed) %} ... {% endcall %}{% endif %}

So a hit costs one call and builds nothing, and the body is compiled as any call block.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import NoReturn

from jinja2 import Environment, nodes
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.nativetypes import NativeCodeGenerator
from jinja2.parser import Parser
from jinja2.utils import internalcode

from .body import (
    check_loop_control,
    depends_on_page,
    keep_macro_names,
    mend_includes,
    names_from_outside,
)
from .errors import KeyValueError, PolicyError, TimeoutValueError
from .fragments import FragmentCache
from .keys import default_fragment_name, make_template_fragment_key
from .policy import normalize_window
from .runtime import (
    DELETE,
    FILTERS,
    IS_ESCAPED,
    LOOK_UP,
    LOOK_UP_VARIED,
    NOTE_PRINTING,
    Miss,
)
from .scan import SITE, TAG, Site, mark_sites
from .tag import Arguments, example, parse_arguments
from .timeouts import normalize_timeout


class FragmentCacheExtension(Extension):
    """Adds `{% cache %}` to an environment.

    `Environment(extensions=[FragmentCacheExtension])` is all that it needs: the
    environment's `fragment_cache` is then a `FragmentCache` that keeps fragments in
    this process. Assign another one, or a store, to keep them elsewhere.
    """

    tags = {TAG}  # noqa: RUF012 - this is how Jinja declares it
    # Behind other extensions, so that the tag is this one's if another has it too, as
    # Flask-Caching's has, and so that the tokens are read as others leave them.
    priority = 1000

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        if not hasattr(environment, "fragment_cache"):
            environment.extend(fragment_cache=FragmentCache())
        environment.filters.update(FILTERS)

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        """Mark where the template's cache tags stand. Called by Jinja."""
        return mark_sites(stream)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Parse a cache tag to its end. Called by Jinja."""
        line = next(parser.stream).lineno
        # Put there by filter_stream.
        site = Site.from_text(parser.stream.expect(SITE).value)
        arguments = parse_arguments(parser)
        look_up = _LookUp(parser, line, site, arguments)
        body = parser.parse_statements(("name:endcache",), drop_needle=True)
        check_loop_control(parser, body)
        self._check_environment(parser, line)
        fragment = self._fragment(parser, look_up, body)
        if site.may_not_print:
            fragment = _if_printing(parser, fragment)
        return [node.set_lineno(line) for node in fragment]

    def _check_environment(self, parser: Parser, line: int) -> None:
        if issubclass(self.environment.code_generator_class, NativeCodeGenerator):
            parser.fail(
                "The cache tag keeps text, and a NativeEnvironment renders Python"
                " values. Use it in a jinja2.Environment.",
                line,
            )

    def _fragment(
        self, parser: Parser, look_up: "_LookUp", body: list[nodes.Node]
    ) -> list[nodes.Node]:
        missed = parser.free_identifier()
        by_page = depends_on_page(body)
        if not self.environment.is_async:
            mend_includes(parser, body)
        seen = [nodes.ExprStmt(name) for name in names_from_outside(body)]
        method = "_render_async" if self.environment.is_async else "_render"
        return [
            # Never run; it makes the names known where the tag stands.
            nodes.If(nodes.Const(None), seen, [], []),
            *look_up.preparation,
            nodes.Assign(missed, nodes.List([])),
            # A filter block writes what its filter gives without escaping or
            # finalizing it again.
            nodes.FilterBlock([], look_up.filter(missed, by_page=by_page)),
            nodes.If(
                missed,
                [
                    *keep_macro_names(parser, body),
                    nodes.CallBlock(self.call_method(method, [missed]), [], [], body),
                ],
                [],
                [],
            ),
        ]

    @staticmethod
    @internalcode
    def _render(missed: list[Miss], caller: Callable[[], str]) -> str:
        cache, flow = missed[0]
        return str(cache.run(flow, caller))

    @staticmethod
    @internalcode
    async def _render_async(
        missed: list[Miss], caller: Callable[[], Awaitable[str]]
    ) -> str:
        cache, flow = missed[0]
        return str(await cache.run_async(flow, caller))


def _if_printing(parser: Parser, fragment: list[nodes.Node]) -> list[nodes.Node]:
    """Wrap a fragment so that it does nothing where Jinja prints nothing.

    Only output of the template's own is skipped there, and only the compiler knows
    where that is. So a piece of output is put there, and looked at.
    """
    printing = parser.free_identifier()
    mark = nodes.Output([nodes.TemplateData("printing")])
    return [
        nodes.Assign(printing, nodes.List([])),
        nodes.FilterBlock([mark], _filter(None, NOTE_PRINTING, [printing])),
        nodes.If(printing, fragment, [], []),
    ]


class _LookUp:
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
        self._vary_on = arguments.vary_on
        self._timeout = self._decide_timeout(arguments.timeout)
        self._windows = [
            self._decide_window("stale", arguments.stale),
            self._decide_window("stale_if_error", arguments.stale_if_error),
        ]
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
            self._version: str | None = site.digest
        else:
            self._name = arguments.name
            self._version = None

    def filter(self, missed: nodes.Expr, *, by_page: bool) -> nodes.Filter:
        """Make the call that looks the fragment up."""
        key = nodes.Const(None if by_page else self._constant_key())
        # Whether the body's text is escaped is decided where it is compiled, by the
        # template's own state, and not by the one of the page that is rendered. This
        # compiles to a constant there, or to a look at the state if it can change.
        escaped = _filter(nodes.TemplateData(""), IS_ESCAPED, [])
        version = nodes.Const(self._version)
        seconds_known = (
            isinstance(self._timeout, nodes.Const) and self._timeout.value != DELETE
        )
        has_windows = any(
            not isinstance(window, nodes.Const) or window.value is not None
            for window in self._windows
        )
        is_plain = self._unless is None and not has_windows
        if key.value is not None and seconds_known and is_plain:
            return _filter(key, LOOK_UP, [missed, escaped, self._timeout, version])
        arguments = [
            missed,
            escaped,
            self._unless_not(self._timeout),
            version,
            self._unless_not(self._name),
            self._unless_not(self._vary_on),
            nodes.Const(by_page),
            self._unless or nodes.Const(None),
            nodes.Const((self._parser.name, self._line)),
        ]
        if has_windows:
            arguments += [self._unless_not(window) for window in self._windows]
        return _filter(key, LOOK_UP_VARIED, arguments)

    def _unless_not(self, value: nodes.Expr) -> nodes.Expr:
        """Leave an argument alone where `unless` is true: it may be undefined there."""
        if self._unless is None or isinstance(value, nodes.Const):
            return value
        return nodes.CondExpr(self._unless, nodes.Const(None), value)

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

    def _fail(self, message: str) -> NoReturn:
        self._parser.fail(message, self._line)


def _filter(
    value: nodes.Expr | None, name: str, arguments: list[nodes.Expr]
) -> nodes.Filter:
    return nodes.Filter(value, name, arguments, [], None, None)
