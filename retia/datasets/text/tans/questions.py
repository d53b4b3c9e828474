"""The questions to a model about the nodes of a graph: each different one is asked once."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from retia.datasets.text.tans.describers.answer import Answer
from retia.datasets.text.tans.describers.cache import AnswerCache
from retia.datasets.text.tans.describers.endpoint import lost_answer
from retia.datasets.text.tans.describers.limits import Prices
from retia.datasets.text.tans.describers.request import Endpoint, Request, make_requests
from retia.datasets.text.tans.prompts import SYSTEM, Setting, make_prompts, template_version
from retia.datasets.text.tans.subject import Subject


@dataclass(frozen=True)
class Questions:
    """`prompts` (n,) encoded by their U different ones, and the U `requests`."""

    prompts: pa.DictionaryArray
    requests: list[Request]
    template: str

    def known(self, cache: AnswerCache, *, again: bool = False) -> dict[str, Answer]:
        """The answers that the cache has, by key; with `again` those that are of use."""
        found = {request.key: cache.get(request.key) for request in self.requests}
        return {
            key: answer
            for key, answer in found.items()
            if answer is not None and not (again and answer.status != "ok")
        }

    def interrupted(self, cache: AnswerCache, known: Mapping[str, Answer]) -> dict[str, Answer]:
        """The marks, by key, of those without an answer that may have been paid."""
        lost = {
            request.key: lost_answer(cache, request.key)
            for request in self.requests
            if request.key not in known
        }
        return {key: answer for key, answer in lost.items() if answer is not None}

    def already_paid(self, cache: AnswerCache, prices: Prices) -> float:
        """What all attempts at these have cost so far."""
        return sum(prices.already(one, cache.attempts(one.key)) for one in self.requests)

    def answers(self, known: Mapping[str, Answer], otherwise: Answer) -> list[Answer]:
        """(U,) the answers, in the order of the requests; `otherwise` where there is none."""
        return [known.get(request.key, otherwise) for request in self.requests]


@dataclass(frozen=True)
class Estimate:
    """What asking costs: about so many tokens sent, at most so many answered."""

    requests: int
    tokens_sent: int
    most_tokens_answered: int
    cost: float | None


def make_questions(
    subject: Subject, setting: Setting, endpoint: Endpoint, *, classes: bool
) -> Questions:
    """The questions about all nodes in a setting, with the names of the classes or without."""
    template = template_version(setting, classes)
    prompts = pc.dictionary_encode(make_prompts(subject, setting, classes=classes))
    requests = make_requests(endpoint, SYSTEM, prompts.dictionary.to_pylist(), template)
    return Questions(prompts, requests, template)


def estimate(requests: list[Request], prices: Prices) -> Estimate:
    """What it costs to ask these; no cost where the prices are not known."""
    sent = sum(request.tokens for request in requests)
    answered = sum(request.max_answer for request in requests)
    cost = prices.cost(sent, answered) if prices.are_known else None
    return Estimate(len(requests), sent, answered, cost)
