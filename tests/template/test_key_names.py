import pytest
from jinja2 import Environment, nodes

from jinja_fragcache.template.key_names import key_names


def names_in(expressions: str) -> list[str]:
    template = Environment().parse("{{ [" + expressions + "] }}")
    listed = template.find(nodes.List)
    assert listed is not None
    return key_names(listed.items)


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("user.id", ["user.id"]),
        ("user['id']", ["user.id"]),
        ("rows[0].id", ["rows.0.id"]),
        ("request.args.page", ["request.args.page"]),
        ("request.args.get('page', 1)", ["request.args.page"]),
        ("request.args.getlist('tag')", ["request.args.tag"]),
        ("request.headers['Accept-Language']", ["request.headers.accept-language"]),
        ("get_locale()", ["locale"]),
        ("csrf_token()", ["csrf_token"]),
        ("user.id if user else none", ["user", "user.id"]),
        ("user.name|lower ~ session.cart", ["user.name", "session.cart"]),
        ("user.get_id()", ["user.get_id"]),
        ("request.args[key]", ["request.args", "key"]),
        ("user.id, user.id, 'text'", ["user.id"]),
    ],
)
def test_the_names_of_a_keys_expressions(expression: str, names: list[str]) -> None:
    assert sorted(names_in(expression)) == sorted(names)
