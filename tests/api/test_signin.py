"""Names, passwords, tokens, limits: what a stranger may learn, and what a guesser may do."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from retia.api import accounts, signin
from retia.api.context import Context
from retia.api.limits import Allowance, spend
from retia.api.problems import Problem
from retia.api.settings import Settings
from retia.leaderboard.tables import Audit, Limit, User
from tests.api.client import API, bearer
from tests.api.conftest import PASSWORD, Local, TestClient, make_tokens, open_local

SUM = "0" * 64


def ask_token(client: httpx.Client, name: str, password: str = PASSWORD) -> httpx.Response:
    return client.post(
        f"{API}/tokens", json={"name": name, "password": password, "scopes": ["read"]}
    )


@pytest.fixture
def make_either(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Local]]:
    """An app with the accounts of the tests, on SQLite and on PostgreSQL."""
    opened: list[Local] = []

    def make(**settings: object) -> Local:
        folder = tmp_path / "data"
        context = Context.open(Settings(data=folder, database_url=database_url))
        tokens = make_tokens(context)
        context.database.close()
        opened.append(open_local(folder, tokens, database_url=database_url, **settings))
        return opened[-1]

    yield make
    for local in opened:
        local.context.database.close()


def from_network(local: Local, address: str) -> TestClient:
    """A client that the app sees come from this address."""
    return TestClient(local.client.app, raise_server_exceptions=False, client=(address, 40_000))


def test_whoever_guesses_is_stopped_and_the_owner_is_not(make_either: Callable[..., Local]) -> None:
    local = make_either()
    home, away = from_network(local, "192.0.2.7"), from_network(local, "198.51.100.9")
    assert ask_token(home, "uma").status_code == 201
    codes = [ask_token(away, "uma", f"guess {n}").status_code for n in range(12)]
    assert codes == [401] * 10 + [429] * 2
    right = ask_token(away, "uma")
    assert right.status_code == 429, "the right password is not told from a wrong one"
    assert 0 < int(right.headers["retry-after"]) <= 900
    assert ask_token(home, "uma").status_code == 201
    assert ask_token(away, "eve").status_code == 201, "and other names are not meant"


def test_guesses_from_a_thousand_networks_are_stopped_and_the_owner_is_not(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signin, "password_is", lambda _user, password: password == PASSWORD)
    home = from_network(local, "192.0.2.7")
    assert ask_token(home, "uma").status_code == 201
    codes = [
        ask_token(from_network(local, f"203.0.113.{n}"), "uma", "wrong").status_code
        for n in range(105)
    ]
    assert set(codes[:99]) == {401}
    assert set(codes[-5:]) == {429}
    assert ask_token(home, "uma").status_code == 201


def test_a_success_forgives_the_owners_own_mistakes(local: Local) -> None:
    for _ in range(3):
        for _ in range(9):
            assert ask_token(local.client, "uma", "mistyped").status_code == 401
        assert ask_token(local.client, "uma").status_code == 201


def test_the_networks_of_ipv6_are_as_large_as_one_customer_has(local: Local) -> None:
    codes = [
        ask_token(from_network(local, f"2001:db8:1:2:{n:x}::1"), "uma", "wrong").status_code
        for n in range(11)
    ]
    assert codes == [401] * 10 + [429]
    other = from_network(local, "2001:db8:1:3::1")
    assert ask_token(other, "uma", "wrong").status_code == 401


def test_the_limits_keep_neither_names_nor_addresses(local: Local) -> None:
    ask_token(from_network(local, "198.51.100.9"), "uma", "wrong")
    with local.context.database.read() as session:
        keys = session.scalars(select(Limit.key)).all()
    assert keys
    assert not any("uma" in key or "198.51" in key for key in keys)


def test_a_limit_holds_for_all_replicas_at_once(database_url: str, tmp_path: Path) -> None:
    """Two replicas with one database, 40 requests at once, 5 allowed: 5 pass."""
    settings = Settings(data=tmp_path / "data", database_url=database_url)
    replicas = [Context.open(settings) for _ in range(2)]
    assert replicas[0].secret == replicas[1].secret
    allowance = Allowance("a test", 5, 60)

    def one(number: int) -> bool:
        try:
            spend(replicas[number % 2], allowance, "somebody")
        except Problem:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        passed = sum(pool.map(one, range(40)))
    assert passed == 5
    with replicas[0].database.write() as session:
        session.execute(update(Limit).values(until=time.time() - 1))
    assert one(0), "and it starts anew when its time is over"
    for replica in replicas:
        replica.database.close()


def test_passwords_are_hashed_with_argon2id_at_full_cost() -> None:
    """In a process that has not made it quick for tests."""
    code = "from retia.api.accounts import hash_of; print(hash_of('a password'))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    kind, version, cost = found.stdout.split("$")[1:4]
    assert (kind, version) == ("argon2id", "v=19")
    memory, rounds, _ = (int(part.partition("=")[2]) for part in cost.split(","))
    assert memory >= 19 * 1024, "kibibytes, as OWASP asks for"
    assert rounds >= 2


def test_many_first_starts_make_one_secret(database_url: str, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", database_url=database_url)
    with ThreadPoolExecutor(4) as pool:
        contexts = list(pool.map(lambda _: Context.open(settings), range(4)))
    assert len({context.secret for context in contexts}) == 1
    assert len(contexts[0].secret) == 32
    assert contexts[0].secret.hex() not in repr(contexts[0])
    for context in contexts:
        context.database.close()


def test_a_wrong_name_takes_as_long_as_a_wrong_password(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the account is there, closed, or without a password."""
    hasher = PasswordHasher()
    stored = hasher.hash(PASSWORD)
    assert stored.startswith("$argon2id$")
    monkeypatch.setattr(accounts, "_hasher", hasher)
    monkeypatch.setattr(accounts, "_nobody", stored)
    seconds: dict[str, list[float]] = {name: [] for name in ("uma", "nobody", "eve", "ada")}
    with local.context.database.write() as session:
        session.execute(update(User).values(password_hash=stored))
        session.execute(update(User).where(User.name == "eve").values(password_hash="-"))
        session.execute(update(User).where(User.name == "ada").values(role="closed"))
    for _ in range(3):
        for name, found in seconds.items():
            start = time.perf_counter()
            answer = ask_token(local.client, name, "a wrong password")
            found.append(time.perf_counter() - start)
            assert answer.status_code == 401
            assert answer.json()["detail"] == "the name or the password is wrong"
    medians = [statistics.median(found) for found in seconds.values()]
    assert max(medians) < 2.5 * min(medians), seconds


def test_a_closed_account_does_nothing(local: Local) -> None:
    with local.context.database.write() as session:
        session.execute(update(User).where(User.name == "ada").values(role="closed"))
    assert ask_token(local.client, "ada").status_code == 401
    answer = local.client.head(f"{API}/blobs/{SUM}", headers=bearer(local.tokens["ada"]))
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "name",
    ["Uma", "um-a", "u.m.a", "urna", "URNA"],
)
def test_a_name_that_looks_like_another_is_taken(
    name: str, make_local: Callable[..., Local]
) -> None:
    local = make_local(registration="open")
    answer = local.client.post(f"{API}/users", json={"name": name, "password": PASSWORD})
    assert answer.status_code == 409
    assert answer.json()["detail"] == f"the name {name} is taken: it looks like uma"


@pytest.mark.parametrize(
    "name",
    [
        "аda",  # the first letter is Cyrillic
        "ａda",  # full width
        "ada\u200b",
        "ad\u0430m",
        "x" * 41,
        "x" * 10_000,
        "a b",
        "<b>",
        "a/b",
        "../x",
        "a",
        "-ab",
        "admin",
        "Root",
        "a\u0000b",
        "'; DROP TABLE users; --",
    ],
)
def test_a_name_that_could_mislead_is_refused(name: str, make_local: Callable[..., Local]) -> None:
    local = make_local(registration="open")
    answer = local.client.post(f"{API}/users", json={"name": name, "password": PASSWORD})
    assert answer.status_code == 422
    assert len(answer.content) < 1500
    assert answer.headers["content-type"] == "application/problem+json"


def test_of_many_who_take_a_name_at_once_one_gets_it(make_either: Callable[..., Local]) -> None:
    local = make_either(registration="open")
    body = {"name": "wanted", "password": PASSWORD}
    with local.client, ThreadPoolExecutor(6) as pool:
        codes = list(
            pool.map(lambda _: local.client.post(f"{API}/users", json=body).status_code, range(6))
        )
    assert sorted(codes) == [201] + [409] * 5


def test_an_invitation_works_once(make_local: Callable[..., Local]) -> None:
    local = make_local(registration="invite", public_url="https://retia.example.org")
    headers = bearer(local.tokens["root"])
    made = local.client.post(f"{API}/invitations", json={"role": "publisher"}, headers=headers)
    assert made.status_code == 201
    link = made.json()["link"]
    assert link.startswith("https://retia.example.org/join?link=")
    body = {"name": "zoe", "password": PASSWORD}
    assert local.client.post(f"{API}/users", json=body).status_code == 403
    invitation = link.partition("=")[2]
    wrong = local.client.post(f"{API}/users", json=body | {"invitation": "x" * 43})
    assert wrong.status_code == 422
    answer = local.client.post(f"{API}/users", json=body | {"invitation": invitation})
    assert (answer.status_code, answer.json()["role"]) == (201, "publisher")
    again = body | {"name": "other", "invitation": invitation}
    assert local.client.post(f"{API}/users", json=again).status_code == 422
    for who in ("ada", "uma"):
        headers = bearer(local.tokens[who])
        refused = local.client.post(f"{API}/invitations", json={}, headers=headers)
        assert refused.status_code == 403


def test_one_invitation_makes_one_account_when_two_use_it(
    make_either: Callable[..., Local],
) -> None:
    local = make_either(registration="invite")
    headers = bearer(local.tokens["root"])
    made = local.client.post(f"{API}/invitations", json={}, headers=headers)
    invitation = made.json()["link"].partition("=")[2]

    def take(number: int) -> int:
        body = {"name": f"taker-{number}x", "password": PASSWORD, "invitation": invitation}
        return local.client.post(f"{API}/users", json=body).status_code

    with local.client, ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(take, range(2, 6))) == [201, 422, 422, 422]


def test_tokens_are_listed_and_revoked(make_either: Callable[..., Local]) -> None:
    local = make_either()
    body = {"name": "uma", "password": PASSWORD, "scopes": ["read"], "label": "laptop"}
    made = local.client.post(f"{API}/tokens", json=body).json()
    headers = bearer(made["token"])
    listed = local.client.get(f"{API}/tokens", headers=headers).json()
    assert listed["user"] == "uma"
    assert [(t["label"], t["scopes"], t["current"]) for t in listed["items"]] == [
        ("laptop", ["read"], True),
        ("test", ["read", "submit"], False),
    ]
    assert made["token"] not in str(listed)
    mighty = listed["items"][1]["id"]
    assert local.client.delete(f"{API}/tokens/{mighty}", headers=headers).status_code == 403
    assert local.client.delete(f"{API}/tokens/{made['id']}", headers=headers).status_code == 204
    assert local.client.get(f"{API}/tokens", headers=headers).status_code == 401
    foreign = local.client.delete(f"{API}/tokens/{mighty}", headers=bearer(local.tokens["root"]))
    assert foreign.status_code == 404


def test_what_is_done_to_rights_is_noted(make_either: Callable[..., Local]) -> None:
    local = make_either()
    made = ask_token(local.client, "uma").json()
    local.client.delete(f"{API}/tokens/{made['id']}", headers=bearer(local.tokens["uma"]))
    local.client.post(f"{API}/invitations", json={}, headers=bearer(local.tokens["root"]))
    local.client.post(f"{API}/users/uma/password-link", headers=bearer(local.tokens["root"]))
    headers = bearer(local.tokens["root"])
    items = local.client.get(f"{API}/audit", headers=headers).json()["items"]
    assert [(row["actor"], row["action"], row["subject"]) for row in items] == [
        ("root", "password.link", "uma"),
        ("root", "invitation.add", "user"),
        ("uma", "token.revoke", f"uma #{made['id']}"),
        ("uma", "token.add", f"uma #{made['id']}: read"),
    ]
    page = local.client.get(f"{API}/audit?limit=3", headers=headers).json()
    rest = local.client.get(f"{API}/audit?limit=3&cursor={page['next']}", headers=headers).json()
    assert page["items"] + rest["items"] == items
    assert rest["next"] is None
    with local.context.database.read() as session:
        requests = session.scalars(select(Audit.request)).all()
    assert all(requests)
    assert local.client.get(f"{API}/audit", headers=bearer(local.tokens["ada"])).status_code == 403


def test_an_address_is_shown_nowhere(make_local: Callable[..., Local]) -> None:
    local = make_local(registration="open")
    body = {"name": "zoe", "password": PASSWORD, "email": "zoe@private.example"}
    assert "private.example" not in local.client.post(f"{API}/users", json=body).text
    again = body | {"name": "yan"}
    answer = local.client.post(f"{API}/users", json=again)
    assert answer.status_code == 201, "whether an address is known here is not told"
    token = ask_token(local.client, "zoe").json()["token"]
    for place in ("tokens", "audit", "users", "datasets"):
        for who in (token, local.tokens["root"]):
            assert "private" not in local.client.get(f"{API}/{place}", headers=bearer(who)).text
