"""Modules that are imported when something of them is first used.

An `import` in a function does the same. But each time that it is run, it takes as long
as half a hit. So this is for functions that a page calls often, once it needs the
module:

    if TYPE_CHECKING:
        from . import reporting
    else:
        reporting = LateModule(".reporting", __package__)
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class LateModule:
    """Stands for a module, which the first read of an attribute imports.

    Each attribute is read from the module once. Threads may do that at the same time.

    Args:
        name: The name of the module, as for `import_module`.
        package: The package that the name is relative to; None if it is to none.
    """

    def __init__(self, name: str, package: str | None = None) -> None:
        self.__name__ = name
        self.__package__: Any = package

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the module, and keep it.

        Raises:
            AttributeError: If the module has none of this name.
        """
        if name.startswith("__"):
            # Tools look for such names in all that a module has.
            raise AttributeError(name)
        value = getattr(import_module(self.__name__, self.__package__), name)
        self.__dict__[name] = value
        return value
