"""Contexts note which variables a body reads."""

from jinja2 import Environment

from jinja_fragcache.frameworks.variables import note_variables


def test_contexts_note_their_variables_once() -> None:
    environment = Environment()
    note_variables(environment)
    kind = environment.context_class
    note_variables(environment)
    assert environment.context_class is kind
