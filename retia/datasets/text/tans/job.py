"""From a dataset version to the table of its descriptions, by a template or by a model."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
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
from retia.datasets.text.tans.record import is_described, read_record
from retia.datasets.text.tans.subject import TEXT, Subject
from retia.protocol.llm_only import predicted_classes
from retia.shards.errors import InputError
from retia.shards.manifest import Task
from retia.shards.version import Version

LLM_ONLY = ".llm-only.parquet"
NOT_ASKED = Answer("not-asked", reason="not asked yet; the same command goes on")
NOT_IN_BATCH = Answer("not-asked", reason="not among the results of the batch")


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
    """A table that was written: how many nodes are described, and what came of the others.

    `possibly_paid_twice` counts the requests of this run that had been sent before without answer.
    """

    nodes: int
    described: int
    files: list[str]
    statuses: dict[str, int] = field(default_factory=dict)
    llm_only: float | None = None
    possibly_paid_twice: int = 0


def choose_setting(subject: Subject, setting: Setting | None) -> Setting:
    """The setting that was asked for, or the richest; raises `InputError` where texts are wanting.

    An encoder of texts reads the main column, and a node of a text-free graph has none.
    """
    has_texts = bool(subject.texts)
    if setting in ("rich", "limited") and not has_texts:
        raise InputError(f"{subject.title}: its nodes have no text; leave --setting out, or free")
    return setting or ("rich" if has_texts else "free")


def check_out(version: Version, out: Path) -> None:
    """Raise `InputError` where something else than descriptions of this version lies at `out`.

    Those are written anew, so that the same command goes on.
    """
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        return
    record = read_record(out) if out.is_file() and is_described(out) else None
    if record is None:
        raise InputError(f"{out} exists and is no table of descriptions; give another --out")
    if record["digest"] != version.manifest.digest:
        raise InputError(f"{out} has the descriptions of {record['dataset']}; give another --out")


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
    otherwise: Answer = NOT_ASKED
    stopped: str = ""
    twice: int = 0

    @classmethod
    def prepare(
        cls,
        job: Job,
        endpoint: Endpoint,
        cache: AnswerCache,
        *,
        again: bool,
        retry_interrupted: bool,
    ) -> "Asking":
        """The questions, and the answers of the cache; with `again` only those of use.

        What may have been paid is marked, and pending with `retry_interrupted` alone.
        """
        classes = job.task is not None
        questions = make_questions(job.subject, job.setting, endpoint, classes=classes)
        known = questions.known(cache, again=again)
        if not retry_interrupted:
            known |= questions.interrupted(cache, known)
        return cls(job, endpoint, questions, cache, known)

    @property
    def pending(self) -> list[Request]:
        """The requests to send."""
        return [one for one in self.questions.requests if one.key not in self.answers]

    @property
    def interrupted(self) -> int:
        """How many requests may have been paid and have no answer."""
        return sum(answer.status == "interrupted" for answer in self.answers.values())

    def ask(self, prices: Prices, manner: Manner, on_answer: Callable[[], None]) -> Asked | None:
        """Ask for what is pending; raises `ServiceError` where the endpoint refuses us."""
        pending = self.pending
        if not pending:
            return None

        def keep(request: Request, answer: Answer) -> None:
            self.answers[request.key] = answer
            on_answer()

        before = self.questions.already_paid(self.cache, prices)
        asked = ask_all(self.endpoint, pending, self.cache, prices, manner, keep, before)
        self.stopped, self.twice = asked.stopped, asked.twice
        self.answers |= self.questions.interrupted(self.cache, self.answers)
        return asked

    def read_batches(self, paths: Iterable[Path]) -> int:
        """Take the answers in results of batches, and keep them; returns how many join nothing.

        An answer that is there stays, unless it is of no use and this one is.
        """
        wanted, others = {one.key for one in self.questions.requests}, 0
        for path in paths:
            for key, answer in read_batch(path).items():
                known = self.answers.get(key, self.otherwise)
                if key not in wanted:
                    others += 1
                elif not known.is_final or (known.status != "ok" and answer.status == "ok"):
                    self.answers[key] = answer
                    if answer.is_final:
                        self.cache.put(key, answer)
        self.otherwise = NOT_IN_BATCH
        return others

    def write(self, out: Path) -> Written:
        """Write the table and, where classes were named, the predictions of the model alone."""
        job, questions = self.job, self.questions
        texts, columns = answer_columns(
            questions.prompts, questions.answers(self.answers, self.otherwise)
        )
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
        told = Written(
            n, n - texts.null_count, [str(out)], dict(statuses), possibly_paid_twice=self.twice
        )
        return self._with_baseline(told, job.task, texts, out) if job.task else told

    def _with_baseline(self, told: Written, task: Task, texts: pa.Array, out: Path) -> Written:
        version = self.job.version
        predicted = predicted_classes(pc.fill_null(texts, ""), task.classes)
        path = out.with_name(out.stem + LLM_ONLY)
        pq.write_table(llm_only_predictions(version, task.name, predicted), path)
        score = llm_only_score(version, task.name, predicted)
        return replace(told, files=[*told.files, str(path)], llm_only=score)
