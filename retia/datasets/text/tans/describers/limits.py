"""How fast an endpoint is asked, and for how much money."""

import asyncio
from dataclasses import dataclass
from time import monotonic

from retia.datasets.text.tans.describers.answer import Answer
from retia.datasets.text.tans.describers.request import Request
from retia.shards.errors import InputError

MILLION = 1_000_000


class Pace:
    """Requests in even steps, so that neither they nor their tokens exceed the most a minute."""

    def __init__(self, requests_a_minute: float | None, tokens_a_minute: float | None) -> None:
        self._requests, self._tokens = requests_a_minute, tokens_a_minute
        self._next = 0.0

    async def wait(self, request: Request) -> None:
        """Wait for this request's turn."""
        turn = max(monotonic(), self._next)
        step = 60 / self._requests if self._requests else 0.0
        if self._tokens:
            step = max(step, 60 * (request.tokens + request.max_answer) / self._tokens)
        self._next = turn + step
        await asyncio.sleep(turn - monotonic())

    def pause(self, seconds: float) -> None:
        """Send nothing for so long: the endpoint has asked for it."""
        self._next = max(self._next, monotonic() + seconds)


@dataclass(frozen=True)
class Prices:
    """The prices of a million tokens, sent and answered, and the most that a run may cost."""

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


class Budget:
    """What a run has cost, and may still.

    An attempt is reserved at more than it can cost, and settled at what the endpoint states. One
    whose answer got lost may have been charged for, so its reservation stays.
    """

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self.spent = 0.0

    def reserve(self, request: Request) -> bool:
        """Set aside what an attempt may cost; false where that could exceed the most."""
        most = self._prices.max_cost
        if most is not None and self.spent + self._bound(request) > most:
            return False
        self.spent += self._bound(request)
        return True

    def settle(self, request: Request, answer: Answer | None) -> None:
        """Replace the reservation by the cost of an answer, or of none at all."""
        self.spent -= self._bound(request)
        if answer is not None:
            sent, answered = answer.prompt_tokens, answer.completion_tokens
            self.spent += self._prices.cost(
                request.most_tokens if sent is None else sent,
                request.max_answer if answered is None else answered,
            )

    def _bound(self, request: Request) -> float:
        return self._prices.cost(request.most_tokens, request.max_answer)
