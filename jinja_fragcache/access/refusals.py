"""What was refused already, so that the log names each refused entry once.

One look-up reads an entry several times: before its flight, in it, and again behind the
lock. And all entries may be refused at once, as after a new signing key.
"""

from collections.abc import Callable

from jinja_fragcache.keys.digests import shortened
from jinja_fragcache.messages import logger
from jinja_fragcache.remembered import Remembered

_MOST, _MOST_BYTES = 10_000, 2_000_000
#: Seconds, and how many refusals the log names in these.
LOG_SECONDS, MOST_LOGGED = 60, 10


class Refusals:
    """Remembers what was refused, by keys, and how much of it was logged.

    Args:
        clock: Returns the time, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._refused: Remembered[str, int] = Remembered(_MOST, _MOST_BYTES)
        self._logged = 0
        self._began = clock()

    def is_new(self, key: str, stored: object) -> bool:
        """Return whether what is stored under a key is refused for the first time.

        Args:
            key: The key.
            stored: What is stored there, and was refused.
        """
        name = shortened(key)
        text = hash(stored if isinstance(stored, str | bytes) else repr(stored))
        if self._refused.get(name) == text:
            return False
        self._refused.add(name, text)
        return True

    def replaced(self, key: str) -> None:
        """Note that something else is written under a key."""
        name = shortened(key)
        if name in self._refused:
            self._refused.forget(name)

    def may_log(self) -> bool:
        """Return whether the log may name one more refusal now.

        The first one that it may not name is followed by a line that says so.
        """
        now = self._clock()
        if not 0 <= now - self._began < LOG_SECONDS:  # A clock may be set back.
            self._began, self._logged = now, 0
        self._logged += 1
        if self._logged == MOST_LOGGED + 1:
            logger.warning(
                "More entries are refused. For up to %d seconds, they are counted"
                " (stats().failures), but no longer logged one by one.",
                LOG_SECONDS,
            )
        return self._logged <= MOST_LOGGED
