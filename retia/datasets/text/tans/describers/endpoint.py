"""Ask a model at any OpenAI-compatible endpoint: bounded, paced, patient, and never paid twice.

408, 409, 429, 5xx and connections that are not made cost nothing, and are tried again, waiting as
`Retry-After` says or ever longer. Where an answer got lost (a timeout, a gateway's too; a broken
connection; JSON cut short), the model may have worked: the request is marked and not sent again,
unless that is asked for. 400, 413 and 422 mark the one request; any other refusal ends the run at
once, as no other request would fare better. Answers on their way are waited for and kept whatever
ends the run, short of a kill; the cache knows what was under way then.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from time import time

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from retia.datasets.text.tans.describers.answer import (
    Answer,
    MalformedError,
    error_text,
    one_line,
    parse_completion,
)
from retia.datasets.text.tans.describers.cache import AnswerCache
from retia.datasets.text.tans.describers.limits import Budget, Pace, Prices
from retia.datasets.text.tans.describers.request import CHAT, DEFAULT_URL, Endpoint, Request
from retia.shards.errors import ServiceError

PASSING = frozenset({408, 409, 429})
LOST = frozenset({502, 504, 524})
OF_ONE_REQUEST = frozenset({400, 413, 422})
MOST_REFUSED = 10
LONGEST_WAIT_S = 120.0
MAX_ANSWER_BYTES = 4 << 20
CONNECT_S = 10.0
POLL_S = 0.05
UNSENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


@dataclass(frozen=True)
class Manner:
    """How an endpoint is asked: so many at once, a minute, and times, and how long it may take.

    With `retry_interrupted`, a request whose answer got lost is sent again, and may be paid again.
    """

    concurrency: int = 4
    requests_a_minute: float | None = None
    tokens_a_minute: float | None = None
    attempts: int = 6
    timeout_s: float = 120.0
    first_wait_s: float = 1.0
    retry_interrupted: bool = False


@dataclass(frozen=True)
class Asked:
    """What a run did: requests answered, what all cost, and why it ended early, if so.

    `twice` is how many were sent again after an attempt that may have been paid.
    """

    answered: int
    spent: float
    stopped: str
    twice: int


class PassingError(Exception):
    """An attempt that failed and may succeed later; `charged` where the model may have worked."""

    def __init__(self, reason: str, *, charged: bool = False, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.charged, self.after_s = charged, after_s


class StoppedError(Exception):
    """Nothing more is sent."""


def ask_all(
    endpoint: Endpoint,
    requests: list[Request],
    cache: AnswerCache,
    prices: Prices,
    manner: Manner,
    on_answer: Callable[[Request, Answer], None],
    before: float = 0.0,
) -> Asked:
    """Ask what the cache does not answer; `on_answer` is told every outcome.

    `before` is what was paid already of the most that the prices allow. Raises `ServiceError`,
    after the answers on their way, where the endpoint refuses us.
    """
    budget = Budget(prices, before)
    return asyncio.run(_Run(endpoint, cache, budget, manner, on_answer).ask(requests))


def lost_answer(cache: AnswerCache, key: str) -> Answer | None:
    """The mark of a request that may have been paid and whose latest attempt has no answer."""
    attempts = cache.attempts(key)
    if not attempts or not attempts[-1].lost:
        return None
    return Answer("interrupted", reason=f"{attempts[-1].lost}; it may have been paid")


class _Run:
    def __init__(
        self,
        endpoint: Endpoint,
        cache: AnswerCache,
        budget: Budget,
        manner: Manner,
        on_answer: Callable[[Request, Answer], None],
    ) -> None:
        self._endpoint, self._cache, self._manner = endpoint, cache, manner
        self._budget, self._on_answer = budget, on_answer
        self._pace = Pace(manner.requests_a_minute, manner.tokens_a_minute, self._sleep)
        self._answered, self._refused, self._under_way = 0, 0, 0
        self._twice: set[str] = set()
        self._stopped, self._end = "", asyncio.Event()
        self._fatal: ServiceError | None = None

    async def ask(self, requests: list[Request]) -> Asked:
        timeout = httpx.Timeout(self._manner.timeout_s, connect=CONNECT_S)
        async with httpx.AsyncClient(
            timeout=timeout,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            trust_env=not self._endpoint.is_local,
            headers=self._endpoint.headers(),
        ) as http:
            self._http = http
            await self._check_access()
            waiting = iter(requests)
            workers = [
                asyncio.create_task(self._work(waiting)) for _ in range(self._manner.concurrency)
            ]
            try:
                await asyncio.wait(workers)
            except asyncio.CancelledError:
                self._stop("interrupted")
                await asyncio.wait(workers)
                raise
        if self._fatal:
            raise self._fatal
        for worker in workers:
            worker.result()
        return Asked(self._answered, self._budget.spent, self._stopped, len(self._twice))

    def _stop(self, why: str) -> None:
        """Send nothing more, and wake whoever waits for a turn."""
        self._stopped = self._stopped or why
        self._end.set()

    async def _sleep(self, seconds: float) -> None:
        """Wait so long; raises `StoppedError` as soon as the run ends."""
        try:
            await asyncio.wait_for(self._end.wait(), seconds)
        except TimeoutError:
            return
        raise StoppedError

    async def _check_access(self) -> None:
        """Ask for the list of models: a missing or a wrong key shows before the first node."""
        if self._endpoint.base_url == DEFAULT_URL and not self._endpoint.has_key:
            raise self._refusal(401, "")
        try:
            response = await self._http.get(f"{self._endpoint.base_url}/models")
        except httpx.ConnectError as error:
            reason = one_line(str(error)) or "no connection"
            raise ServiceError(f"{self._endpoint.base_url} cannot be reached ({reason})") from None
        except httpx.HTTPError:
            return
        if response.status_code in (401, 403):
            raise self._refusal(
                response.status_code, self._endpoint.redact(response.text[:MAX_ANSWER_BYTES])
            )

    async def _work(self, waiting: Iterator[Request]) -> None:
        for request in waiting:
            if self._stopped:
                return
            try:
                answer = await self._ask(request)
            except StoppedError:
                return
            except PassingError as error:
                failed = Answer("failed", reason=str(error))
                answer = lost_answer(self._cache, request.key) or failed
            except ServiceError as error:
                self._fatal = self._fatal or error
                self._stop("refused")
                return
            self._answered += answer.is_final
            self._on_answer(request, answer)

    async def _ask(self, request: Request) -> Answer:
        """All attempts at one request."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(self._may_try_again),
            stop=stop_after_attempt(self._manner.attempts),
            wait=self._wait,
            sleep=self._sleep,
            reraise=True,
        )
        return await retrying(self._attempt, request)

    def _may_try_again(self, error: BaseException) -> bool:
        if not isinstance(error, PassingError) or self._stopped:
            return False
        return self._manner.retry_interrupted or not error.charged

    async def _attempt(self, request: Request) -> Answer:
        """One attempt: on disk as under way while it is, and as paid where it may have been."""
        await self._pace.wait(request)
        await self._reserve(request)
        earlier = self._cache.attempts(request.key)
        if earlier and earlier[-1].lost:
            self._twice.add(request.key)
        number = self._cache.begin(request.key)
        paid = sum(not one.lost for one in earlier)
        idempotency = f"{request.key}-{paid}" if paid else request.key
        self._under_way += 1
        try:
            answer = await self._send(request, idempotency)
        except PassingError as error:
            if error.charged:
                self._cache.lost(number, str(error))
            else:
                self._unpaid(request, number)
            raise
        except ServiceError:
            self._unpaid(request, number)
            raise
        finally:
            self._under_way -= 1
        if not answer.is_final:
            self._unpaid(request, number)
            return answer
        self._cache.answered(number, request.key, answer)
        self._budget.settle(request, answer)
        return answer

    def _unpaid(self, request: Request, number: int) -> None:
        self._cache.unpaid(number)
        self._budget.settle(request, None)

    async def _reserve(self, request: Request) -> None:
        """Set aside what an attempt may cost, once those under way are settled if need be."""
        while not self._stopped:
            if self._budget.reserve(request):
                return
            if not self._under_way:
                self._stop("the next request could exceed --max-cost")
            await asyncio.sleep(POLL_S)
        raise StoppedError

    async def _send(self, request: Request, idempotency: str) -> Answer:
        try:
            async with asyncio.timeout(self._manner.timeout_s):
                status, headers, content = await self._post(request, idempotency)
        except UNSENT as error:
            reason = f"no connection ({one_line(str(error)) or type(error).__name__})"
            raise PassingError(reason) from None
        except (TimeoutError, httpx.TimeoutException):
            reason = f"no answer in {self._manner.timeout_s:g} s"
            raise PassingError(reason, charged=True) from None
        except httpx.HTTPError as error:
            reason = f"the connection broke ({one_line(str(error)) or type(error).__name__})"
            raise PassingError(reason, charged=True) from None
        if status == 200:
            try:
                answer = parse_completion(content)
            except MalformedError as error:
                raise PassingError(str(error), charged=True) from None
            self._refused = 0
            return self._redacted(answer)
        if status in LOST:
            raise PassingError(f"the endpoint answers {status}", charged=True)
        if status in PASSING or status >= 500:
            raise self._passing(status, headers.get("Retry-After", ""))
        self._refused += status in OF_ONE_REQUEST
        if status in OF_ONE_REQUEST and self._refused < MOST_REFUSED:
            return Answer("refused", reason=str(self._refusal(status, content)))
        raise self._refusal(status, content)

    async def _post(self, request: Request, idempotency: str) -> tuple[int, httpx.Headers, str]:
        """Status, headers and text of the endpoint's answer; the key is cut out of it."""
        async with self._http.stream(
            "POST",
            self._endpoint.base_url + CHAT,
            json=request.body,
            headers={"Idempotency-Key": idempotency},
        ) as response:
            content = b""
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    break
        text = content[:MAX_ANSWER_BYTES].decode("utf-8", "replace")
        return response.status_code, response.headers, self._endpoint.redact(text)

    def _redacted(self, answer: Answer) -> Answer:
        """An answer without the key, which JSON may have escaped."""
        redact = self._endpoint.redact
        text, reason, model = map(redact, (answer.text, answer.reason, answer.model))
        return replace(answer, text=text, reason=reason, model=model)

    def _passing(self, status: int, retry_after: str) -> Exception:
        after_s = seconds_of(retry_after)
        if after_s is not None and after_s > LONGEST_WAIT_S:
            return ServiceError(
                f"{self._endpoint.base_url} asks to wait {after_s:.0f} s; the same command goes on "
                "after that"
            )
        if after_s is not None:
            self._pace.pause(after_s)
        return PassingError(f"the endpoint answers {status}", after_s=after_s)

    def _refusal(self, status: int, content: str) -> ServiceError:
        where = self._endpoint.base_url
        if status == 401:
            if not self._endpoint.has_key:
                return ServiceError(f"{where} needs a key; set OPENAI_API_KEY")
            return ServiceError(f"{where} does not take the key in OPENAI_API_KEY")
        try:
            message = error_text(json.loads(content))
        except ValueError:
            message = one_line(content)
        message = self._endpoint.redact(message)
        return ServiceError(f"{where} answers {status}{f': {message}' if message else ''}")

    def _wait(self, state: RetryCallState) -> float:
        """As long as the endpoint asks for, or ever longer; and a little more, at random."""
        error = state.outcome.exception() if state.outcome else None
        first = self._manner.first_wait_s
        asked = error.after_s if isinstance(error, PassingError) else None
        grown = wait_exponential(multiplier=first, max=LONGEST_WAIT_S)(state)
        return (grown if asked is None else asked) + wait_random(0, first)(state)


def seconds_of(retry_after: str) -> float | None:
    """`Retry-After` in seconds, stated as such or as a date; none where it says nothing."""
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(parsedate_to_datetime(retry_after).timestamp() - time(), 0.0)
    except (TypeError, ValueError):
        return None
