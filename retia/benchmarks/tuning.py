"""Hyper-parameters chosen on the validation part alone, with a stated number of trials."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from retia.benchmarks.settings import Settings
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError, MissingExtraError, RetiaError


class Range(Settings):
    """Numbers from `low` to `high`, whole ones where both are; `log` draws their logarithm."""

    low: float | int
    high: float | int
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError("low has to be below high, and above 0 with log")
        return self


Choice = Range | Annotated[list[Any], Field(min_length=1, max_length=100)]
Search = dict[str, Choice]

Measure = Callable[[Mapping[str, Any]], float]


class Trial(Settings):
    """One setting that was tried, and its mean validation score; or why there is none."""

    settings: dict[str, Any]
    valid: float | None
    problem: str | None = None


def tune(
    search: Search, trials: int, measure: Measure, *, higher_is_better: bool, seed: int = 0
) -> tuple[dict[str, Any], list[Trial]]:
    """The best of `trials` settings by `measure`, drawn by Optuna's TPE sampler, and all of them.

    The draws depend on the seed and on the scores alone, so a tuning that is run again asks for the
    same settings in the same order. A setting that `measure` refuses counts as a trial. Raises
    `InputError` where none could be measured.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("bench", "optuna") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    stream = Randomness.from_seed(seed).stream("tuning")
    study = optuna.create_study(
        direction="maximize" if higher_is_better else "minimize",
        sampler=optuna.samplers.TPESampler(seed=int(stream.integers(2**31))),
    )
    done: list[Trial] = []
    for _ in range(trials):
        trial = study.ask()
        settings = {name: _suggest(trial, name, choice) for name, choice in search.items()}
        try:
            score = measure(settings)
        except RetiaError as error:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            done.append(Trial(settings=settings, valid=None, problem=str(error)))
            continue
        study.tell(trial, score)
        done.append(Trial(settings=settings, valid=score))
    if all(trial.valid is None for trial in done):
        raise InputError(f"none of {trials} settings could be trained: {done[-1].problem}")
    return study.best_params, done


def _suggest(trial: Any, name: str, choice: Choice) -> Any:
    if isinstance(choice, list):
        return trial.suggest_categorical(name, choice)
    if isinstance(choice.low, int) and isinstance(choice.high, int):
        return trial.suggest_int(name, choice.low, choice.high, log=choice.log)
    return trial.suggest_float(name, choice.low, choice.high, log=choice.log)
