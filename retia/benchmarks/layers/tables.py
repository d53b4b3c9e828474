"""Encoders that hold a vector for every node: they know the nodes they were trained on alone."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from retia.benchmarks.view import View
from retia.benchmarks.walks import skip_pairs, walks

PAIRS_AT_ONCE = 1 << 15


class EmbeddingTable(nn.Module):
    """A learned vector for every node; neither inputs nor edges are looked at."""

    def __init__(self, num_nodes: int, hidden: int) -> None:
        super().__init__()
        self.table = nn.Embedding(num_nodes, hidden)
        nn.init.normal_(self.table.weight, std=0.1)

    def forward(self, view: View) -> Tensor:
        """Embeddings (n, hidden)."""
        return self.table.weight


class WalkTable(nn.Module):
    """Vectors by skip-gram over random walks, beside the inputs, and a linear map of both.

    The vectors are learned before training, on the visible graph, and stay as they are. Skip-gram
    with `negatives` random nodes a pair (Mikolov et al. 2013, equation 4).
    """

    def __init__(
        self,
        num_nodes: int,
        inputs: int,
        hidden: int,
        *,
        length: int,
        rounds: int,
        window: int,
        negatives: int,
        lr: float,
        p: float,
        q: float,
    ) -> None:
        super().__init__()
        self.length, self.p, self.q = length, p, q
        self.rounds, self.window, self.negatives, self.lr = rounds, window, negatives, lr
        self.table = nn.Parameter(torch.empty(num_nodes, hidden), requires_grad=False)
        nn.init.uniform_(self.table, -0.5 / hidden, 0.5 / hidden)
        self.output = nn.Linear(hidden + inputs, hidden)

    def fit(self, view: View, generator: torch.Generator) -> None:
        """Learn the vectors from `rounds` walks from every node."""
        device = self.table.device
        inner = nn.Embedding.from_pretrained(self.table.cpu().clone(), freeze=False, sparse=True)
        outer = nn.Embedding(len(self.table), self.table.shape[1], sparse=True)
        nn.init.zeros_(outer.weight)
        optimiser = torch.optim.SparseAdam([inner.weight, outer.weight], lr=self.lr)
        start, column = view.adjacency.crow_indices(), view.adjacency.col_indices()
        for _ in range(self.rounds):
            seed = int(torch.randint(2**62, (1,), generator=generator))
            order = torch.randperm(len(self.table), generator=generator).numpy()
            steps = walks(
                start.cpu().numpy(),
                column.cpu().numpy(),
                order,
                seed,
                length=self.length,
                p=self.p,
                q=self.q,
            )
            pairs = torch.from_numpy(skip_pairs(steps, self.window))
            pairs = pairs[torch.randperm(len(pairs), generator=generator)]
            for chunk in pairs.split(PAIRS_AT_ONCE):
                shape = (len(chunk), self.negatives)
                others = torch.randint(len(self.table), shape, generator=generator)
                optimiser.zero_grad()
                source = inner(chunk[:, 0])
                found = (source * outer(chunk[:, 1])).sum(dim=1)
                wrong = torch.einsum("pd,pkd->pk", source, outer(others))
                loss = functional.softplus(-found).sum() + functional.softplus(wrong).sum()
                (loss / len(chunk)).backward()
                optimiser.step()
        vectors = inner.weight.detach().to(device)
        spread = vectors.std(dim=0, unbiased=False).clamp(min=1e-8)
        self.table.copy_((vectors - vectors.mean(dim=0)) / spread)

    def forward(self, view: View) -> Tensor:
        """Embeddings (n, hidden)."""
        return self.output(torch.cat([self.table, view.x], dim=1))
