from jinja2 import Environment

from jinja_fragcache.render.row_blocks import Loops

ITEMS = ["a", "b", "c"]
SHOW = "{{ loop.index }}/{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }};"


def shown(numbers: list[int]) -> list[str]:
    template = Environment(autoescape=True).from_string(SHOW)
    loops = Loops(ITEMS)
    return [template.render(loop=loops.at(number)) for number in numbers]


def test_rows_in_their_order_have_the_loop_of_a_for_loop() -> None:
    source = "{% for item in items %}" + SHOW + "{% endfor %}"
    expected = Environment(autoescape=True).from_string(source).render(items=ITEMS)
    assert "".join(shown([0, 1, 2])) == expected


def test_a_row_that_is_rendered_later_has_the_loop_of_its_place() -> None:
    first, second, third = shown([0, 1, 2])
    assert shown([0, 2, 1]) == [first, third, second]


def test_rows_in_their_order_share_one_loop_object() -> None:
    # So that `loop.changed` works.
    loops = Loops(ITEMS)
    loop = loops.at(0)
    assert loop.changed("x")
    assert loops.at(2) is loop
    assert not loops.at(2).changed("x")
