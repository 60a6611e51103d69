"""Custom caches, in the form that the manual of Flask-Cache shows."""

import sqlite3
import threading
import time
from typing import Any

from cachelib import BaseCache, RedisCache, SimpleCache
from flask import Flask
from redis.backoff import NoBackoff
from redis.retry import Retry


class SqliteCache(BaseCache):
    """Stores values in an SQLite database."""

    def __init__(
        self, path: str = ":memory:", table: str = "cache", default_timeout: int = 500
    ) -> None:
        super().__init__(default_timeout)
        self.table = table
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._lock = threading.Lock()
        self._run(f"CREATE TABLE IF NOT EXISTS {table} (key PRIMARY KEY, value, until)")

    def _run(self, command: str, *values: Any) -> list[Any]:
        with self._lock, self._database:
            return self._database.execute(command, values).fetchall()

    def _until(self, timeout: Any) -> float:
        seconds = self.default_timeout if timeout is None else timeout
        return time.time() + seconds if seconds else float("inf")

    def get(self, key: str) -> Any:
        select = f"SELECT value FROM {self.table} WHERE key = ? AND until > ?"
        found = self._run(select, key, time.time())
        return found[0][0] if found else None

    def set(self, key: str, value: Any, timeout: Any = None) -> bool:
        insert = f"INSERT OR REPLACE INTO {self.table} VALUES (?, ?, ?)"
        self._run(insert, key, value, self._until(timeout))
        return True

    def add(self, key: str, value: Any, timeout: Any = None) -> bool:
        delete = f"DELETE FROM {self.table} WHERE key = ? AND until <= ?"
        self._run(delete, key, time.time())
        insert = f"INSERT OR IGNORE INTO {self.table} VALUES (?, ?, ?) RETURNING key"
        return bool(self._run(insert, key, value, self._until(timeout)))

    def delete(self, key: str) -> bool:
        self._run(f"DELETE FROM {self.table} WHERE key = ?", key)
        return True

    def has(self, key: str) -> bool:
        return self.get(key) is not None

    def clear(self) -> bool:
        self._run(f"DELETE FROM {self.table}")
        return True

    def close(self) -> None:
        self._database.close()


def sqlite(
    app: Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]
) -> SqliteCache:
    """Make a cache in the file that the application names."""
    args.append(app.config["SQLITE_FILE"])
    kwargs["table"] = config["CACHE_KEY_PREFIX"]
    return SqliteCache(*args, **kwargs)


def redis_cache(
    app: Flask,
    config: dict[str, Any],
    args: list[Any],
    kwargs: dict[str, Any],
) -> RedisCache:
    """Make a cache on the server that the application names, as the manual does."""
    host, port = app.config["REDIS_SERVER"]
    # By default redis-py waits and tries again if no server listens.
    once = Retry(NoBackoff(), 0)
    return RedisCache(host, port, *args, retry=once, **kwargs)


def forgetful(
    app: Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]
) -> None:
    """Return nothing, by mistake."""


class FactoryCache(SimpleCache):
    """Has a factory, as the back ends of Flask-Caching have."""

    made_with: tuple[Any, ...] = ()

    @classmethod
    def factory(
        cls,
        app: Flask,
        config: dict[str, Any],
        args: list[Any],
        kwargs: dict[str, Any],
    ) -> "FactoryCache":
        cache = cls(*args, **kwargs)
        cache.made_with = (app, config, args, kwargs)
        return cache


class PlainCache:
    """Takes no timeout of its own."""

    def __init__(self, name: str = "plain") -> None:
        self.name = name
        self.values: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        return self.values.get(key)

    def set(self, key: str, value: Any, timeout: int | None = None) -> None:
        self.values[key] = value

    def delete(self, key: str) -> None:
        self.values.pop(key, None)


ready = PlainCache("ready")


def failing(*_: Any) -> None:
    raise TypeError("the factory's own mistake")


def no_store(*_: Any) -> list[str]:
    return ["no store"]


def of_one(app: Flask) -> SimpleCache:
    """Take the application only, by mistake."""
    raise NotImplementedError(app)
