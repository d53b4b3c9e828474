"""What a step of training sees: the whole graph, or a part of it.

- `full`: the whole graph; edges that are asked for are taken out.
- `blocks`: parts of the graph with all that their outputs depend on, so that a step computes what
  it would on the whole graph. Parts are Morton blocks where there are positions, else cut by labels
  that spread (Chiang et al. 2019, Cluster-GCN, without what it drops at the borders).
- `neighbours`: a sample of the neighbours of what is asked for (Hamilton et al. 2017).
- `saint`: what random walks visit, with the loss weighted so that its mean is that of the whole
  graph (Zeng et al. 2020, section 3.2; messages are not weighted).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.loader import LinkLoader, NodeLoader

from retia.benchmarks.config import Training
from retia.benchmarks.csr import Csr, Subgraph
from retia.benchmarks.inputs import LinkInputs, NodeInputs
from retia.benchmarks.negatives import draw_negatives
from retia.benchmarks.partitions import label_partition, morton_blocks
from retia.benchmarks.sampling import Hidden, NeighbourSampler, RandomWalks, halo
from retia.benchmarks.view import View
from retia.protocol.randomness import Randomness

PARTS_A_STEP = 4
SHARES = 4


@dataclass(frozen=True)
class LinkStep:
    """A view, and the positives (P, 2) and negatives (N, 2) that are asked for, in its numbers.

    `weight` (P,) is what each positive counts; none: all the same.
    """

    view: View
    positives: Tensor
    negatives: Tensor
    weight: Tensor | None = None


@dataclass(frozen=True)
class NodeStep:
    """A view, the nodes (T,) asked for, in its numbers, and which of the training nodes they are.

    `weight` (T,) is what each counts; none: all the same.
    """

    view: View
    nodes: Tensor
    which: Tensor
    weight: Tensor | None = None


class Batches(Protocol):
    """A way to make the steps of an epoch, drawn afresh at each call."""

    def links(self, inputs: LinkInputs) -> Iterator[LinkStep]:
        """Every training edge is asked for once."""
        ...

    def nodes(self, inputs: NodeInputs) -> Iterator[NodeStep]:
        """Every training node is asked for once."""
        ...


def make_batches(
    view: View, training: Training, rng: torch.Generator, shares: int = SHARES
) -> Batches:
    """The way that the training names; `shares` as in `Blocks`."""
    if training.batching == "full":
        return Full(training, rng)
    if training.batching == "blocks":
        return Blocks(view, training, rng, shares)
    if training.batching == "neighbours":
        return Neighbours(view, training, rng)
    return Walks(view, training, rng)


class Full:
    """The whole graph in every step."""

    def __init__(self, training: Training, rng: torch.Generator) -> None:
        self.training, self.rng = training, rng

    def links(self, inputs: LinkInputs) -> Iterator[LinkStep]:
        """Each step asks for a share of the training edges and takes them out of the graph."""
        order = torch.randperm(len(inputs.positives), generator=self.rng)
        for batch in order.to(inputs.positives.device).chunk(self.training.batches):
            positives = inputs.positives[batch]
            negatives = draw_negatives(inputs, positives, self.rng)
            yield LinkStep(inputs.view.without(inputs.places[batch]), positives, negatives)

    def nodes(self, inputs: NodeInputs) -> Iterator[NodeStep]:
        """One step."""
        which = torch.arange(len(inputs.train), device=inputs.train.device)
        yield NodeStep(inputs.view, inputs.train, which)


class Blocks:
    """Several blocks a step, with their halo: exact for models of as many layers.

    A hop more than there are layers keeps the degrees of all senders whole. Blocks stay for
    `shares` steps, of which each asks for a share of their edges: asked for at once, they would
    leave nothing to see. Nodes need no shares.
    """

    def __init__(
        self, view: View, training: Training, rng: torch.Generator, shares: int = SHARES
    ) -> None:
        self.training, self.rng = training, rng
        self.graph = _message_csr(view)
        self.groups = max(training.batches // shares, 1)
        count = min(self.groups * PARTS_A_STEP, view.num_nodes)
        self.spatial = view.positions is not None
        if view.positions is not None:
            part = morton_blocks(view.positions.cpu().numpy(), count)
        else:
            part = label_partition(self.graph, count, _randomness(rng).stream("parts"))
        self.part, order = torch.from_numpy(part), np.argsort(part, kind="stable")
        self.inside = torch.from_numpy(order).split(np.bincount(part, minlength=count).tolist())

    def links(self, inputs: LinkInputs) -> Iterator[LinkStep]:
        """Each step asks for a share of the training edges that begin in its blocks."""
        of_part = self.part[inputs.positives[:, 0].cpu()]
        steps = torch.arange(self.training.batches).tensor_split(self.groups)
        for group, numbers in zip(self._groups(), steps, strict=True):
            there = torch.isin(of_part, group).nonzero().squeeze(1)
            order = torch.randperm(len(there), generator=self.rng)
            batches = there[order].to(inputs.positives.device).tensor_split(len(numbers))
            yield from self._steps(inputs, [batch for batch in batches if len(batch)], group)

    def _steps(
        self, inputs: LinkInputs, batches: list[Tensor], group: Tensor
    ) -> Iterator[LinkStep]:
        """A step for each of the batches (P,) of training edges, on one part of the graph."""
        if not batches:
            return
        near, found = self._near(group), [inputs.positives[batch] for batch in batches]
        others = [draw_negatives(inputs, pairs, self.rng, among=near) for pairs in found]
        cut = self._halo(torch.unique(torch.cat(found + others)))
        view, places = part_view(inputs.view, cut)
        for batch, positives, negatives in zip(batches, found, others, strict=True):
            asked = _local(cut, torch.cat([positives, negatives]), self.graph.num_nodes)
            shown = view.without(torch.searchsorted(places, inputs.places[batch]))
            yield LinkStep(shown, asked[: len(batch)], asked[len(batch) :])

    def nodes(self, inputs: NodeInputs) -> Iterator[NodeStep]:
        """Each step asks for the training nodes of its blocks."""
        of_part = self.part[inputs.train.cpu()]
        for group in self._groups():
            which = torch.isin(of_part, group).nonzero().squeeze(1).to(inputs.train.device)
            if not len(which):
                continue
            nodes = inputs.train[which]
            cut = self._halo(nodes)
            local = _local(cut, nodes, self.graph.num_nodes)
            yield NodeStep(part_view(inputs.view, cut)[0], local, which)

    def _near(self, group: Tensor) -> Tensor | None:
        """Where negatives are drawn: blocks in space hold enough, parts of a community do not."""
        if not self.spatial:
            return None
        return torch.cat([self.inside[part] for part in group.tolist()])

    def _groups(self) -> list[Tensor]:
        order = torch.randperm(len(self.inside), generator=self.rng)
        return list(order.tensor_split(self.groups))

    def _halo(self, nodes: Tensor) -> Subgraph:
        return halo(self.graph, nodes.cpu().numpy(), self.training.layers + 1)


class Neighbours:
    """Sampled neighbours, through PyG's loaders, whose data are a frame for what is sampled."""

    def __init__(self, view: View, training: Training, rng: torch.Generator) -> None:
        self.training, self.rng = training, rng
        self.graph = _message_csr(view)
        none = torch.empty((2, 0), dtype=torch.long)
        self._data = Data(edge_index=none, num_nodes=self.graph.num_nodes)

    def links(self, inputs: LinkInputs) -> Iterator[LinkStep]:
        """Edges and negatives are shuffled together; no batch sees an edge that it is asked for."""
        device, count = inputs.positives.device, len(inputs.positives)
        negatives = draw_negatives(inputs, inputs.positives, self.rng)
        pairs = torch.cat([inputs.positives, negatives]).cpu()
        owner = np.full((2, inputs.view.edges.shape[1]), -1)
        owner[:, inputs.places.cpu().numpy()] = np.arange(count)
        loader = LinkLoader(
            self._data,
            self._sampler(Hidden.owned(self.graph, owner.ravel(), len(pairs))),
            edge_label_index=pairs.T.contiguous(),
            edge_label=(torch.arange(len(pairs)) < count).long(),
            batch_size=-(-len(pairs) // self.training.batches),
            shuffle=True,
            generator=self.rng,
        )
        for batch in loader:
            view, found = _loaded(inputs.view, batch), batch.edge_label.bool().to(device)
            local = batch.edge_label_index.T.to(device)
            if found.any() and not found.all():
                asked = inputs.places[batch.input_id.to(device)[found]]
                shown = view.uncounted(local[found].T, inputs.view.amounts(asked))
                yield LinkStep(shown, local[found], local[~found])

    def nodes(self, inputs: NodeInputs) -> Iterator[NodeStep]:
        """Each step asks for a share of the training nodes."""
        device = inputs.train.device
        loader = NodeLoader(
            self._data,
            self._sampler(None),
            input_nodes=inputs.train.cpu(),
            batch_size=-(-len(inputs.train) // self.training.batches),
            shuffle=True,
            generator=self.rng,
        )
        for batch in loader:
            asked = torch.arange(batch.batch_size, device=device)
            yield NodeStep(_loaded(inputs.view, batch), asked, batch.input_id.to(device))

    def _sampler(self, hidden: Hidden | None) -> NeighbourSampler:
        fan_out = [self.training.fan_out] * self.training.layers
        return NeighbourSampler(self.graph, fan_out, _randomness(self.rng), hidden)


class Walks:
    """Subgraphs of random walks, of about n / batches nodes each."""

    def __init__(self, view: View, training: Training, rng: torch.Generator) -> None:
        self.training, self.rng = training, rng
        self.graph = _message_csr(view)
        length = training.layers
        roots = -(-view.num_nodes // (training.batches * (length + 1)))
        self.walks = RandomWalks(self.graph, roots, length, _randomness(rng))
        self.weights = self.walks.weights()

    def links(self, inputs: LinkInputs) -> Iterator[LinkStep]:
        """Of the training edges in a subgraph, each is asked for, and hidden, by a coin."""
        device, edges = inputs.positives.device, inputs.view.edges
        which = torch.full((edges.shape[1],), -1)
        which[inputs.places.cpu()] = torch.arange(len(inputs.places))
        for cut in self._cuts():
            there = which[torch.from_numpy(np.unique(cut.edge % edges.shape[1]))]
            there = there[there >= 0]
            batch = there[torch.rand(len(there), generator=self.rng) < 0.5].to(device)
            if not len(batch):
                continue
            nodes, positives = torch.from_numpy(cut.nodes), inputs.positives[batch]
            negatives = draw_negatives(inputs, positives, self.rng, among=nodes)
            inside = torch.isin(negatives, nodes.to(device)).all(dim=1)
            asked = torch.cat([positives, negatives[inside]])
            local = _local(cut, asked, self.graph.num_nodes)
            places = inputs.places[batch]
            target = edges[1, places].cpu().numpy()
            weight = self.weights.edge[places.cpu().numpy()] * self.weights.node[target]
            view, shown = part_view(inputs.view, cut)
            view = view.without(torch.searchsorted(shown, places))
            weighted = torch.from_numpy(weight).to(device)
            yield LinkStep(view, local[: len(batch)], local[len(batch) :], weighted)

    def nodes(self, inputs: NodeInputs) -> Iterator[NodeStep]:
        """Each step asks for the training nodes of its subgraph."""
        device = inputs.train.device
        which = torch.full((self.graph.num_nodes,), -1)
        which[inputs.train.cpu()] = torch.arange(len(inputs.train))
        for cut in self._cuts():
            there = which[torch.from_numpy(cut.nodes)]
            asked = (there >= 0).nonzero().squeeze(1)
            if not len(asked):
                continue
            weight = torch.from_numpy(self.weights.node[cut.nodes[asked.numpy()]])
            view, _ = part_view(inputs.view, cut)
            yield NodeStep(view, asked.to(device), there[asked].to(device), weight.to(device))

    def _cuts(self) -> Iterator[Subgraph]:
        first = int(torch.randint(2**31, (1,), generator=self.rng))
        for step in range(self.training.batches):
            yield self.walks.subgraph(first + step)


def part_view(view: View, cut: Subgraph) -> tuple[View, Tensor]:
    """The view of a part of the graph that `_message_csr` gives.

    And where the whole view has its edges, in order.
    """
    count, device = view.edges.shape[1], view.x.device
    place, first = np.unique(cut.edge % count, return_index=True)
    along, against = cut.edge_index[:, first], cut.edge[first] >= count
    ends = torch.from_numpy(np.where(against, along[::-1], along)).to(device)
    places, nodes = (torch.from_numpy(ids).to(device) for ids in (place, cut.nodes))
    part = replace(
        view,
        x=view.x[nodes],
        edges=ends,
        relation=view.relation[places],
        positions=None if view.positions is None else view.positions[nodes],
        counts=view.counts and view.counts.at(places),
    )
    return part, places


def _message_csr(view: View) -> Csr:
    """All edges of the view along and, E places later, against their direction."""
    edges = view.edges.cpu().numpy()
    return Csr.of(np.concatenate([edges, edges[::-1]], axis=1), view.num_nodes)


def _loaded(view: View, batch: Data) -> View:
    """The view of what a loader of PyG has sampled."""
    cut = Subgraph(batch.n_id.numpy(), batch.edge_index.numpy(), batch.e_id.numpy())
    return part_view(view, cut)[0]


def _local(cut: Subgraph, nodes: Tensor, num_nodes: int) -> Tensor:
    """The numbers in the part of nodes of the whole graph, in the shape of `nodes`."""
    number = np.empty(num_nodes, dtype=np.int64)
    number[cut.nodes] = np.arange(len(cut.nodes))
    return torch.from_numpy(number[nodes.cpu().numpy()]).to(nodes.device)


def _randomness(rng: torch.Generator) -> Randomness:
    return Randomness.from_seed(int(torch.randint(2**62, (1,), generator=rng)))
