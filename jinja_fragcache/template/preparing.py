"""Gives an environment what its compiled templates need, and what compiles them.

It is imported with the first environment that gets the extension. To import the
extension's class alone takes less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2.compiler import CodeGenerator

from jinja_fragcache.engine.tags import cache_tag
from jinja_fragcache.frameworks.loading import watch_frameworks
from jinja_fragcache.render.autoescape import AUTOESCAPE_FUNCTIONS
from jinja_fragcache.render.functions import register
from jinja_fragcache.render.lookup import FRAGMENT_FUNCTIONS
from jinja_fragcache.render.options import OPTIONS_FUNCTIONS
from jinja_fragcache.render.output import OUTPUT_FUNCTIONS
from jinja_fragcache.render.renderings import let_templates_read_ahead

from .code_generator import FragmentCodeGenerator

if TYPE_CHECKING:
    from jinja2 import Environment


def prepare(environment: Environment) -> None:
    """Prepare an environment for templates with cache tags, but for its cache."""
    if environment.code_generator_class is CodeGenerator:
        environment.code_generator_class = FragmentCodeGenerator
    register(
        environment,
        {
            **FRAGMENT_FUNCTIONS,
            **OPTIONS_FUNCTIONS,
            **OUTPUT_FUNCTIONS,
            **AUTOESCAPE_FUNCTIONS,
        },
    )
    environment.globals.setdefault("cache_tag", cache_tag)
    let_templates_read_ahead(environment)
    watch_frameworks()
