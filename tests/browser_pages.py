"""What tests, and the pictures of the documentation, do with the overlay of a page."""

from typing import TYPE_CHECKING, Any

from tests.browser import until

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_HELPERS = """
    const host = document.querySelector("fragcache-overlay");
    const root = host?.shadowRoot;
    const [toggle, unseen, boxes] = [".toggle", ".unseen", ".boxes"].map(
      (each) => root?.querySelector(each));
    const text = (each) => each.ariaLabel ?? each.textContent;
    const texts = (all) => [...all].map(text);
    const every = (selector) => [...(root?.querySelectorAll(selector) ?? [])];
    const labelled = (name) => every(".label").find((each) => text(each) === name);
    const button = (name) => every(".card button").find((each) => text(each) === name);
    const boxOf = (label) => label.previousElementSibling;
    const areaOf = (element) => {
      const { left, top, right, bottom } = element.getBoundingClientRect();
      return [left, top, right, bottom];
    };
    const colorOf = (name) => {
      const probe = document.createElement("i");
      probe.className = `label ${name}`;
      root.append(probe);
      const color = getComputedStyle(probe).backgroundColor;
      probe.remove();
      return color.match(/[0-9.]+/g).slice(0, 3).map(Number);
    };
"""


class Overlay:
    """The overlay of a page that a browser shows. Its boxes are turned on.

    Args:
        browser: The browser.
        address: The address of the page.
    """

    def __init__(self, browser: "Chrome", address: str) -> None:
        self.browser = browser
        browser.get(address)
        browser.execute_script("localStorage.setItem('fragcache-overlay', 'on')")
        browser.get(address)
        self.wait()

    def wait(self) -> None:
        """Wait until the overlay is there."""
        until(self.browser, self.script("toggle?.textContent"))
        self.settle()

    def script(self, expression: str) -> str:
        """Return an expression in which the parts of the overlay have names."""
        return f"(() => {{ {_HELPERS}; return {expression}; }})()"

    def run(self, expression: str) -> Any:
        """Return what an expression gives."""
        return self.browser.execute_script(f"return {self.script(expression)}")

    def do(self, statements: str) -> None:
        """Run statements, and wait until the boxes are drawn."""
        self.browser.execute_script(f"{_HELPERS}; {statements}")
        self.settle()

    def settle(self) -> None:
        """Wait for two frames, in which what changed is drawn."""
        self.browser.execute_async_script(
            "requestAnimationFrame(() => requestAnimationFrame(() =>"
            " requestAnimationFrame(() => arguments[0]())))"
        )

    def press(self, key: str, times: int = 1, until: str = "") -> None:
        """Press a key, several times at most if the focus is to get somewhere."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27}
        more = {"text": "\r"} if key == "Enter" else {}
        for _ in range(times):
            event = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
            self._send("keyDown", **event, **more)
            self._send("keyUp", **event)
            if until and self.run(f"root.activeElement === {until}"):
                return
        assert not until, "the focus did not get there"

    def shortcut(self) -> None:
        """Press the keys that turn the boxes on and off."""
        event = {"key": "C", "code": "KeyC", "windowsVirtualKeyCode": 67}
        self._send("keyDown", **event, modifiers=9)
        self._send("keyUp", **event, modifiers=9)

    def _send(self, kind: str, **event: Any) -> None:
        self.browser.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": kind, **event})

    @property
    def toggle(self) -> str:
        """The text of the button that is always there."""
        return str(self.run("toggle.textContent"))

    def labels(self, name: str) -> list[str]:
        """Return the texts of the labels that have one text."""
        found: list[str] = self.run("texts(every('.label'))")
        return [each for each in found if each == name]

    def box(self, name: str) -> list[float]:
        """Return the sides of the box with a label: left, top, right, bottom."""
        found: list[float] = self.run(f"areaOf(boxOf(labelled({name!r})))")
        return found

    def area(self, selector: str) -> list[float]:
        """Return the sides of an element of the page."""
        found: list[float] = self.run(f"areaOf(document.querySelector({selector!r}))")
        return found

    def all_areas(self) -> list[Any]:
        """Return the sides of all elements of the page, and its size."""
        found: list[Any] = self.run(
            "[...document.body.querySelectorAll('*')].filter((each) => each.localName"
            " !== 'script').map(areaOf).concat([[document.documentElement.scrollWidth,"
            " document.documentElement.scrollHeight]])"
        )
        return found

    def width_of_text(self, text: str) -> float:
        """Return how wide a text is in the font of the page's body."""
        return float(
            self.run(
                "(() => { const probe = document.createElement('span');"
                f" probe.textContent = {text!r}; document.body.append(probe);"
                " const { width } = probe.getBoundingClientRect(); probe.remove();"
                " return width; })()"
            )
        )

    def card(self) -> dict[str, str]:
        """Return what the card says, by its names."""
        pairs = self.run(
            "every('.card dt').map((each) => [text(each),"
            " text(each.nextElementSibling)])"
        )
        return dict(pairs)

    def buttons(self) -> list[str]:
        """Return the texts of the card's buttons."""
        found: list[str] = self.run("texts(every('.card button'))")
        return found

    def told(self) -> str:
        """Return what the card tells of what was asked for, once it does."""
        told = self.script("root.querySelector('.told')?.textContent")
        return str(until(self.browser, told))
