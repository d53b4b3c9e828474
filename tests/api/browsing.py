"""A browser as far as forms go: it keeps cookies, reads a page's forms, and sends them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx


@dataclass
class FoundForm:
    """A form of a page."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[FoundForm] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form":
            assert found["method"] == "post"
            self.forms.append(FoundForm(str(found["action"])))
        elif tag == "input" and self.forms:
            is_unchecked = found.get("type") == "checkbox" and "checked" not in found
            if not is_unchecked:
                self.forms[-1].fields[str(found["name"])] = found.get("value") or ""


class Browser:
    """Pages of one visitor."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.page = httpx.Response(200)
        client.cookies.clear()
        client.headers["Accept"] = "text/html"

    def open(self, address: str) -> httpx.Response:
        self.page = self.client.get(address, follow_redirects=True)
        return self.page

    def form(self, action: str) -> FoundForm:
        reader = _Reader()
        reader.feed(self.page.text)
        return next(form for form in reader.forms if form.action == action)

    def send(self, action: str, **fields: str | list[str]) -> httpx.Response:
        """Fill in a form of the page that is open, and send it."""
        content = self.form(action).fields | fields
        self.page = self.client.post(action, data=content, follow_redirects=True)
        return self.page

    def sign_in(self, name: str, password: str) -> httpx.Response:
        self.open("/sign-in")
        return self.send("/sign-in", name=name, password=password)
