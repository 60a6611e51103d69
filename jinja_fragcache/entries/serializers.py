"""Serializers, which turn values that are not strings into strings and back."""

import io
import json
import pickle
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from jinja_fragcache.errors import PolicyError, SerializationError
from jinja_fragcache.messages import (
    class_name,
    describe,
    describe_class,
    describe_error,
)

from .json_values import TypedJSON
from .values import Serializer


class PickleSerializer:
    """Pickles values: nearly any object. Who can write to the store can run code.

    Attributes:
        form: The name under which entries are stored.
    """

    form = "pickle"
    #: The class that pickles.
    pickler: type[pickle.Pickler] = pickle.Pickler

    def dumps(self, value: Any) -> str:
        """Return the pickled value in Base64.

        Raises:
            SerializationError: If the value can't be pickled.
        """
        pickled = io.BytesIO()
        try:
            self.pickler(pickled, pickle.HIGHEST_PROTOCOL).dump(value)
        except Exception as error:  # noqa: BLE001 - objects may raise anything
            raise _refusal(
                "{} can't be kept, since it can't be pickled: {}. Cache what it is made"
                " of instead.",
                value,
                error,
            ) from None
        return b64encode(pickled.getbuffer()).decode("ascii")

    def loads(self, text: str) -> Any:
        """Return the unpickled value.

        Raises:
            Exception: If it can't be unpickled.
        """
        return pickle.loads(b64decode(text, validate=True))  # noqa: S301 - users chose it


class JSONSerializer:
    """Writes values as JSON, and refuses those that would come back changed.

    Besides strings, numbers, booleans, None, lists, and dictionaries with string keys,
    it takes tuples, bytes, Markup, UUID, Decimal, date and datetime.

    Args:
        option: The option to change if a value is refused.

    Attributes:
        form: The name under which entries are stored.
    """

    form = "json"
    #: What writes and reads.
    json = TypedJSON()

    def __init__(self, option: str = "serializer") -> None:
        self._option = option

    def dumps(self, value: Any) -> str:
        """Return the value as JSON.

        Raises:
            SerializationError: If the value would come back changed.
        """
        try:
            text = self.json.dumps(value)
            unchanged = self.json.is_same(value, self.json.loads(text))
        except Exception:  # noqa: BLE001 - objects may raise anything
            unchanged = False
        if not unchanged:
            raise _refusal(
                "{} can't be kept as JSON: something in it has a type that JSON lacks,"
                " or a key is not a string. Cache a simpler value, or set"
                f" {self._option} to 'pickle'.",
                value,
            )
        return text

    def loads(self, text: str) -> Any:
        """Return the value of a JSON string.

        Raises:
            Exception: If it can't be read.
        """
        return self.json.loads(text)


class CustomSerializer:
    """Adapts a serializer of the user.

    Args:
        inner: An object with `dumps(value)`, which returns a string or bytes, and
            `loads(made)`.
        option: The option that it was given as.

    Attributes:
        form: The name under which entries are stored.
    """

    form = "own"

    def __init__(self, inner: Any, option: str = "serializer") -> None:
        self._inner = inner
        self._option = option

    def dumps(self, value: Any) -> str:
        """Return what the user's serializer made, marked as text or bytes.

        Raises:
            SerializationError: If the serializer raised, or made something else.
        """
        try:
            made = self._inner.dumps(value)
        except Exception as error:  # noqa: BLE001 - serializers may raise anything
            raise _refusal(
                f"{{}} can't be kept: {self._option} said {{}}.", value, error
            ) from None
        if isinstance(made, str):
            return f"text:{made}"
        if isinstance(made, bytes):
            return "bytes:" + b64encode(made).decode("ascii")
        # cachelib's serializers return None for values that they can't keep.
        message = (
            f"{{}} can't be kept: {self._option} made it {{}}, and not text or bytes."
        )
        raise SerializationError(
            message.format(describe(value), describe(made)),
            for_log=message.format(describe_class(value), describe_class(made)),
        )

    def loads(self, text: str) -> Any:
        """Return what the user's serializer reads.

        Raises:
            ValueError: If the string is marked neither as text nor as bytes.
            Exception: If the user's serializer can't read it.
        """
        kind, colon, made = text.partition(":")
        if kind + colon == "text:":
            return self._inner.loads(made)
        if kind + colon == "bytes:":
            return self._inner.loads(b64decode(made, validate=True))
        raise ValueError("it is neither text nor bytes of a serializer")


def _refusal(
    message: str, value: Any, error: Exception | None = None
) -> SerializationError:
    """Return an error.

    Args:
        message: The message, with `{}` where the value and the error stand.
        value: The value. Logs show its class only.
        error: What was raised. Logs show its class only, because it may show the value.
    """
    shown, logged = [describe(value)], [describe_class(value)]
    if error is not None:
        shown.append(describe_error(error))
        logged.append(class_name(error))
    return SerializationError(message.format(*shown), for_log=message.format(*logged))


_ALLOWED = "'pickle', 'json', or an object with dumps(value) and loads(made)"


def make_serializer(
    given: Any,
    option: str = "serializer",
    known: Mapping[str, Serializer] | None = None,
) -> Serializer:
    """Return the serializer that an option names or is.

    Args:
        given: The value of the option.
        option: Its name.
        known: The serializers that it may name, None for those of this module.

    Raises:
        PolicyError: If it is neither a name nor a serializer.
    """
    if known is None:
        known = {"pickle": PickleSerializer(), "json": JSONSerializer()}
    if isinstance(given, str) and given in known:
        return known[given]
    if given is pickle or given is json:
        return known[given.__name__]
    made = given
    if isinstance(given, type):
        try:
            made = given()
        except TypeError as error:
            allowed = f"an object, not a class: {error}. Give an object of it"
            raise PolicyError(option, describe(given), allowed) from None
    if callable(getattr(made, "dumps", None)) and callable(
        getattr(made, "loads", None)
    ):
        return CustomSerializer(made, option)
    raise PolicyError(option, describe(given), _ALLOWED)
