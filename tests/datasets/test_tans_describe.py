import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from retia.datasets.text.tans.describers import endpoint as asking
from retia.datasets.text.tans.describers.cache import AnswerCache
from retia.datasets.text.tans.describers.endpoint import Manner, ask_all
from retia.datasets.text.tans.describers.limits import Prices
from retia.datasets.text.tans.describers.request import Endpoint, Request, make_requests
from retia.datasets.text.tans.record import read_record
from retia.protocol.baselines import mandatory_predictions
from retia.protocol.evaluation import evaluate, load_truth
from retia.protocol.llm_only import predicted_classes
from retia.protocol.predictions import read_predictions
from retia.shards.errors import InputError, ServiceError
from retia.shards.version import Version
from tests.datasets.chat_server import Books, chat_server, completion
from tests.toys import CLASSES, toy_node

Retia = Callable[..., int]
Output = pytest.CaptureFixture[str]
KEY = "sk-a-secret-of-some-length"
KILLS = 4
QUICK = Manner(first_wait_s=0.01, timeout_s=2.0)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return toy_node(tmp_path_factory.mktemp("node"))


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("RETIA_CACHE", str(tmp_path / "cache"))


def requests_to(url: str, number: int, key: str | None = None) -> tuple[Endpoint, list[Request]]:
    endpoint = Endpoint(url, "toy-model", 50, key)
    prompts = [f"Describe node {i}." for i in range(number)]
    return endpoint, make_requests(endpoint, "Be brief.", prompts, "test/1")


def ask(
    folder: Path,
    url: str,
    number: int,
    *,
    prices: Prices | None = None,
    manner: Manner = QUICK,
    key: str | None = None,
) -> tuple[dict, list[Request], asking.Asked]:
    """The answers to `number` requests, by key."""
    endpoint, requests = requests_to(url, number, key)
    found = {}
    with AnswerCache.open(folder) as cache:
        asked = ask_all(
            endpoint,
            requests,
            cache,
            prices or Prices(),
            manner,
            lambda request, answer: found.__setitem__(request.key, answer),
        )
    return found, requests, asked


BEHAVIOURS = {
    "ok": ("ok", ""),
    "once 500": ("ok", ""),
    "once 429 0": ("ok", ""),
    "once 408": ("ok", ""),
    "empty": ("empty", "nothing"),
    "length": ("truncated", "--max-tokens"),
    "400": ("refused", "answers 400"),
    "500": ("failed", "answers 500"),
    "close": ("interrupted", "connection broke"),
    "cut": ("interrupted", "not whole JSON"),
    "slow": ("interrupted", "no answer in 2 s; it may have been paid"),
    "504": ("interrupted", "answers 504"),
    "200 error": ("failed", "the engine is out"),
}


def test_every_row_is_answered_or_marked_with_its_reason(tmp_path: Path) -> None:
    names, books = list(BEHAVIOURS), Books(delay_s=0.2)
    order = {}

    def behave(key: str, attempt: int) -> str:
        name = order[key]
        return "ok" if name.startswith("once") and attempt > 1 else name.removeprefix("once ")

    books.behave = behave
    with chat_server(books) as url:
        _, requests = requests_to(url, 3 * len(names))
        order |= {one.key: names[i % len(names)] for i, one in enumerate(requests)}
        manner = Manner(concurrency=16, first_wait_s=0.01, timeout_s=2.0, attempts=3)
        found, requests, asked = ask(tmp_path, url, len(requests), manner=manner)
        for request in requests:
            status, reason = BEHAVIOURS[order[request.key]]
            assert found[request.key].status == status, order[request.key]
            assert reason in found[request.key].reason
            assert bool(found[request.key].text) == (status == "ok")
            times = {"failed": 3, "refused": 1, "interrupted": 1}.get(status)
            if times and order[request.key] != "200 error":
                assert books.attempts[request.key] == times
        assert set(books.paid.values()) == {1}
        assert asked.answered == sum(answer.is_final for answer in found.values())
        assert 4 < books.most_at_once <= 16


@pytest.mark.parametrize("behaviour", ["close", "cut", "slow", "504"])
def test_a_lost_answer_is_asked_for_again_only_when_told(tmp_path: Path, behaviour: str) -> None:
    books = Books(behave=lambda key, attempt: "ok" if attempt > 1 else behaviour)
    prices = Prices(1.0, 10.0)
    with chat_server(books) as url:
        found, (request,), asked = ask(tmp_path, url, 1, prices=prices)
        assert found[request.key].status == "interrupted"
        assert (books.paid.total(), asked.answered, asked.twice) == (1, 0, 0)
        assert asked.spent == pytest.approx(prices.at_most(request))
        told = Manner(first_wait_s=0.01, timeout_s=2.0, retry_interrupted=True)
        found, _, asked = ask(tmp_path, url, 1, prices=prices, manner=told)
    assert found[request.key].status == "ok"
    assert (books.paid.total(), asked.answered, asked.twice) == (2, 1, 1)
    with AnswerCache.open(tmp_path) as cache:
        attempts = cache.attempts(request.key)
    assert prices.already(request, attempts) == pytest.approx(prices.at_most(request) + 3e-4)


def test_an_answer_of_no_use_is_asked_for_under_another_idempotency_key(tmp_path: Path) -> None:
    """An endpoint that heeds the key would send the same answer again."""
    books = Books(behave=lambda key, attempt: "ok" if attempt > 1 else "empty")
    with chat_server(books) as url:
        _, (request,), _ = ask(tmp_path, url, 1)
        found, _, asked = ask(tmp_path, url, 1)
    assert books.idempotency == [request.key, f"{request.key}-1"]
    assert found[request.key].status == "ok" and asked.twice == 0


def test_a_pause_holds_back_those_who_have_a_turn_already(tmp_path: Path) -> None:
    books = Books(behave=lambda key, attempt: "429 1" if len(books.times) == 1 else "ok")
    with chat_server(books) as url:
        ask(tmp_path, url, 4, manner=Manner(requests_a_minute=300, first_wait_s=0.01))
    assert books.times[1] - books.times[0] > 0.95


def test_what_was_paid_is_not_asked_again(tmp_path: Path) -> None:
    books = Books(behave=lambda key, attempt: ("ok", "empty", "500")[int(key, 16) % 3])
    with chat_server(books) as url:
        manner = Manner(first_wait_s=0.01, attempts=1)
        found, requests, _ = ask(tmp_path, url, 30, manner=manner)
        with AnswerCache.open(tmp_path) as cache:
            for request in requests:
                kept = cache.get(request.key)
                assert kept == (found[request.key] if found[request.key].is_final else None)
    assert set(books.paid.values()) == {1}


def test_retry_after_is_waited_for_by_all(tmp_path: Path) -> None:
    books = Books(behave=lambda key, attempt: "429 1" if len(books.times) == 1 else "ok")
    with chat_server(books) as url:
        ask(tmp_path, url, 4, manner=Manner(concurrency=1, first_wait_s=0.01))
    assert books.times[1] - books.times[0] > 0.95


def test_a_wait_beyond_reason_ends_the_run(tmp_path: Path) -> None:
    with (
        chat_server(Books(behave=lambda key, attempt: "429 3600")) as url,
        pytest.raises(ServiceError, match="asks to wait 3600 s; the same command goes on"),
    ):
        ask(tmp_path, url, 4)


def test_no_more_requests_and_tokens_a_minute_than_allowed(tmp_path: Path) -> None:
    for i, limit in enumerate(({"requests_a_minute": 600}, {"tokens_a_minute": 600 * 73})):
        books = Books()
        with chat_server(books) as url:
            ask(tmp_path / str(i), url, 6, manner=Manner(concurrency=6, **limit))
        assert np.diff(sorted(books.times)).min() > 0.05
        assert max(books.times) - min(books.times) > 0.45


@pytest.mark.parametrize("status", ["401", "403", "404"])
def test_other_refusals_end_the_run_at_once(tmp_path: Path, status: str) -> None:
    books = Books(behave=lambda key, attempt: status)
    with chat_server(books) as url, pytest.raises(ServiceError) as told:
        ask(tmp_path, url, 50, key=KEY)
    assert len(books.times) <= QUICK.concurrency
    assert KEY not in str(told.value)


def test_ten_refusals_in_a_row_end_the_run(tmp_path: Path) -> None:
    books = Books(behave=lambda key, attempt: "400")
    with chat_server(books) as url, pytest.raises(ServiceError, match="answers 400"):
        ask(tmp_path, url, 50)
    assert 10 <= len(books.times) <= 10 + QUICK.concurrency


def test_answers_on_their_way_are_kept_when_another_is_refused(tmp_path: Path) -> None:
    books = Books(delay_s=0.2)
    with chat_server(books) as url:
        _, requests = requests_to(url, 50)
        books.behave = lambda key, attempt: "404" if key == requests[0].key else "ok"
        with pytest.raises(ServiceError):
            ask(tmp_path, url, 50)
        with AnswerCache.open(tmp_path) as cache:
            assert {one.key for one in requests if cache.get(one.key)} == set(books.paid)
    assert 0 < len(books.paid) < 2 * QUICK.concurrency


def test_a_run_stops_before_it_costs_more(tmp_path: Path) -> None:
    books = Books()
    prices = Prices(sent=1.0, answered=10.0, max_cost=0.0045)
    with chat_server(books) as url:
        found, _, asked = ask(tmp_path, url, 100, prices=prices)
    real = sum(books.paid.values()) * (100 * 1.0 + 20 * 10.0) / 1e6
    assert asked.spent == pytest.approx(real)
    assert 0.0035 < real <= 0.0045
    assert len(found) < 100
    assert "--max-cost" in asked.stopped


def test_an_answer_that_got_lost_counts_as_paid(tmp_path: Path) -> None:
    books = Books(behave=lambda key, attempt: "cut")
    with chat_server(books) as url:
        _, requests = requests_to(url, 1)
        prices = Prices(1.0, 10.0, max_cost=2.5 * Prices(1.0, 10.0).at_most(requests[0]))
        told = Manner(first_wait_s=0.01, retry_interrupted=True)
        found, _, asked = ask(tmp_path, url, 1, prices=prices, manner=told)
    assert len(books.times) == 2
    assert found == {} and "--max-cost" in asked.stopped


def test_two_runs_do_not_share_a_cache(tmp_path: Path) -> None:
    with AnswerCache.open(tmp_path), pytest.raises(InputError, match="another `retia describe`"):  # noqa: SIM117
        with AnswerCache.open(tmp_path):
            pass


@pytest.mark.parametrize(
    ("url", "key", "told"),
    [
        ("ftp://127.0.0.1/v1", None, "not an address"),
        ("http://127.0.0.1:port/v1", None, "not an address"),
        ("http://me:word@127.0.0.1/v1", None, "leave user and password out"),
        ("http://10.0.0.5/v1", KEY, "not sent over plain http"),
        ("http://127.0.0.1/v1", "sk-\x07bell", "characters that no key has"),
    ],
)
def test_addresses_and_keys_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch, url: str, key: str | None, told: str
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    if key:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(InputError, match=told) as error:
        Endpoint.from_environment("m")
    assert "word@" not in str(error.value) and KEY not in str(error.value)


def test_the_same_question_elsewhere_is_another_request() -> None:
    one = Endpoint("http://a/v1", "m", 50)
    requests = [
        make_requests(one, "s", ["p"], "t/1")[0],
        make_requests(Endpoint("http://b/v1", "m", 50), "s", ["p"], "t/1")[0],
        make_requests(Endpoint("http://a/v1", "n", 50), "s", ["p"], "t/1")[0],
        make_requests(Endpoint("http://a/v1", "m", 60), "s", ["p"], "t/1")[0],
        make_requests(one, "z", ["p"], "t/1")[0],
        make_requests(one, "s", ["q"], "t/1")[0],
        make_requests(one, "s", ["p"], "t/2")[0],
    ]
    assert len({request.key for request in requests}) == 7
    keyed = Endpoint("http://a/v1", "m", 50, KEY)
    assert make_requests(keyed, "s", ["p"], "t/1")[0].key == requests[0].key
    assert KEY not in repr(keyed)


def test_the_template_needs_no_network(retia: Retia, node: Version, tmp_path: Path) -> None:
    out, twice = tmp_path / "a.parquet", tmp_path / "b.parquet"
    assert retia("describe", node.root, "--out", out) == 0
    assert retia("describe", node.root, "--out", twice, "--workers", 1) == 0
    assert out.read_bytes() == twice.read_bytes()
    table = pq.read_table(out)
    degree = np.bincount(
        np.concatenate([node.edges("edge")[end].to_numpy() for end in ("src", "dst")]),
        minlength=80,
    )
    assert table["degree"].to_pylist() == degree.tolist()
    for text, k in zip(table["description"].to_pylist(), degree.tolist(), strict=True):
        assert text.startswith(f"This node is joined to {k} others.")
        assert f"its degree is {k}, higher" in text
    assert set(table["status"].to_pylist()) == {"ok"}
    record = read_record(out)
    assert record and record["digest"] == node.manifest.digest
    assert not record["llm_prediction"]


def test_a_missing_key_shows_before_the_first_node(
    retia: Retia, node: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    books = Books(key=KEY)
    with chat_server(books) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        words = ("describe", node.root, "--with", "endpoint", "--model", "m", "--out")
        assert retia(*words, tmp_path / "a.parquet") == 2
        assert capsys.readouterr().err == f"retia: {url} needs a key; set OPENAI_API_KEY\n"
        monkeypatch.setenv("OPENAI_API_KEY", "sk-another-key")
        assert retia(*words, tmp_path / "a.parquet") == 2
        told = capsys.readouterr().err
        assert told == f"retia: {url} does not take the key in OPENAI_API_KEY\n"
    assert not books.times


def test_the_key_is_nowhere(
    retia: Retia,
    node: Version,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither where the endpoint sends it back in an error, nor in an answer."""
    caplog.set_level("DEBUG")
    books = Books(key=KEY, behave=lambda key, attempt: ("echo", "400")[int(key, 16) % 8 == 0])
    out = tmp_path / "made" / "a.parquet"
    with chat_server(books) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        words = ("describe", node.root, "--with", "endpoint", "--model", "m", "--out", out)
        assert retia(*words, "--cache", tmp_path / "made") == 1
    table = pq.read_table(out)
    assert set(table["status"].to_pylist()) == {"ok", "refused"}
    assert "I was sent Bearer ***" in table["description"].to_pylist()
    shown = capsys.readouterr()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for place in (shown.out, shown.err, caplog.text, str(table.to_pydict()), str(kept)):
        assert KEY not in place


def test_classes_in_the_prompt_make_a_prediction_with_its_baseline(
    retia: Retia, node: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    out = tmp_path / "a.parquet"
    with chat_server(Books()) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        words = ("describe", node.root, "--with", "endpoint", "--model", "m", "--out", out)
        assert retia(*words, "--classes-in-prompt", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    table, record = pq.read_table(out), read_record(out)
    assert set(table["llm_prediction"].to_pylist()) == {"green"}
    assert record and record["llm_prediction"] and record["class_names_in_prompt"]
    assert record["parameters"] == {"temperature": 0, "max_tokens": 300}
    assert b"prediction" in table.schema.field("description").metadata[b"description"]
    assert set(table["template"].to_pylist()) == {"tans-free-classes/1"}
    task = node.manifest.task("colour")
    items = {
        (split, part): load_truth(node, "colour", split, part).items
        for split in range(task.num_splits)
        for part in ("valid", "test")
    }
    alone = read_predictions(pq.read_table(tmp_path / "a.llm-only.parquet"), task, items)
    scores = [
        evaluate(load_truth(node, "colour", split, "test"), alone.values[split, "test"])
        for split in range(task.num_splits)
    ]
    assert told["llm_only"] == pytest.approx(np.mean([score["accuracy"] for score in scores]))


def test_the_last_class_line_counts() -> None:
    import pyarrow as pa

    texts = ["Class: red, no.\nClass: Green", "**Class:** `blue`.", "class: pink", "red", ""]
    found = predicted_classes(pa.array(texts, pa.large_string()), CLASSES)
    assert found.tolist() == [1, 2, -1, -1, -1]


def test_batches_go_out_and_come_in_unordered(
    retia: Retia, node: Version, tmp_path: Path, capsys: Output
) -> None:
    sent, results, out = (tmp_path / name for name in ("b.jsonl", "r.jsonl", "a.parquet"))
    words = ("describe", node.root, "--with", "endpoint", "--model", "m")
    assert retia(*words, "--batch-out", sent) == 0
    lines = [json.loads(line) for line in sent.read_text().splitlines()]
    assert len(lines) == len({line["custom_id"] for line in lines}) == 80
    assert {(line["method"], line["url"]) for line in lines} == {("POST", "/v1/chat/completions")}
    assert {line["body"]["model"] for line in lines} == {"m"}
    answers = [
        {
            "custom_id": line["custom_id"],
            "response": {"status_code": 200, "body": completion(f"About {line['custom_id']}")},
            "error": None,
        }
        for line in reversed(lines)
    ]
    answers[0] |= {"response": None, "error": {"message": "expired"}}
    answers[1]["response"] = {"status_code": 400, "body": {"error": {"message": "too long"}}}
    answers.append(answers[2] | {"custom_id": "another"})
    results.write_text("".join(json.dumps(line) + "\n" for line in answers))
    assert retia(*words, "--batch-in", results, "--out", out) == 1
    assert "1 results are of other prompts" in capsys.readouterr().err
    table = pq.read_table(out)
    reasons = [reason for reason in table["reason"].to_pylist() if reason]
    assert sorted(reasons) == ["the batch answers 400: too long", "the batch answers: expired"]
    assert len(set(table["description"].to_pylist())) == 79
    assert retia(*words, "--batch-out", tmp_path / "rest.jsonl") == 0
    assert len((tmp_path / "rest.jsonl").read_text().splitlines()) == 2
    assert retia(*words, "--batch-out", sent) == 2
    assert "b.jsonl exists, and may have been sent" in capsys.readouterr().err
    stale = [answers[0] | {"custom_id": line["custom_id"]} for line in lines[:5]]
    (tmp_path / "stale.jsonl").write_text("".join(json.dumps(line) + "\n" for line in stale))
    assert retia(*words, "--batch-in", tmp_path / "stale.jsonl", "--out", out) == 1
    table = pq.read_table(out)
    assert len(set(table["description"].to_pylist())) == 79  # no error in place of an answer
    reasons = [reason for reason in table["reason"].to_pylist() if reason]
    assert set(reasons) == {"not among the results of the batch"}
    assert retia(*words, "--batch-in", tmp_path / "none.jsonl", "--out", out) == 2
    assert "none.jsonl: there is no such file" in capsys.readouterr().err
    results.write_text(results.read_text()[:-30])
    assert retia(*words, "--batch-in", results, "--out", out) == 2
    assert "line 81 is no result of a batch" in capsys.readouterr().err


def test_no_other_file_is_overwritten(
    retia: Retia, node: Version, tmp_path: Path, capsys: Output
) -> None:
    out = tmp_path / "a.parquet"
    out.write_text("precious")
    assert retia("describe", node.root, "--out", out) == 2
    assert "a.parquet exists and is no table of descriptions" in capsys.readouterr().err
    assert out.read_text() == "precious"
    out.unlink()
    assert retia("describe", node.root, "--out", out) == 0
    assert retia("describe", node.root, "--out", out) == 0
    other = toy_node(tmp_path / "other", num_nodes=90)
    assert retia("describe", other.root, "--out", out) == 2
    assert f"has the descriptions of {node.manifest.reference}" in capsys.readouterr().err


def test_without_a_key_openai_is_not_asked(
    retia: Retia, node: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL")
    words = ("describe", node.root, "--with", "endpoint", "--model", "m", "--out")
    assert retia(*words, tmp_path / "a.parquet") == 2
    told = "retia: https://api.openai.com/v1 needs a key; set OPENAI_API_KEY\n"
    assert capsys.readouterr().err == told


def test_a_key_that_json_escapes_is_cut_out(tmp_path: Path) -> None:
    key = 'sk-with"quotes\\and-slashes'
    books = Books(key=key, behave=lambda *_: "echo")
    with chat_server(books) as url:
        found, (request,), _ = ask(tmp_path, url, 1, key=key)
    assert found[request.key].text == "I was sent Bearer ***"


def test_a_dry_run_sends_nothing(retia: Retia, node: Version, capsys: Output) -> None:
    words = ("describe", node.root, "--with", "endpoint", "--model", "m", "--dry-run", "--json")
    assert retia(*words, "--price-in", 1, "--price-out", 2, "--max-tokens", 100) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["requests"], told["most_tokens_answered"]) == (80, 8_000)
    assert told["cost"] == pytest.approx((told["tokens_sent"] + 2 * 8_000) / 1e6)
    assert 80 * 150 < told["tokens_sent"] < 80 * 300


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--out FILE.parquet"),
        (("--out", "a.csv"), "a.csv: the table is Parquet, and its name says so: --out a.parquet"),
        (("--out", "X.pq"), "X.pq: the table is Parquet, and its name says so: --out X.parquet"),
        (("--dry-run",), "add --with endpoint"),
        (("--with", "endpoint", "--dry-run"), "--model"),
        (("--out", "a.parquet", "--task", "colour"), "--classes-in-prompt"),
        (("--out", "a.parquet", "--setting", "rich"), "have no text"),
        (("--out", "a.parquet", "--relation", "road"), "no relation 'road'"),
        (("--with", "endpoint", "--model", "m", "--out", "a.parquet", "--max-cost", 1), "prices"),
    ],
)
def test_options_that_do_not_go_together(
    retia: Retia, node: Version, words: tuple[object, ...], told: str, capsys: Output
) -> None:
    assert retia("describe", node.root, *words) == 2
    shown = capsys.readouterr().err
    assert told in shown and shown.count("\n") == 1


AS_SERVERS_DO = ("ok", "ok", "429 0", "500", "cut", "close", "504", "slow", "empty", "400")


@pytest.mark.slow
def test_killed_runs_lose_no_row_and_pay_none_twice(node: Version, tmp_path: Path) -> None:
    """Killed for good at random moments, by an endpoint that bills every request that it gets to.

    Only what is asked for explicitly is paid a second time, and it is counted.
    """

    def behave(key: str, attempt: int) -> str:
        time.sleep(int(key[:4], 16) / 0xFFFF / 5)
        name = AS_SERVERS_DO[int(key[4:], 16) % len(AS_SERVERS_DO)]
        return "ok" if attempt > 1 and name != "400" else name

    books, out, rng = Books(behave=behave), tmp_path / "a.parquet", np.random.default_rng(0)
    with chat_server(books) as url:
        words = ["describe", node.root, "--with", "endpoint", "--model", "m", "--out", out]
        command = [sys.executable, "-m", "retia", *map(str, words), "--concurrency", "3", "--json"]
        command += ["--timeout", "1"]
        environment = os.environ | {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": KEY}
        for _ in range(KILLS):
            seen = len(books.times)
            with subprocess.Popen(command, env=environment, start_new_session=True) as process:
                deadline = time.monotonic() + 60
                while len(books.times) == seen and time.monotonic() < deadline:
                    time.sleep(0.001)
                time.sleep(rng.random() / 2)
                os.killpg(process.pid, signal.SIGKILL)
            assert process.returncode == -signal.SIGKILL
        assert not out.exists()
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 1 and "--retry-interrupted asks again" in done.stderr
        assert set(books.paid.values()) == {1}
        table = pq.read_table(out)
        statuses = dict(zip(*(table[name].to_pylist() for name in ("id", "status")), strict=True))
        counts = Counter(statuses.values())
        assert len(statuses) == 80 and set(counts) == {"ok", "empty", "refused", "interrupted"}
        reasons = table["reason"].to_pylist()
        assert sum(reason is None for reason in reasons) == counts["ok"]
        killed = sum("in flight when interrupted" in str(reason) for reason in reasons)
        assert 0 < killed <= 3 * KILLS
        assert len(books.paid) <= 80 - counts["refused"]
        told = json.loads(done.stdout)
        assert told["possibly_paid_twice"] == 0

        command.append("--retry-interrupted")
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert set(pq.read_table(out)["status"].to_pylist()) == {"ok", "empty", "refused"}
        assert f"possibly paid twice: {counts['interrupted']}\n" in done.stderr
        assert json.loads(done.stdout)["possibly_paid_twice"] == counts["interrupted"]


def test_a_wait_between_attempts_ends_with_an_interrupt(node: Version, tmp_path: Path) -> None:
    books = Books(behave=lambda key, attempt: "429 100")
    with chat_server(books) as url:
        words = ["describe", node.root, "--with", "endpoint", "--model", "m"]
        command = [sys.executable, "-m", "retia", *map(str, words), "--out", tmp_path / "a.parquet"]
        environment = os.environ | {"OPENAI_BASE_URL": url}
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
            deadline = time.monotonic() + 60
            while not books.times and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=10)
    assert process.returncode == 130


@pytest.fixture
def plain(tmp_path: Path) -> list[object]:
    """The words that build a graph of 120 airports without text, of two classes."""
    rng = np.random.default_rng(0)
    pairs = np.unique(np.sort(rng.integers(120, size=(400, 2)), axis=1), axis=0)
    kinds = np.where(np.bincount(pairs.ravel(), minlength=120) > 6, "busy", "quiet")
    nodes, edges = tmp_path / "n.csv", tmp_path / "e.csv"
    nodes.write_text("id,kind\n" + "".join(f"A{i},{kind}\n" for i, kind in enumerate(kinds)))
    edges.write_text("src,dst\n" + "".join(f"A{a},A{b}\n" for a, b in pairs.tolist()))
    words = ["build", "text", "--nodes", nodes, "--edges", edges, "--undirected"]
    return [*words, "--text", "", "--label", "kind", "--out", tmp_path / "made"]


def test_a_graph_without_text_gets_one_that_can_be_encoded(
    retia: Retia, plain: list[object], tmp_path: Path
) -> None:
    made, out = tmp_path / "made", tmp_path / "air.parquet"
    assert retia(*plain, "--name", "bare") == 0
    assert retia("describe", made / "bare-node" / "1.0.0", "--node", "airport", "--out", out) == 0
    words = ("--name", "air", "--texts", out, "--encoding", "hashing-32")
    assert retia(*plain, *words) == 0
    assert not (made / "air-link").exists()  # the descriptions would tell of its hidden edges
    version = Version.open(made / "air-node" / "1.0.0")
    described = pq.read_table(out)
    by_id = dict(zip(*(described[name].to_pylist() for name in ("id", "description")), strict=True))
    names, texts = version.table("ids")["name"], version.nodes(["generated_text"])["generated_text"]
    assert [by_id[name] for name in names.to_pylist()] == texts.to_pylist()
    assert version.manifest.encodings is not None
    parameters = version.manifest.provenance.parameters
    assert parameters["generated_text"]["template"] == "tans-template-free/1"
    assert retia("describe", version.root, "--out", tmp_path / "again.parquet") == 0
    again = read_record(tmp_path / "again.parquet")
    assert again and again["setting"] == "free"  # a description is not described again
    assert retia("audit", version.root) == 0
    assert "llm-only" not in mandatory_predictions(version, "kind")


def test_predictions_in_the_texts_make_the_llm_only_row_mandatory(
    retia: Retia, plain: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, out = tmp_path / "made", tmp_path / "air.parquet"
    assert retia(*plain, "--name", "bare", "--only", "node") == 0
    words = ("describe", made / "bare-node" / "1.0.0", "--with", "endpoint", "--model", "m")
    with chat_server(Books(text="It is large.\nClass: quiet")) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert retia(*words, "--classes-in-prompt", "--out", out) == 0
    assert retia(*plain, "--name", "air", "--texts", out) == 0
    version = Version.open(made / "air-node" / "1.0.0")
    (column,) = (one for one in version.manifest.columns if one.name == "generated_text")
    assert "prediction of the class" in column.description
    row = mandatory_predictions(version, "kind")["llm-only"]
    classes = version.manifest.task("kind").classes
    assert {classes[place] for place in row["pred"].to_pylist()} == {"quiet"}


def test_descriptions_that_do_not_fit_are_refused(
    retia: Retia, plain: list[object], node: Version, tmp_path: Path, capsys: Output
) -> None:
    out, cut = tmp_path / "air.parquet", tmp_path / "cut.parquet"
    assert retia("describe", node.root, "--out", out) == 0
    cut.write_bytes(out.read_bytes()[:-50])
    as_nodes = [out if str(word).endswith("n.csv") else word for word in plain]
    for words, told in (
        ((*plain, "--texts", out), "row 1, column id: 'n0' is not in the graph"),
        ((*plain, "--texts", cut), "Parquet"),
        ((*plain, "--only", "link", "--texts", out), "may tell of the edges"),
        (tuple(as_nodes), "given as --texts"),
    ):
        capsys.readouterr()
        assert retia(*words, "--name", "air") == 2
        assert told in capsys.readouterr().err


def test_an_interrupt_keeps_the_answers_on_their_way(node: Version, tmp_path: Path) -> None:
    books, cache = Books(delay_s=0.3), tmp_path / "answers"
    with chat_server(books) as url:
        words = ["describe", node.root, "--with", "endpoint", "--model", "m", "--cache", cache]
        command = [sys.executable, "-m", "retia", *map(str, words), "--out", tmp_path / "a.parquet"]
        environment = os.environ | {"OPENAI_BASE_URL": url}
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
            deadline = time.monotonic() + 60
            while books.at_once < 4 and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"pays no answer twice" in told
    assert 4 <= len(books.paid) <= 8
    with AnswerCache.open(cache) as opened:
        assert all(opened.get(key) for key in books.paid)
