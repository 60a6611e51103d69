"""Contexts note which variables a body reads."""

from collections.abc import Callable
from typing import Any

import pytest
from jinja2 import DictLoader, Environment, pass_context

from jinja_fragcache import guard_variables
from jinja_fragcache.engine.dependencies import Dependencies
from jinja_fragcache.frameworks.variables import note_variables


def test_contexts_note_their_variables_once() -> None:
    environment = Environment()
    note_variables(environment)
    kind = environment.context_class
    note_variables(environment)
    assert environment.context_class is kind


@pytest.mark.parametrize(
    ("ask", "is_noted"),
    [
        (lambda context: context.get_all(), True),
        (lambda context: context.items(), True),
        (lambda context: list(context.values()), True),
        (lambda context: context.name, False),
    ],
)
def test_a_function_that_takes_all_variables_reads_each(
    ask: Callable[[Any], object], is_noted: bool
) -> None:
    guard_variables("a_tenant")
    templates = {"page": "{{ ask() }}{% include 'part' %}", "part": "part"}
    environment = Environment(loader=DictLoader(templates), autoescape=True)
    note_variables(environment)
    environment.globals["ask"] = pass_context(ask)
    with Dependencies() as body:
        environment.get_template("page").render(a_tenant="ann")
    assert ("a_tenant" in body.reads) is is_noted
