import pytest

from jinja_fragcache.frameworks.request_names import told_by


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("request.path", {"request.path"}),
        ("request.full_path", {"request.full_path", "request.path", "request.args"}),
        ("request.host_url", {"request.host_url", "request.host", "request.scheme"}),
        ("request.user_agent.string", {"request.headers.user-agent"}),
        ("request.user_agent.browser", set()),
        ("request.blueprint", {"request.blueprint"}),
        ("request.endpoint", {"request.endpoint", "request.blueprint"}),
        (
            "request.url_rule",
            {"request.url_rule", "request.endpoint", "request.blueprint"},
        ),
        ("request.authorization.username", set()),
        ("request.get_json", {"request.json"}),
        ("request.tenant", set()),
        ("session.path", set()),
    ],
)
def test_what_a_name_in_a_key_tells(name: str, told: set[str]) -> None:
    assert set(told_by(name)) == told
