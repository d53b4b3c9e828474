"""Training on a GPU; skipped, and said to be, where there is none."""

import numpy as np
import pytest
import torch

from retia.benchmarks import MODELS, make_config
from retia.benchmarks.curve import Curve
from retia.benchmarks.training import torch_settings, train
from retia.shards.version import Version
from tests.conftest import NO_GPU

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_GPU)

LINK_MODELS = [name for name, model in MODELS.items() if model.trained and "link" in model.tasks]


@pytest.mark.parametrize("model", LINK_MODELS)
def test_gpu_agrees_with_the_cpu_up_to_rounding(spatial: Version, model: str) -> None:
    config = make_config(spatial, model, epochs=2)
    with torch_settings(1):
        cpu, gpu = (train(spatial, config, 0, device, Curve()) for device in ("cpu", "cuda"))
    for part in ("valid", "test"):
        assert np.corrcoef(cpu.predictions[part], gpu.predictions[part])[0, 1] > 0.999


@pytest.mark.parametrize("batching", ["blocks", "neighbours", "saint"])
def test_parts_of_a_graph_are_trained_on_a_gpu(spatial: Version, batching: str) -> None:
    config = make_config(spatial, "graphsage", epochs=2, batching=batching)
    with torch_settings(1):
        trained = train(spatial, config, 0, "cuda", Curve())
    assert np.isfinite(trained.predictions["test"]).all()


@pytest.mark.parametrize("model", ["mlp", "gcn"])
def test_mixed_precision_stays_near_on_a_gpu(spatial: Version, model: str) -> None:
    with torch_settings(1):
        exact, mixed = (
            train(
                spatial, make_config(spatial, model, epochs=2, precision=p), 0, "cuda", Curve()
            ).predictions["test"]
            for p in ("float32", "bfloat16")
        )
    assert np.corrcoef(exact, mixed)[0, 1] > 0.98
