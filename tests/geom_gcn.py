"""A graph written in the layout of Geom-GCN."""

from pathlib import Path

import numpy as np


def write_geom_gcn(
    folder: Path,
    features: np.ndarray,
    labels: np.ndarray,
    edges: np.ndarray,
    splits: list[dict[str, np.ndarray]],
) -> Path:
    """Features (n, F) integers, labels (n,), edges (E, 2), and nodes of train, val and test."""
    raw = folder / "raw"
    raw.mkdir(parents=True)
    rows = [
        f"{node}\t{','.join(map(str, row))}\t{label}"
        for node, (row, label) in enumerate(zip(features.tolist(), labels.tolist(), strict=True))
    ]
    nodes = ["node_id\tfeature\tlabel", *rows]
    links = ["node_id\tnode_id", *(f"{src}\t{dst}" for src, dst in edges.tolist())]
    (raw / "out1_node_feature_label.txt").write_text("\n".join(nodes) + "\n")
    (raw / "out1_graph_edges.txt").write_text("\n".join(links) + "\n")
    for number, split in enumerate(splits):
        masks = {f"{part}_mask": np.isin(np.arange(len(labels)), split[part]) for part in split}
        np.savez(raw / f"{folder.name}_split_0.6_0.2_{number}.npz", **masks)
    return folder
