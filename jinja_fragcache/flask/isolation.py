"""Lets an application use other caches for a while, in a test."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from flask import Flask

from jinja_fragcache.cache import FragmentCache

from .app_setup import EXTENSION
from .cache import STORES
from .signals import SignalListener
from .value_store import ValueStore


@contextmanager
def replaced_caches(
    app: Flask, make: Callable[..., FragmentCache]
) -> Iterator[list[FragmentCache]]:
    """Replace all caches of an application in the `with` block.

    Nothing is asked of the caches that are replaced, so none of them decides meanwhile
    whether it caches in testing mode.

    Args:
        app: The application.
        make: Gets a cache, and returns the one to use.

    Yields:
        The caches to use. That of the templates, if there is one, comes first.
    """
    environment: Any = app.jinja_env
    of_templates = getattr(environment, "fragment_cache", None)
    caches, stores = app.extensions[EXTENSION], app.extensions[STORES]
    before = dict(caches), dict(stores)
    used: list[FragmentCache] = []
    for cache, app_cache in before[0].items():
        made, signals = make(app_cache.fragment_cache), SignalListener(app, cache)
        signals.watch(made)
        caches[cache] = replace(
            app_cache, fragment_cache=made, kept_alive=(signals, *app_cache.kept_alive)
        )
        stores[cache] = ValueStore(caches[cache])
        if app_cache.fragment_cache is of_templates:
            environment.fragment_cache = made
            used.insert(0, made)
        else:
            used.append(made)
    try:
        yield used
    finally:
        caches.update(before[0])
        stores.update(before[1])
        if of_templates is not None:
            environment.fragment_cache = of_templates
