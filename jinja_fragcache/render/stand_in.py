"""What stands for a value that a template must not use where it is."""

from collections.abc import Callable
from typing import Any, NoReturn


class StandIn:
    """Stands for a value. Every use of it raises an error.

    Args:
        error: Makes the error.
    """

    def __init__(self, error: Callable[[], Exception]) -> None:
        object.__setattr__(self, "_error", error)

    def _fail(self, *_: Any) -> NoReturn:
        make: Callable[[], Exception] = object.__getattribute__(self, "_error")
        error = make()
        raise error

    def __getattribute__(self, name: str) -> Any:
        """Raise the error."""
        # Jinja reads `__class__` to see whether the object has to be awaited.
        return StandIn if name == "__class__" else StandIn._fail(self)

    __getitem__ = __call__ = __str__ = __repr__ = __html__ = _fail
    __iter__ = __len__ = __bool__ = __eq__ = __ne__ = __hash__ = __lt__ = __gt__ = _fail
    __add__ = __radd__ = __mod__ = __contains__ = __int__ = __float__ = _fail
