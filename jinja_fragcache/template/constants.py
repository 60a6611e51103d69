"""The arguments of a tag, as far as they are constant: checked, and decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.parser import Parser

from jinja_fragcache.engine.policy import normalize_grace
from jinja_fragcache.errors import (
    FragmentCacheError,
    KeyValueError,
    PolicyError,
    TimeoutValueError,
)
from jinja_fragcache.keys.fragment import make_template_fragment_key, tag_names
from jinja_fragcache.messages import describe
from jinja_fragcache.reads.arguments import Arguments, example, fail_for
from jinja_fragcache.render.options import DELETE
from jinja_fragcache.timeouts import normalize_timeout

#: Stands for a value that only rendering tells.
UNDECIDED = object()
# How options are written, for errors.
_EXAMPLES = {
    "stale": "60",
    "stale_if_error": "60",
    "tags": '["posts"]',
    "template_digest": "true",
}


class Constants:
    """Decides the constant arguments of a tag.

    Its methods raise a `jinja2.TemplateSyntaxError` for what is wrong.

    Args:
        parser: Parses the template.
        line: The line of the tag.
    """

    def __init__(self, parser: Parser, line: int) -> None:
        self._parser = parser
        self._line = line
        self._eval_ctx = nodes.EvalContext(parser.environment, parser.name)

    def value(self, given: nodes.Expr) -> Any:
        """Return the value of an expression, `UNDECIDED` if only rendering tells it."""
        if isinstance(given, nodes.Const):
            return given.value
        try:
            return given.as_const(self._eval_ctx)
        except nodes.Impossible:
            return UNDECIDED

    def decided(
        self,
        given: nodes.Expr,
        decide: Callable[[Any], Any],
        right: str | None = None,
    ) -> nodes.Expr:
        """Return the decided value of a constant argument, else the argument itself.

        Args:
            given: The argument.
            decide: Checks its value, and returns it in the form that it is used in.
            right: How the option should be written, for the error.
        """
        value = self.value(given)
        if value is UNDECIDED:
            return given
        try:
            return nodes.Const(decide(value))
        except PolicyError as error:
            shown = example(self._parser, f'300, "sidebar", {right}')
            self.fail(f"{error} Write {shown}.")
        except FragmentCacheError as error:
            self.fail(str(error))
        except Exception as error:  # noqa: BLE001 - the value is the template's
            self._fail_for(error)

    def timeout(self, timeout: nodes.Expr | None) -> nodes.Expr:
        """Like `decided`, for the timeout, which may be `'del'`."""
        if timeout is None:
            return nodes.Const(None)
        value = self.value(timeout)
        if value is UNDECIDED:
            return timeout
        if isinstance(value, str) and value == DELETE:
            return nodes.Const(DELETE)
        try:
            return nodes.Const(normalize_timeout(value))
        except TimeoutValueError as error:
            delete = example(self._parser, "'del', \"sidebar\"")
            name = example(self._parser, '300, "sidebar"')
            self.fail(
                f"{error} The name of a fragment stands second, as in {name}, and"
                f" {delete} deletes it."
            )
        except Exception as error:  # noqa: BLE001 - the value is the template's
            self._fail_for(error)

    def options(self, arguments: Arguments) -> dict[str, nodes.Expr]:
        """Return the options that the tag has, without those that are None."""
        decide: dict[str, Callable[[Any], Any]] = {
            "stale": lambda value: normalize_grace("stale", value),
            "stale_if_error": lambda value: normalize_grace("stale_if_error", value),
            "tags": tag_names,
            "template_digest": _checked_digest,
        }
        options = {}
        for name in (*decide, "version"):
            given = getattr(arguments, name)
            if given is not None and name in decide:
                given = self.decided(given, decide[name], f"{name}={_EXAMPLES[name]}")
            if given is not None and not _is_none(given):
                options[name] = given
        return options

    def key(self, name: nodes.Expr, vary_on: nodes.Expr) -> str | None:
        """Return the key of a name and key values, None if one is `UNDECIDED`."""
        parts = [self.value(name), self.value(vary_on)]
        if any(each is UNDECIDED for each in parts):
            return None
        try:
            return make_template_fragment_key(*parts)
        except KeyValueError as error:
            self.fail(str(error))
        except Exception as error:  # noqa: BLE001 - the values are the template's
            self._fail_for(error)

    def fail(self, message: str) -> NoReturn:
        """Raise an error that tells the line of the tag.

        Raises:
            jinja2.TemplateSyntaxError: Always.
        """
        self._parser.fail(message, self._line)

    def _fail_for(self, error: Exception) -> NoReturn:
        fail_for(self._parser, error, self._line)


def _checked_digest(value: Any) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise PolicyError("template_digest", describe(value), "true or false")
    return value


def _is_none(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Const) and node.value is None
