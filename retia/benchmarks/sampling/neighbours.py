"""The neighbour sampler behind PyG's NodeLoader and LinkLoader; PyG's own needs pyg-lib."""

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.sampler import (
    BaseSampler,
    EdgeSamplerInput,
    NegativeSampling,
    NodeSamplerInput,
    SamplerOutput,
)

from retia.benchmarks.csr import Csr
from retia.benchmarks.sampling.draws import new_key
from retia.benchmarks.sampling.hiding import Hidden
from retia.benchmarks.sampling.hops import NONE_HIDDEN, sample_hops
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError


class NeighbourSampler(BaseSampler):
    """Up to `fan_out[h]` incoming edges a node in hop h, without replacement; -1 takes all.

    What is drawn depends on `randomness`, `epoch` and the seeds of the batch alone, so that any
    number of workers draws the same. With `hidden`, which numbers seed edges as the LinkLoader
    does, no batch sees its own. Raises `InputError` for times and for typed nodes.
    """

    def __init__(
        self,
        graph: Csr,
        fan_out: Sequence[int],
        randomness: Randomness,
        hidden: Hidden | None = None,
    ) -> None:
        self.graph, self.fan_out = graph, list(fan_out)
        self.randomness, self.hidden = randomness, hidden
        # Workers that stay from one epoch to the next have to see the number change.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    @property
    def epoch(self) -> int:
        """Set it before each pass over a loader: another epoch, other neighbours."""
        return int(self._epoch)

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch.fill_(epoch)

    def sample_from_nodes(self, index: NodeSamplerInput, **_: object) -> SamplerOutput:
        """The sample around seed nodes; metadata are the loader's numbers of them and no time."""
        _refuse(index)
        output, _place = self._sample(index.node, self._stream(index.node), NONE_HIDDEN)
        output.metadata = (index.input_id, None)
        return output

    def sample_from_edges(
        self, index: EdgeSamplerInput, neg_sampling: NegativeSampling | None = None
    ) -> SamplerOutput:
        """The sample around the ends of seed edges and of negatives, with PyG's metadata."""
        _refuse(index)
        source, target, rng = index.row, index.col, self._stream(torch.cat([index.row, index.col]))
        if neg_sampling is not None:
            count = math.ceil(len(source) * neg_sampling.amount)
            draws = torch.Generator().manual_seed(int(rng.integers(2**63)))
            if neg_sampling.is_binary():
                source = torch.cat([source, self._negatives(neg_sampling.src_weight, count, draws)])
            target = torch.cat([target, self._negatives(neg_sampling.dst_weight, count, draws)])
        output, place = self._sample(torch.cat([source, target]), rng, self._hide(index.input_id))
        output.metadata = _metadata(index, neg_sampling, place[: len(source)], place[len(source) :])
        return output

    def _sample(
        self, seeds: Tensor, rng: np.random.Generator, hidden: NDArray[np.bool_]
    ) -> tuple[SamplerOutput, Tensor]:
        sample = sample_hops(self.graph, seeds.numpy(), self.fan_out, new_key(rng), hidden)
        row, col = torch.from_numpy(sample.graph.edge_index)
        output = SamplerOutput(
            node=torch.from_numpy(sample.graph.nodes),
            row=row,
            col=col,
            edge=torch.from_numpy(sample.graph.edge),
            num_sampled_nodes=sample.nodes_by_hop,
            num_sampled_edges=sample.edges_by_hop,
        )
        return output, torch.from_numpy(sample.seeds)

    def _stream(self, seeds: Tensor) -> np.random.Generator:
        batch = hashlib.sha256(seeds.numpy().tobytes()).hexdigest()
        return self.randomness.stream("neighbours", self.epoch, batch)

    def _negatives(self, weight: Tensor | None, count: int, draws: torch.Generator) -> Tensor:
        """What `NegativeSampling.sample` does, from a generator instead of the global state."""
        if weight is None:
            return torch.randint(self.graph.num_nodes, (count,), generator=draws)
        return torch.multinomial(weight, count, replacement=True, generator=draws)

    def _hide(self, numbers: Tensor | None) -> NDArray[np.bool_]:
        if self.hidden is None:
            return NONE_HIDDEN
        if numbers is None:
            raise InputError("edges can be hidden only from numbered seeds; pass input_id")
        return self.hidden.mask(numbers.numpy(), self.graph.num_edges)


def _refuse(index: NodeSamplerInput | EdgeSamplerInput) -> None:
    if index.time is not None or index.input_type is not None:
        raise InputError("the neighbour sampler knows no times and no typed nodes; pass plain Data")


def _metadata(
    index: EdgeSamplerInput, neg_sampling: NegativeSampling | None, source: Tensor, target: Tensor
) -> tuple[Tensor | None, ...]:
    """What LinkLoader reads: pairs and labels, or sources, targets and negative targets."""
    positives = len(index.row)
    if neg_sampling is not None and neg_sampling.is_triplet():
        other = target[positives:].view(positives, -1).squeeze(-1)
        return index.input_id, source, target[:positives], other, None
    label = index.label
    if neg_sampling is not None:
        label = torch.ones(positives) if label is None else label
        negatives = len(source) - positives
        label = torch.cat([label, label.new_zeros(negatives, *label.shape[1:])])
    return index.input_id, torch.stack([source, target]), label, None
