"""Packages that only some stores need."""

from importlib import import_module
from typing import Any

from jinja_fragcache.errors import StoreError


def import_optional(module: str, extra: str) -> Any:
    """Import a module of a package that is an optional dependency.

    Args:
        module: The full name of the module.
        extra: The extra of this package that installs it.

    Raises:
        StoreError: If it is not installed. The message says how to install it.
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
