"""From a dataset version to the table of its descriptions, by a template or by a model."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from retia.datasets.text.tans.describers import template
from retia.datasets.text.tans.describers.answer import Answer
from retia.datasets.text.tans.describers.batch import read_batch
from retia.datasets.text.tans.describers.cache import AnswerCache
from retia.datasets.text.tans.describers.endpoint import Asked, Manner, ask_all
from retia.datasets.text.tans.describers.limits import Prices
from retia.datasets.text.tans.describers.request import Endpoint, Request
from retia.datasets.text.tans.description import (
    answer_columns,
    described,
    write_descriptions,
)
from retia.datasets.text.tans.llm_only import llm_only_predictions, llm_only_score
from retia.datasets.text.tans.prompts import Setting
from retia.datasets.text.tans.questions import Questions, make_questions
from retia.datasets.text.tans.subject import TEXT, Subject
from retia.protocol.llm_only import predicted_classes
from retia.shards.errors import InputError
from retia.shards.manifest import Task
from retia.shards.version import Version

LLM_ONLY = ".llm-only.parquet"


@dataclass(frozen=True)
class Job:
    """What is described, in which setting, and how it was made: `made` goes into the record.

    `task` is the one whose classes the prompts name, or none.
    """

    version: Version
    subject: Subject
    setting: Setting
    made: dict[str, Any]
    task: Task | None = None

    def record(self, with_: str, template: str, **more: Any) -> dict[str, Any]:
        """How a table came about."""
        manifest, predicts = self.version.manifest, self.task is not None
        return {
            "dataset": manifest.reference,
            "digest": manifest.digest,
            "retia": library_version("retia"),
            "with": with_,
            "setting": self.setting,
            "template": template,
            **self.made,
            "pivots": self.subject.properties.pivots,
            "class_names_in_prompt": predicts,
            "llm_prediction": predicts,
            **more,
        }


@dataclass(frozen=True)
class Written:
    """A table that was written: how many nodes are described, and what came of the others."""

    nodes: int
    described: int
    files: list[str]
    statuses: dict[str, int] = field(default_factory=dict)
    llm_only: float | None = None


def choose_setting(subject: Subject, setting: Setting | None) -> Setting:
    """The setting that was asked for, or the richest; raises `InputError` where texts are wanting.

    An encoder of texts reads the main column, and a node of a text-free graph has none.
    """
    has_texts = bool(subject.texts)
    if setting in ("rich", "limited") and not has_texts:
        raise InputError(f"{subject.title}: its nodes have no text; leave --setting out, or free")
    return setting or ("rich" if has_texts else "free")


def write_by_template(job: Job, out: Path) -> Written:
    """Describe all nodes by the template, and write the table."""
    name = template.template_version(job.setting)
    texts = template.describe_by_template(job.subject, job.setting)
    n = job.subject.num_nodes
    columns = {"status": pa.repeat(pa.scalar("ok", TEXT), n)}
    columns |= {"template": pa.repeat(pa.scalar(name, TEXT), n)}
    write_descriptions(described(job.subject, texts, columns, job.record("template", name)), out)
    return Written(n, n, [str(out)], {"ok": n})


@dataclass
class Asking:
    """The questions of a job to a model, and the answers there are."""

    job: Job
    endpoint: Endpoint
    questions: Questions
    cache: AnswerCache
    answers: dict[str, Answer]
    stopped: str = ""

    @classmethod
    def prepare(cls, job: Job, endpoint: Endpoint, cache: AnswerCache, *, again: bool) -> "Asking":
        """The questions, and the answers of the cache; with `again` only those of use."""
        classes = job.task is not None
        questions = make_questions(job.subject, job.setting, endpoint, classes=classes)
        return cls(job, endpoint, questions, cache, questions.known(cache, again=again))

    @property
    def pending(self) -> list[Request]:
        """The requests without an answer."""
        return [one for one in self.questions.requests if one.key not in self.answers]

    def ask(self, prices: Prices, manner: Manner, on_answer: Callable[[], None]) -> Asked | None:
        """Ask for what is pending; raises `ServiceError` where the endpoint refuses us."""
        pending = self.pending
        if not pending:
            return None

        def keep(request: Request, answer: Answer) -> None:
            self.answers[request.key] = answer
            on_answer()

        asked = ask_all(self.endpoint, pending, self.cache, prices, manner, keep)
        self.stopped = asked.stopped
        return asked

    def read_batches(self, paths: Iterable[Path]) -> int:
        """Take the answers in results of batches, and keep them; returns how many join nothing."""
        wanted, others = {one.key for one in self.questions.requests}, 0
        for path in paths:
            for key, answer in read_batch(path).items():
                others += key not in wanted
                if key in wanted:
                    self.answers[key] = answer
                if key in wanted and answer.is_final:
                    self.cache.put(key, answer)
        return others

    def write(self, out: Path) -> Written:
        """Write the table and, where classes were named, the predictions of the model alone."""
        job, questions = self.job, self.questions
        texts, columns = answer_columns(questions.prompts, questions.answers(self.answers))
        n = job.subject.num_nodes
        columns["template"] = pa.repeat(pa.scalar(questions.template, TEXT), n)
        record = job.record(
            "endpoint",
            questions.template,
            base_url=self.endpoint.base_url,
            model=self.endpoint.model,
            parameters=self.endpoint.parameters,
            **({"task": job.task.name, "classes": job.task.classes} if job.task else {}),
        )
        write_descriptions(described(job.subject, texts, columns, record), out)
        statuses = Counter(columns["status"].to_pylist())
        told = Written(n, n - texts.null_count, [str(out)], dict(statuses))
        return self._with_baseline(told, job.task, texts, out) if job.task else told

    def _with_baseline(self, told: Written, task: Task, texts: pa.Array, out: Path) -> Written:
        version = self.job.version
        predicted = predicted_classes(pc.fill_null(texts, ""), task.classes)
        path = out.with_name(out.stem + LLM_ONLY)
        pq.write_table(llm_only_predictions(version, task.name, predicted), path)
        score = llm_only_score(version, task.name, predicted)
        files = [*told.files, str(path)]
        return Written(told.nodes, told.described, files, told.statuses, score)
