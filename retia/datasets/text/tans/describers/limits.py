"""How fast an endpoint is asked, and for how much money."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

from retia.datasets.text.tans.describers.answer import Answer
from retia.datasets.text.tans.describers.cache import Attempt
from retia.datasets.text.tans.describers.request import Request
from retia.shards.errors import InputError

MILLION = 1_000_000


class Pace:
    """Requests in even steps, so that neither they nor their tokens exceed the most a minute."""

    def __init__(
        self,
        requests_a_minute: float | None,
        tokens_a_minute: float | None,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._requests, self._tokens, self._sleep = requests_a_minute, tokens_a_minute, sleep
        self._next = 0.0
        self._turn = asyncio.Lock()

    async def wait(self, request: Request) -> None:
        """Wait for this request's turn, also through a pause that begins meanwhile."""
        step = 60 / self._requests if self._requests else 0.0
        if self._tokens:
            step = max(step, 60 * (request.tokens + request.max_answer) / self._tokens)
        async with self._turn:
            while (left := self._next - monotonic()) > 0:
                await self._sleep(left)
            self._next = monotonic() + step

    def pause(self, seconds: float) -> None:
        """Send nothing for so long: the endpoint has asked for it."""
        self._next = max(self._next, monotonic() + seconds)


@dataclass(frozen=True)
class Prices:
    """The prices of a million tokens, sent and answered, and the most that all answers may cost."""

    sent: float | None = None
    answered: float | None = None
    max_cost: float | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.sent, self.answered, self.max_cost) if value is not None]
        if any(not value >= 0 for value in given):
            raise InputError("--price-in, --price-out and --max-cost are at least 0")
        if self.max_cost is not None and not self.are_known:
            raise InputError(
                "--max-cost needs the prices of a million tokens: --price-in, --price-out"
            )

    @property
    def are_known(self) -> bool:
        """Whether there are both prices."""
        return self.sent is not None and self.answered is not None

    def cost(self, sent: int, answered: int) -> float:
        """What so many tokens cost; 0 where no prices are known."""
        return ((self.sent or 0) * sent + (self.answered or 0) * answered) / MILLION

    def at_most(
        self, request: Request, sent: int | None = None, answered: int | None = None
    ) -> float:
        """What an attempt cost: more than it can have, where the endpoint does not state tokens."""
        return self.cost(
            request.most_tokens if sent is None else sent,
            request.max_answer if answered is None else answered,
        )

    def already(self, request: Request, attempts: list[Attempt]) -> float:
        """What earlier attempts at a request cost; one whose answer got lost counts in full."""
        return sum(
            self.at_most(request, one.prompt_tokens, one.completion_tokens) for one in attempts
        )


class Budget:
    """What the answers have cost, and may still; `before` is what earlier runs paid for them.

    An attempt is reserved at more than it can cost, and settled at what the endpoint states. One
    whose answer got lost may have been charged for, so its reservation stays.
    """

    def __init__(self, prices: Prices, before: float = 0.0) -> None:
        self._prices, self._before = prices, before
        self.spent = 0.0

    def reserve(self, request: Request) -> bool:
        """Set aside what an attempt may cost; false where that could exceed the most."""
        most, bound = self._prices.max_cost, self._prices.at_most(request)
        if most is not None and self._before + self.spent + bound > most:
            return False
        self.spent += bound
        return True

    def settle(self, request: Request, answer: Answer | None) -> None:
        """Replace the reservation by the cost of an answer, or of none at all."""
        self.spent -= self._prices.at_most(request)
        if answer is not None:
            self.spent += self._prices.at_most(
                request, answer.prompt_tokens, answer.completion_tokens
            )
