"""The names of settings, and their table in the documentation."""

import ast
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from jinja_fragcache import Cache, SettingError
from jinja_fragcache.flask.settings import (
    SETTINGS,
    UNUSED,
    settings_table,
    unused_settings_list,
)
from tests.flask.support import flask_caching_source


def test_the_documentation_has_the_table_of_all_settings() -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert settings_table() in page.read_text("utf-8")


def test_an_unknown_setting_is_reported_with_the_most_similar_one() -> None:
    typo = {"CACHE_TYPE": "simple", "CACHE_DEFAULT_TIMOUT": 5}
    message = (
        "There is no setting CACHE_DEFAULT_TIMOUT. Did you mean CACHE_DEFAULT_TIMEOUT"
    )
    with pytest.raises(SettingError, match=message) as raised:
        Cache(Flask(__name__), config=typo)
    assert all(each.name in str(raised.value) for each in SETTINGS)
    app = Flask(__name__)
    app.config.update(typo)
    with pytest.warns(UserWarning, match=message) as warned:
        Cache(app)
    assert warned[0].filename == __file__


def test_a_setting_in_small_letters_is_reported() -> None:
    message = r"There is no setting cache_type\. Did you mean CACHE_TYPE\?"
    with pytest.raises(SettingError, match=message):
        Cache(Flask(__name__), config={"cache_type": "simple"})
    app = Flask(__name__)
    app.config.update(cache_type="simple", CACHE_NO_NULL_WARNING=True)
    with pytest.warns(UserWarning, match=message):
        Cache(app)


def test_all_similar_names_of_an_unknown_setting_are_named() -> None:
    message = (
        "Did you mean CACHE_NEAR_TIMEOUT or CACHE_LOCK_TIMEOUT or CACHE_DEFAULT_TIMEOUT"
    )
    with pytest.raises(SettingError, match=message):
        Cache(Flask(__name__), config={"CACHE_TIMEOUT": 5})


def test_other_settings_of_an_application_are_ignored() -> None:
    app = Flask(__name__)
    app.config.update(CACHE_TYPE="simple", CACHES={}, cache_x=1, MONGO_SERVERS="x")
    Cache(app, config={"MONGO_SERVERS": "x"})


@pytest.mark.parametrize("name", sorted(UNUSED))
def test_an_unused_setting_of_flask_caching_is_taken_silently(name: str) -> None:
    Cache(Flask(__name__), config={"CACHE_TYPE": "simple", name: hashlib.md5})


def test_the_documentation_has_the_list_of_unused_settings() -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert unused_settings_list() in page.read_text("utf-8")


def test_every_setting_of_the_installed_flask_caching_is_known() -> None:
    texts = {
        node.value
        for file in flask_caching_source().rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    theirs = {each for each in texts if re.fullmatch("CACHE_[A-Z_]+", each)}
    assert {"CACHE_TYPE", "CACHE_UWSGI_NAME", "CACHE_HASH_METHOD"} <= theirs
    assert theirs <= {each.name for each in SETTINGS} | UNUSED.keys()


FOREIGN = {
    "CACHE_TYPE": "simple",
    "CACHE_BUSTER": True,
    "CACHE_TIMOUT": 5,
    "SECRET_KEY": "hidden",
    "SQLALCHEMY_DATABASE_URI": "sqlite://",
}


def in_app_config(app: Flask) -> None:
    app.config.update(FOREIGN)
    Cache(app)


def given_app_config(app: Flask) -> None:
    app.config.update(FOREIGN)
    Cache().init_app(app, config=app.config)


def given_a_copy(app: Flask) -> None:
    Cache().init_app(app, config=dict(FOREIGN))


def given_to_the_constructor(app: Flask) -> None:
    Cache(config=FOREIGN).init_app(app, config={"CACHE_TYPE": "simple"})


@pytest.mark.parametrize(
    "initialize",
    [in_app_config, given_app_config, given_a_copy, given_to_the_constructor],
)
def test_names_beside_those_of_other_extensions_are_listed_in_one_warning(
    initialize: Any,
) -> None:
    with pytest.warns(UserWarning, match="There is no setting CACHE_BUSTER") as warned:
        initialize(Flask(__name__))
    (one,) = warned
    assert "There is no setting CACHE_TIMOUT. Did you mean" in str(one.message)
    assert "SECRET_KEY" not in str(one.message)
    assert one.filename == __file__


def test_all_unknown_names_in_a_dictionary_of_settings_are_in_one_error() -> None:
    config = {"CACHE_BUSTER": True, "CACHE_TIMOUT": 5}
    with pytest.raises(SettingError, match=r"CACHE_BUSTER.*CACHE_TIMOUT"):
        Cache(Flask(__name__), config=config)
    app = Flask(__name__)
    app.config.update(FOREIGN)
    with pytest.raises(SettingError, match="no setting CACHE_TIMOUT"):
        Cache(app, config={"CACHE_TIMOUT": 5})
