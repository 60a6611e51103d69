"""The names of settings, and their table in the documentation."""

from pathlib import Path

import pytest
from flask import Flask

from jinja_fragcache import Cache, SettingError
from jinja_fragcache.flask.settings import SETTINGS, UNNEEDED, settings_table


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


def test_all_similar_names_of_an_unknown_setting_are_named() -> None:
    message = "Did you mean CACHE_LOCK_TIMEOUT or CACHE_DEFAULT_TIMEOUT"
    with pytest.raises(SettingError, match=message):
        Cache(Flask(__name__), config={"CACHE_TIMEOUT": 5})


def test_other_settings_of_an_application_are_ignored() -> None:
    app = Flask(__name__)
    app.config.update(CACHE_TYPE="simple", CACHES={}, cache_x=1, MONGO_SERVERS="x")
    Cache(app, config={"MONGO_SERVERS": "x"})


@pytest.mark.parametrize("name", sorted(UNNEEDED))
def test_an_unneeded_setting_is_warned_of(name: str) -> None:
    with pytest.warns(UserWarning, match=f"{name} is not needed: "):
        Cache(Flask(__name__), config={"CACHE_TYPE": "simple", name: 1})
