"""A bound to the number of names, for metrics that keep numbers for each."""

import threading

from jinja_fragcache.forks import free_after_fork

#: How many names metrics keep apart, if nothing else is said.
MOST_NAMES = 200
#: The name of all others.
OTHER = "(other)"


class Names:
    """Keeps the first names apart, and calls all others by one name.

    A name may be made of a variable, so there may be any number of them.

    Args:
        most: How many names to keep apart in this process.

    Raises:
        ValueError: If that is no number from 0.
    """

    def __init__(self, most: int = MOST_NAMES) -> None:
        if type(most) is not int or most < 0:
            raise ValueError(
                f"most_names is a whole number from 0 and got {most!r}. Write"
                f" most_names={MOST_NAMES}."
            )
        self._most = most
        self._known: set[str] = set()
        self._lock = free_after_fork(threading.Lock())

    def bounded(self, name: str) -> str:
        """Return a name, or that of all others if there are too many."""
        if name in self._known:
            return name
        with self._lock:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(name)
        return name
