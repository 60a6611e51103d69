"""Reads the signatures of functions without evaluating their annotations."""

import inspect
import sys
from collections.abc import Callable
from typing import Any

if sys.version_info >= (3, 14):  # pragma: no cover - earlier ones run the rest
    # Where annotations are evaluated when they are asked for, they may name what is
    # imported for type checkers only.
    import annotationlib

    def signature_of(function: Callable[..., Any]) -> inspect.Signature:
        """Return the signature of a function, with its annotations as texts.

        Raises:
            TypeError: If it is no function.
            ValueError: If it has no signature, as some that are written in C.
        """
        return inspect.signature(
            function, annotation_format=annotationlib.Format.STRING
        )

else:

    def signature_of(function: Callable[..., Any]) -> inspect.Signature:
        """Return the signature of a function, with its annotations as they are.

        Raises:
            TypeError: If it is no function.
            ValueError: If it has no signature, as some that are written in C.
        """
        return inspect.signature(function)
