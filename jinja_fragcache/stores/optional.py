"""Packages that only some stores need."""

from importlib import import_module
from typing import Any

from jinja_fragcache.errors import StoreError


def need(module: str, extra: str) -> Any:
    """Give a module of a package that is an extra of this one.

    Args:
        module: the module's full name.
        extra: which extra of this package brings it.

    Raises:
        StoreError: it is not installed. What installs it is told.
    """
    package = module.partition(".")[0]
    try:
        import_module(package)
        return import_module(module)
    except ImportError:
        raise StoreError(
            f"The package {package} is needed and is not installed."
            f" Install it with pip install 'jinja-fragcache[{extra}]'."
        ) from None
