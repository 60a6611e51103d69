"""What the engine asks of a web framework: what is read of its requests."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Framework(Protocol):
    """What tells of a web framework's requests."""

    def watch(self, context: Any) -> None:
        """Let what is read of the current request be noted.

        It is called when a body begins, so it has to be cheap where nothing is to do.

        Args:
            context: The context of the template that is being rendered, or None.
        """
        ...

    @property
    def request(self) -> Callable[[], object] | None:
        """Returns what is the current request's alone, None if there is no request.

        It is None if that is never known without the context of a template.
        """
        ...

    def note_variable(self, name: str, value: Any, context: Any) -> None:
        """Note a read if a template's variable differs between requests.

        Args:
            name: The name of the variable.
            value: Its value.
            context: The context that has it.
        """
        ...

    def note_missing(self, name: str, context: Any) -> None:
        """Note a read if a template lacks a variable that other requests may have.

        Args:
            name: The name of the variable.
            context: The context that does not have it.
        """
        ...

    def told_by(self, name: str) -> Iterable[str]:
        """Return the dotted names of all that a name in a key tells.

        Args:
            name: A dotted name, such as `request.user_agent.string`.
        """
        ...

    def value_of(self, name: str, context: Any) -> Any:
        """Return what a read of a dotted name gives in the current request.

        Args:
            name: The name.
            context: As for `watch`.

        Raises:
            LookupError: If that is not known.
        """
        ...

    def apart(
        self, *, blocking: bool
    ) -> Callable[[], AbstractContextManager[Any]] | None:
        """Return what makes the surroundings of a body that is made for no request.

        It is called in the request that needs the body, and what it returns is called
        where the body runs, in a copy of the context variables.

        Args:
            blocking: Whether that is another thread, not a task.

        Returns:
            None if a body can't be made apart from the current request.
        """
        ...
