"""From the arguments of a cache tag to the call that looks its fragment up.

Everything that constant arguments decide is decided here, while the template is
compiled.
"""

from __future__ import annotations

from typing import Any

from jinja2 import nodes
from jinja2.parser import Parser

from jinja_fragcache.entries.entry import Body
from jinja_fragcache.keys.fragment import (
    default_fragment_name,
    make_template_fragment_key,
)
from jinja_fragcache.reads.arguments import Arguments, example
from jinja_fragcache.reads.html import DATA, UNKNOWN
from jinja_fragcache.render.functions import (
    ADD_ROW_WITH_OPTIONS,
    ADD_TO_ROWS,
    ROWS,
    ROWS_OF_ONE_VALUE,
    ROWS_WITH_OPTIONS,
)
from jinja_fragcache.render.lookup import (
    FRAGMENT,
    FRAGMENT_OF_ONE_VALUE,
    FRAGMENT_OF_PARTS,
    NAMED_FRAGMENT,
)
from jinja_fragcache.render.options import (
    DELETE,
    FRAGMENT_WITH_OPTIONS,
    TAGGED_FRAGMENT,
)
from jinja_fragcache.render.tag_guard import (
    AUTO,
    BACKGROUND,
    BOUND,
    FOREGROUND,
    IN_HTML,
    PARTS,
    PERHAPS_IN_HTML,
    UNVERIFIED,
    traits_of,
)

from .autoescape import escaped_here
from .constants import UNDECIDED, Constants
from .filter_call import filter_call
from .key_names import guard_names
from .set_above import read_above, told_above
from .tag_sites import Site

_TRUE: Any = True
# The options that are among the constants of a tag, if they are constant.
_GRACE = ("stale", "stale_if_error")
# What is said of where in HTML a tag stands; nothing where no comment may be.
_HTML_TRAITS = {DATA: [IN_HTML], UNKNOWN: [PERHAPS_IN_HTML]}


class LookupCall:
    """A tag's arguments, checked and decided as far as they are constant.

    Args:
        parser: Parses the template.
        line: The line of the tag.
        site: What is known of the tag's place.
        arguments: The tag's arguments.
        tag: The text of the tag, for messages (see `render.environment.Site`).
        by_page: Whether the text depends on the page that is rendered.
        holes: The numbers of the holes that the text may have.

    Attributes:
        preparation: The nodes to put before the call.

    Raises:
        jinja2.TemplateSyntaxError: If a constant argument is wrong.
    """

    def __init__(
        self,
        parser: Parser,
        line: int,
        site: Site,
        arguments: Arguments,
        tag: str,
        *,
        by_page: bool,
        holes: tuple[int, ...],
    ) -> None:
        self._parser = parser
        self._constants = Constants(parser, line)
        key, read = guard_names(arguments), site.names.replace(BOUND, "")
        names = PARTS.join(
            [
                told_above(key, site.above),
                site.names,
                self._allowed(arguments),
                "" if arguments.is_auto else read_above(key, read, site.above),
                self._traits(arguments, site.html),
            ]
        )
        whole = site.whole
        head = (parser.name, line, whole.digest, whole.references, names)
        self._site = (*head, tag)
        self._vary_on = arguments.vary_on
        if arguments.is_auto:
            from .auto import auto_values  # noqa: PLC0415 - few templates need it

            self._vary_on = auto_values(parser, site.needs, self._site, self._vary_on)
        self._timeout = self._constants.timeout(arguments.timeout)
        self._options = self._constants.options(arguments)
        self._grace = self._constant_grace()
        if by_page:
            self._options["by_page"] = nodes.Const(_TRUE)
        if holes:
            self._options["holes"] = nodes.Const(holes)
        self._unless: nodes.Expr | None = None
        self.preparation: list[nodes.Node] = []
        if arguments.unless is not None:
            self._unless = parser.free_identifier()
            unless = nodes.Assign(self._unless, arguments.unless, lineno=line)
            self.preparation = [unless]
        template = parser.name or f"string-{site.whole.digest}"
        if arguments.name is None:
            default = default_fragment_name(template, line, site.position)
            self._name: nodes.Expr = nodes.Const(default)
            # A fragment that is known by its place is bound to what stands there.
            self._options["template_digest"] = nodes.Const(_TRUE)
        else:
            self._name = arguments.name
        # Only a name that is known at render time may be another tag's by mistake.
        self._body: list[nodes.Expr] = []
        if self._constants.value(self._name) is UNDECIDED:
            self._body = [nodes.Const(Body(site.body, template).in_one())]

    def _constant_grace(self) -> tuple[int | None, int | None] | None:
        """Take the grace periods out of the options, if no other ones are to compute.

        Returns:
            As in `render.lookup.Spec`.
        """
        seconds: list[int | None] = []
        for name in _GRACE:
            given = self._options.get(name)
            if given is not None and not isinstance(given, nodes.Const):
                return None
            seconds.append(None if given is None else given.value)
        for name in _GRACE:
            self._options.pop(name, None)
        stale, stale_if_error = seconds
        return None if seconds == [None, None] else (stale, stale_if_error)

    def _allowed(self, arguments: Arguments) -> str:
        """Return what `allow` names, as the guard's names."""
        if arguments.allow is None:
            return ""
        allowed = self._constants.value(arguments.allow)
        if not isinstance(allowed, list | tuple) or not all(
            isinstance(each, str) and each.strip() for each in allowed
        ):
            shown = example(self._parser, '300, "sidebar", allow=["g.theme"]')
            self._constants.fail(f"allow is a list of constant texts. Write {shown}.")
        return " ".join(allowed)

    def _flag(self, given: nodes.Expr | None, name: str, right: str) -> bool | None:
        """Return the value of an option that is true or false, None if it is not given.

        Args:
            given: The option.
            name: Its name.
            right: A tag that has it, for the error.
        """
        if given is None:
            return None
        value = self._constants.value(given)
        if not isinstance(value, bool):
            shown = example(self._parser, right)
            self._constants.fail(
                f"{name} is true or false, as a constant. Write {shown}."
            )
        return value

    def _traits(self, arguments: Arguments, html: str) -> str:
        """Return the last part of the names in the tag's site."""
        behind = self._flag(
            arguments.background, "background", '300, "menu", stale=60, background=true'
        )
        verify = self._flag(arguments.verify, "verify", '300, "clock", verify=false')
        traits = [] if behind is None else [BACKGROUND if behind else FOREGROUND]
        traits += _HTML_TRAITS.get(html, [])
        if verify is False:
            traits.append(UNVERIFIED)
        if arguments.is_auto and isinstance(arguments.vary_on, nodes.List):
            traits.insert(0, f"{AUTO}{len(arguments.vary_on.items)}")
        return " ".join(traits)

    def fragment(self) -> nodes.Filter:
        """Return the call that looks a fragment up."""
        key = nodes.Const(
            None
            if "by_page" in self._options
            else self._constants.key(self._name, self._vary_on)
        )
        own = self._own_version()
        if key.value is not None and (own or self._is_plain()):
            return filter_call(key, FRAGMENT, [self._spec(own), escaped_here()])
        if self._is_plain():
            spec = [self._spec(), escaped_here()]
            value = self._only_value()
            if value is not None:
                return filter_call(self._name, FRAGMENT_OF_ONE_VALUE, [*spec, value])
            if isinstance(self._vary_on, nodes.List):
                parts = nodes.Tuple([self._name, *self._vary_on.items], "load")
                return filter_call(parts, FRAGMENT_OF_PARTS, spec + self._body)
            arguments = [*spec, self._vary_on, *self._body]
            return filter_call(self._name, NAMED_FRAGMENT, arguments)
        arguments = self._arguments()
        if self._is_plain(but="tags"):
            arguments += [self._options["tags"], *self._body]
            return filter_call(key, TAGGED_FRAGMENT, arguments)
        if key.value is not None and self._constants.value(self._vary_on) == []:
            # The name is in the key.
            del arguments[2:]
        return filter_call(key, FRAGMENT_WITH_OPTIONS, arguments, self._keywords())

    def row(self, item: nodes.Expr, rows: nodes.Expr) -> list[nodes.Filter]:
        """Return the calls that add a row to those of a list.

        Args:
            item: The row's item.
            rows: The list.
        """
        if BACKGROUND in traits_of(self._site):
            cache = example(self._parser, '300, "row", row.id, background=true')
            self._constants.fail(
                "The rows of a list are rendered by the caller, all of them in one go."
                f" Leave background out, or write {cache} in a loop."
            )
        if isinstance(self._name, nodes.Const):
            self._constants.decided(self._name, make_template_fragment_key)
        if self._has_plain_rows():
            added = item, self._only_value() or self._vary_on
            return [filter_call(rows, ADD_TO_ROWS, [each]) for each in added]
        arguments = [rows, *self._arguments()]
        keywords = self._keywords()
        return [filter_call(item, ADD_ROW_WITH_OPTIONS, arguments, keywords)]

    def rows(self, rows: nodes.Expr) -> nodes.Filter:
        """Return the call that looks up the rows of a list.

        Args:
            rows: The list.
        """
        if self._has_plain_rows():
            arguments = [self._spec(), escaped_here(), self._name]
            name = ROWS_OF_ONE_VALUE if self._only_value() else ROWS
            return filter_call(rows, name, arguments)
        keywords = []
        if "holes" in self._options:
            keywords = [nodes.Keyword("has_holes", nodes.Const(_TRUE))]
        arguments = [nodes.Const(self._site), escaped_here()]
        return filter_call(rows, ROWS_WITH_OPTIONS, arguments, keywords)

    def _has_plain_rows(self) -> bool:
        """Return whether the rows differ in their key values only."""
        return isinstance(self._name, nodes.Const) and self._is_plain()

    def _is_plain(self, but: str | None = None) -> bool:
        """Return whether at most the key has to be computed at render time.

        Args:
            but: The only option that the tag has, if it may have one.
        """
        timeout = self._timeout
        is_known = isinstance(timeout, nodes.Const) and timeout.value != DELETE
        has_options = [*self._options] != ([] if but is None else [but])
        return is_known and not (has_options or self._unless)

    def _only_value(self) -> nodes.Expr | None:
        """Return the key value of a tag with a constant name, if it has just one."""
        vary_on = self._vary_on
        if self._body or not isinstance(vary_on, nodes.List) or len(vary_on.items) != 1:
            return None
        return (
            vary_on.items[0] if type(self._constants.value(self._name)) is str else None
        )

    def _own_version(self) -> str | None:
        """Return the digest of this template, if that is all of the version."""
        digests = self._options.get("template_digest")
        own, references = self._site[2:4]
        is_bound = isinstance(digests, nodes.Const) and digests.value is True
        if not is_bound or references or len(self._options) > 1 or self._unless:
            return None
        timeout = self._timeout
        is_known = isinstance(timeout, nodes.Const) and timeout.value != DELETE
        return own if is_known else None

    def _spec(self, version: str | None = None) -> nodes.Expr:
        """Return an expression for `render.lookup.Spec`."""
        timeout = self._unless_not(self._timeout)
        if isinstance(timeout, nodes.Const):
            # One node, since each costs time wherever Jinja goes through the template.
            return nodes.Const((timeout.value, version, self._site, self._grace))
        rest = [nodes.Const(each) for each in (version, self._site, self._grace)]
        return nodes.Tuple([timeout, *rest], "load")

    def _arguments(self) -> list[nodes.Expr]:
        """Return the positional arguments after the key or the list of rows."""
        values = map(self._unless_not, (self._name, self._vary_on))
        return [self._spec(), escaped_here(), *values]

    def _keywords(self) -> list[nodes.Keyword]:
        """Return the keyword arguments."""
        given = {name: self._unless_not(each) for name, each in self._options.items()}
        if self._unless is not None:
            given["unless"] = self._unless
        if self._body:
            (given["body"],) = self._body
        return [nodes.Keyword(*each) for each in given.items()]

    def _unless_not(self, value: nodes.Expr) -> nodes.Expr:
        """Return an expression that is None if `unless` is true, else the argument.

        Then the argument is not evaluated: it may be undefined.
        """
        if self._unless is None or isinstance(value, nodes.Const):
            return value
        return nodes.CondExpr(self._unless, nodes.Const(None), value)
