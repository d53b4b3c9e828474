"""The pages of people, in a browser that keeps cookies and sends forms."""

import re
import socket
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler
from sqlalchemy import select, update

from retia.api.mail import post
from retia.leaderboard.tables import BrowserSession, Link, User
from tests.api.browsing import Browser
from tests.api.client import API, bearer
from tests.api.conftest import PASSWORD, Local, TestClient

NEW = "another long password"


@pytest.fixture
def browser(local: Local) -> Browser:
    return Browser(local.client)


def token_in(text: str) -> str:
    found = re.search(r"retia_[A-Za-z0-9_-]{43}", text)
    assert found is not None
    return found.group()


def test_a_user_signs_in_makes_a_token_and_ends_it(browser: Browser, local: Local) -> None:
    assert browser.open("/account").url.path == "/sign-in"
    page = browser.sign_in("uma", PASSWORD)
    assert page.url.path == "/account"
    assert "<h1>uma</h1>" in page.text
    page = browser.send("/account/token", label="my <b>laptop</b>", scope=["read", "submit"])
    token = token_in(page.text)
    assert "my &lt;b&gt;laptop" in page.text
    listed = local.client.get(f"{API}/tokens", headers=bearer(token)).json()["items"]
    assert (listed[0]["label"], listed[0]["scopes"]) == ("my <b>laptop</b>", ["read", "submit"])
    assert "retia_" not in browser.open("/account").text, "it is shown once"
    browser.send("/account/revoke", token=str(listed[0]["id"]))
    assert local.client.get(f"{API}/tokens", headers=bearer(token)).status_code == 401
    browser.send("/sign-out")
    assert browser.open("/account").url.path == "/sign-in"


def test_the_cookie_is_for_pages_of_this_server_alone(browser: Browser, local: Local) -> None:
    page = browser.sign_in("uma", PASSWORD)
    (set_cookie,) = page.history[-1].headers.get_list("set-cookie")
    assert "HttpOnly" in set_cookie
    assert "SameSite=lax" in set_cookie
    assert "no-store" in page.headers["cache-control"]
    for method, place in (("GET", "tokens"), ("POST", "submissions"), ("GET", "audit")):
        answer = local.client.request(method, f"{API}/{place}")
        assert answer.status_code == 401, "no route of the API reads a cookie"
    key = local.client.cookies["retia"]
    with local.context.database.read() as session:
        assert key not in session.scalars(select(BrowserSession.sha256)).all()


def test_over_https_the_cookie_is_bound_to_the_host(make_local: Callable[..., Local]) -> None:
    local = make_local(public_url="https://retia.example.org")
    client = TestClient(local.client.app, base_url="https://retia.example.org")
    page = Browser(client).sign_in("uma", PASSWORD)
    cookie = page.history[-1].headers["set-cookie"]
    assert cookie.startswith("__Host-retia=")
    assert "Secure" in cookie
    assert "Domain" not in cookie


def test_signing_in_changes_the_cookie(browser: Browser, local: Local) -> None:
    """A cookie that somebody planted before is worth nothing afterwards."""
    browser.open("/sign-in")
    planted = local.client.cookies["retia"]
    browser.send("/sign-in", name="uma", password=PASSWORD)
    assert local.client.cookies["retia"] != planted
    local.client.cookies.clear()
    local.client.cookies.set("retia", planted)
    assert browser.open("/account").url.path == "/sign-in"


FORMS = [
    "/sign-in", "/sign-out", "/join", "/forgotten", "/new-password",
    "/account/token", "/account/revoke", "/account/email", "/account/password",
]  # fmt: skip


@pytest.mark.parametrize("action", FORMS)
def test_a_form_of_another_site_does_nothing(action: str, browser: Browser) -> None:
    browser.sign_in("uma", PASSWORD)
    fields = {"name": "uma", "password": PASSWORD, "token": "1", "scope": "read", "days": "9"}
    for form in ({}, {"form": "0" * 64}, {"form": "ä"}):
        assert browser.client.post(action, data=fields | form).status_code == 403
    right = browser.form("/sign-out").fields["form"]
    for site in ("cross-site", "same-site"):
        answer = browser.client.post(
            action, data=fields | {"form": right}, headers={"Sec-Fetch-Site": site}
        )
        assert answer.status_code == 403
    for kind in ("text/plain", "application/json", "multipart/form-data; boundary=b"):
        answer = browser.client.post(action, content=b"x", headers={"Content-Type": kind})
        assert answer.status_code == 415
    assert browser.open("/account").url.path == "/account", "and the browser is still signed in"


def test_the_token_of_a_form_is_the_visitors_own(local: Local, browser: Browser) -> None:
    other = Browser(TestClient(local.client.app))
    other.open("/sign-in")
    stolen = other.form("/sign-in").fields["form"]
    browser.open("/sign-in")
    fields = {"name": "uma", "password": PASSWORD, "form": stolen}
    assert browser.client.post("/sign-in", data=fields).status_code == 403


def test_the_page_of_a_wrong_password_is_that_of_a_wrong_name(browser: Browser) -> None:
    pages = []
    for name in ("uma", "umx"):
        page = browser.sign_in(name, "a wrong password")
        assert page.status_code == 401
        form = browser.form("/sign-in").fields["form"]
        pages.append(page.text.replace(form, "").replace(f'value="{name}"', ""))
    assert pages[0] == pages[1]


def test_too_many_guesses_are_said_in_the_page(browser: Browser) -> None:
    codes = [browser.sign_in("uma", "wrong").status_code for _ in range(11)]
    assert codes == [401] * 10 + [429]
    assert "try again in" in browser.page.text


def test_a_new_password_ends_the_other_sessions(browser: Browser, local: Local) -> None:
    other = Browser(TestClient(local.client.app))
    other.sign_in("uma", PASSWORD)
    browser.sign_in("uma", PASSWORD)
    page = browser.send("/account/password", old="wrong", password=NEW)
    assert (page.status_code, "the old password is wrong" in page.text) == (422, True)
    page = browser.send("/account/password", old=PASSWORD, password="short")
    assert page.status_code == 422
    assert browser.send("/account/password", old=PASSWORD, password=NEW).url.path == "/account"
    assert other.open("/account").url.path == "/sign-in"
    assert other.sign_in("uma", PASSWORD).status_code == 401
    assert other.sign_in("uma", NEW).url.path == "/account"


def test_a_session_ends_in_time_and_with_the_account(browser: Browser, local: Local) -> None:
    browser.sign_in("uma", PASSWORD)
    with local.context.database.write() as session:
        session.execute(update(User).where(User.name == "uma").values(role="closed"))
    assert browser.open("/account").url.path == "/sign-in"
    with local.context.database.write() as session:
        session.execute(update(User).where(User.name == "uma").values(role="user"))
    assert browser.open("/account").url.path == "/account"
    with local.context.database.write() as session:
        session.execute(update(BrowserSession).values(expires=1.0))
    assert browser.open("/account").url.path == "/sign-in"


def test_nobody_ends_a_token_of_somebody_else(browser: Browser, local: Local) -> None:
    browser.sign_in("uma", PASSWORD)
    adas = local.client.get(f"{API}/tokens", headers=bearer(local.tokens["ada"])).json()
    for number in (str(adas["items"][0]["id"]), "0", "-1", "x", "9" * 30, "१"):
        browser.open("/account")
        assert browser.send("/account/revoke", token=number).status_code == 404
    assert local.client.get(f"{API}/tokens", headers=bearer(local.tokens["ada"])).is_success


def test_a_role_limits_the_scopes_of_the_page_too(browser: Browser) -> None:
    browser.sign_in("uma", PASSWORD)
    page = browser.send("/account/token", scope=["admin"])
    assert page.status_code == 422
    assert "is not one of them" in page.text


def test_registration_by_page(make_local: Callable[..., Local]) -> None:
    closed = make_local()
    assert Browser(closed.client).open("/join").status_code == 403


def test_a_visitor_joins(make_local: Callable[..., Local]) -> None:
    local = make_local(registration="open")
    browser = Browser(local.client)
    browser.open("/join")
    page = browser.send("/join", name="uma", password=NEW)
    assert (page.status_code, "the name uma is taken" in page.text) == (422, True)
    page = browser.send("/join", name="<i>", password=NEW)
    assert (page.status_code, 'value="&lt;i&gt;"' in page.text) == (422, True)
    page = browser.send("/join", name="zoe", password=NEW, email="zoe@example.org")
    assert page.url.path == "/account"
    assert 'value="zoe@example.org"' in page.text
    browser.send("/account/email", email="nonsense")
    assert browser.page.status_code == 422
    assert 'value="new@example.org"' in browser.send("/account/email", email="new@example.org").text


def test_an_invited_visitor_joins(make_local: Callable[..., Local]) -> None:
    local = make_local(registration="invite")
    headers = bearer(local.tokens["root"])
    made = local.client.post(f"{API}/invitations", json={"role": "publisher"}, headers=headers)
    browser = Browser(local.client)
    assert browser.open("/join").status_code == 403
    assert browser.open("/join?link=wrong").status_code == 403
    browser.open(made.json()["link"])
    page = browser.send("/join", name="zoe", password=NEW)
    assert page.url.path == "/account"
    assert ">publisher</span>" in page.text
    assert browser.open(made.json()["link"]).status_code == 403


def test_a_link_sets_a_new_password_once(browser: Browser, local: Local) -> None:
    headers = bearer(local.tokens["root"])
    links = [
        local.client.post(f"{API}/users/uma/password-link", headers=headers).json()["link"]
        for _ in range(2)
    ]
    assert browser.open(links[0]).status_code == 404, "the newest alone works"
    browser.open(links[1])
    assert browser.send("/new-password", password="short").status_code == 422
    assert browser.send("/new-password", password=NEW).url.path == "/account"
    assert browser.open(links[1]).status_code == 404
    browser.client.cookies.clear()
    assert browser.sign_in("uma", NEW).url.path == "/account"
    with local.context.database.write() as session:
        secrets = session.scalars(select(Link.sha256)).all()
    assert links[1].partition("=")[2] not in secrets


def test_a_link_expires(browser: Browser, local: Local) -> None:
    headers = bearer(local.tokens["root"])
    link = local.client.post(f"{API}/users/uma/password-link", headers=headers).json()["link"]
    with local.context.database.write() as session:
        session.execute(update(Link).values(expires=1.0))
    assert browser.open(link).status_code == 404


def test_an_invitation_sets_no_password(browser: Browser, local: Local) -> None:
    headers = bearer(local.tokens["root"])
    made = local.client.post(f"{API}/invitations", json={}, headers=headers).json()["link"]
    assert browser.open(made.replace("join", "new-password")).status_code == 404


@pytest.fixture
def mails() -> Iterator[tuple[int, list[Message]]]:
    """A mail server on this machine, and what it got."""
    found: list[Message] = []

    class Keep(MessageHandler):
        def handle_message(self, message: Message) -> None:
            found.append(message)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(Keep(), hostname="127.0.0.1", port=port)
    controller.start()
    yield port, found
    controller.stop()


def test_a_link_comes_by_mail_and_the_page_does_not_tell(
    mails: tuple[int, list[Message]], make_local: Callable[..., Local]
) -> None:
    port, found = mails
    local = make_local(
        smtp_url=f"smtp://127.0.0.1:{port}",
        mail_from="retia@example.org",
        public_url="http://testserver",
    )
    with local.context.database.write() as session:
        session.execute(update(User).where(User.name == "uma").values(email="uma@example.org"))
    browser = Browser(local.client)
    pages = []
    for name in ("uma", "uma@example.org", "eve", "nobody", "nobody@example.org"):
        browser.open("/forgotten")
        pages.append(browser.send("/forgotten", name=name).text)
    assert len({re.sub(r"[0-9a-f]{64}", "", page) for page in pages}) == 1
    for _ in range(2):
        browser.open("/forgotten")
        browser.send("/forgotten", name="uma")
    browser.open("/forgotten")
    assert browser.send("/forgotten", name="uma").status_code == 429
    post.submit(lambda: None).result(20)
    assert [message["To"] for message in found] == ["uma@example.org"] * 4
    text = found[-1].get_payload(decode=True).decode()
    (link,) = re.findall(r"http://\S+/new-password\?link=\S+", text)
    browser.open(link)
    assert browser.send("/new-password", password=NEW).url.path == "/account"


def test_without_a_mail_server_the_operator_is_asked(browser: Browser) -> None:
    assert "Ask its operator for a link" in browser.open("/forgotten").text


def test_a_mail_server_that_fails_is_no_answer_to_a_visitor(
    make_local: Callable[..., Local],
) -> None:
    local = make_local(
        smtp_url="smtp://127.0.0.1:9", mail_from="r@example.org", public_url="http://testserver"
    )
    with local.context.database.write() as session:
        session.execute(update(User).where(User.name == "uma").values(email="uma@example.org"))
    browser = Browser(local.client)
    browser.open("/forgotten")
    assert browser.send("/forgotten", name="uma").status_code == 200


def test_the_data_folder_has_no_secret_of_a_user(browser: Browser, local: Local) -> None:
    page = browser.sign_in("uma", PASSWORD)
    token = token_in(browser.send("/account/token", scope=["read"]).text)
    cookie = local.client.cookies["retia"]
    assert page.is_success
    for path in Path(local.context.settings.data).glob("retia.sqlite*"):
        content = path.read_bytes()
        for secret in (token, cookie, PASSWORD):
            assert secret.encode() not in content
