"""Sign-in by an OpenID provider: a real one on this machine, honest and not."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import select, update

from retia.api.settings import Settings
from retia.leaderboard.tables import Identity, User
from retia.shards.errors import InputError
from tests.api.browsing import Browser
from tests.api.client import API, bearer
from tests.api.conftest import PASSWORD, Local, TestClient
from tests.api.provider import CLIENT, SECRET, Provider, serving

HERE = "http://testserver"
PLACE = "/sign-in/openid"


@pytest.fixture(scope="module")
def shared_provider() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture
def provider(shared_provider: Provider) -> Provider:
    shared_provider.spoil = lambda claims: None
    shared_provider.signing_key = shared_provider.key
    shared_provider.subject, shared_provider.name = "subject-1", "zoe"
    return shared_provider


@pytest.fixture
def make_server(provider: Provider, make_local: Callable[..., Local]) -> Callable[..., Local]:
    def make(**settings: object) -> Local:
        return make_local(
            oidc_issuer=provider.issuer,
            oidc_client_id=CLIENT,
            oidc_client_secret=SECRET,
            oidc_label="Lab SSO",
            public_url=HERE,
            **settings,
        )

    return make


def go(browser: Browser) -> httpx.Response:
    """Follow the link of the page: to the provider, and back."""
    browser.open("/sign-in")
    assert "Sign in with Lab SSO" in browser.page.text or browser.open("/account").is_success
    there = browser.client.get(f"{PLACE}/start", follow_redirects=False)
    assert there.status_code in (302, 303)
    back = httpx.get(there.headers["location"], follow_redirects=False).headers["location"]
    assert back.startswith(f"{HERE}{PLACE}/callback?")
    return browser.open(back.removeprefix(HERE))


def test_a_new_person_chooses_a_name_and_comes_back_to_the_account(
    make_server: Callable[..., Local], provider: Provider
) -> None:
    local = make_server(registration="open")
    browser = Browser(local.client)
    page = go(browser)
    assert page.url.path == f"{PLACE}/name"
    assert browser.form(f"{PLACE}/name").fields["name"] == "zoe", "what the provider calls them"
    taken = browser.send(f"{PLACE}/name", name="uma")
    assert (taken.status_code, "the name uma is taken" in taken.text) == (422, True)
    page = browser.send(f"{PLACE}/name", name="zoe-x")
    assert (page.url.path, "<h1>zoe-x</h1>" in page.text) == ("/account", True)
    assert "Old password" not in page.text
    other = Browser(TestClient(local.client.app))
    assert "<h1>zoe-x</h1>" in go(other).text
    assert other.sign_in("zoe-x", "").status_code == 401, "there is no password"
    with local.context.database.read() as session:
        identity = session.scalars(select(Identity)).one()
    assert (identity.issuer, identity.subject) == (provider.issuer, "subject-1")


def test_an_account_is_linked_by_who_is_signed_in(make_server: Callable[..., Local]) -> None:
    local = make_server()
    browser = Browser(local.client)
    browser.sign_in("uma", PASSWORD)
    assert "<h1>uma</h1>" in go(browser).text
    other = Browser(TestClient(local.client.app))
    assert "<h1>uma</h1>" in go(other).text
    headers = bearer(local.tokens["root"])
    items = local.client.get(f"{API}/audit", headers=headers).json()["items"]
    assert "identity.add" in [row["action"] for row in items]


def test_a_stranger_gets_in_only_where_registration_lets_them(
    make_server: Callable[..., Local],
) -> None:
    local = make_server()
    page = go(Browser(local.client))
    assert page.status_code == 403
    assert "No account here belongs to you" in page.text


def test_an_invited_stranger_gives_the_invitation(make_server: Callable[..., Local]) -> None:
    local = make_server(registration="invite")
    headers = bearer(local.tokens["root"])
    made = local.client.post(f"{API}/invitations", json={"role": "publisher"}, headers=headers)
    browser = Browser(local.client)
    assert go(browser).url.path == f"{PLACE}/name"
    assert browser.send(f"{PLACE}/name", name="zoe", link="wrong").status_code == 422
    page = browser.send(f"{PLACE}/name", name="zoe", link=made.json()["link"].partition("=")[2])
    assert ">publisher</span>" in page.text


def test_a_closed_account_stays_closed(make_server: Callable[..., Local]) -> None:
    local = make_server()
    browser = Browser(local.client)
    browser.sign_in("uma", PASSWORD)
    go(browser)
    with local.context.database.write() as session:
        session.execute(update(User).where(User.name == "uma").values(role="closed"))
    assert go(Browser(TestClient(local.client.app))).status_code == 403


def _other_nonce(claims: dict[str, Any]) -> None:
    claims["nonce"] = "of another sign-in"


def _other_audience(claims: dict[str, Any]) -> None:
    claims["aud"] = "another-client"


def _other_issuer(claims: dict[str, Any]) -> None:
    claims["iss"] = "https://evil.example"


def _expired(claims: dict[str, Any]) -> None:
    claims["exp"] = int(time.time()) - 3600


def _nobody(claims: dict[str, Any]) -> None:
    del claims["sub"]


@pytest.mark.parametrize("spoil", [_other_nonce, _other_audience, _other_issuer, _expired, _nobody])
def test_a_token_that_does_not_fit_signs_nobody_in(
    spoil: Callable[[dict[str, Any]], None],
    make_server: Callable[..., Local],
    provider: Provider,
) -> None:
    local = make_server(registration="open")
    provider.spoil = spoil
    page = go(Browser(local.client))
    assert page.status_code == 502
    assert "did not work" in page.text


def test_a_token_of_another_key_signs_nobody_in(
    make_server: Callable[..., Local], provider: Provider
) -> None:
    local = make_server(registration="open")
    provider.signing_key = RSAKey.generate_key(2048, {"kid": "one"})
    assert go(Browser(local.client)).status_code == 502


def test_the_way_back_is_for_the_browser_that_went(make_server: Callable[..., Local]) -> None:
    """A stranger's answer of the provider, planted in a victim's browser, is refused."""
    local = make_server(registration="open")
    mine, victim = Browser(TestClient(local.client.app)), Browser(local.client)
    there = mine.client.get(f"{PLACE}/start", follow_redirects=False).headers["location"]
    back = httpx.get(there, follow_redirects=False).headers["location"].removeprefix(HERE)
    victim.sign_in("uma", PASSWORD)
    assert victim.open(back).status_code == 502
    with local.context.database.read() as session:
        assert session.scalars(select(Identity)).all() == []
    assert victim.open(f"{PLACE}/callback?error=access_denied").status_code == 502
    assert victim.open(f"{PLACE}/callback").status_code == 502
    assert victim.open(f"{PLACE}/name").status_code == 403


def test_a_cookie_that_is_forged_is_none(make_server: Callable[..., Local]) -> None:
    local = make_server(registration="open")
    browser = Browser(local.client)
    browser.client.cookies.set("retia-openid", "eyJwZW5kaW5nIjp7fX0=.aaaaaa.bbbbbb")
    assert browser.open(f"{PLACE}/name").status_code == 403


def test_a_provider_that_is_down_is_said(make_local: Callable[..., Local]) -> None:
    local = make_local(
        oidc_issuer="http://127.0.0.1:9",
        oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
        public_url=HERE,
    )
    page = Browser(local.client).open(f"{PLACE}/start")
    assert (page.status_code, "Try again" in page.text) == (502, True)


def test_half_a_provider_is_no_setting() -> None:
    with pytest.raises(InputError, match="RETIA_OIDC_CLIENT_SECRET and RETIA_PUBLIC_URL come"):
        Settings.from_environment({"RETIA_OIDC_ISSUER": "https://sso.example"})


def test_without_a_provider_there_are_no_such_pages(local: Local) -> None:
    browser = Browser(local.client)
    assert browser.open(f"{PLACE}/start").status_code == 404
    assert "openid" not in browser.open("/sign-in").text
