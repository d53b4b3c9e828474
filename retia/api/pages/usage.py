"""How to load a version, and how to cite it: texts to copy."""

from datetime import UTC, datetime

from retia.shards.manifest import Manifest

OGB_LOADERS = {
    "link": ("ogbl", "linkproppred", "PygLinkPropPredDataset"),
    "node": ("ogbn", "nodeproppred", "PygNodePropPredDataset"),
    "node-multilabel": ("ogbn", "nodeproppred", "PygNodePropPredDataset"),
}
SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    }
)  # fmt: skip


def loading(manifest: Manifest, url: str) -> list[tuple[str, str, str]]:
    """(library, code, note) for each library that a version can be handed to."""
    load = f'retia.load("{manifest.reference}", server="{url}")'
    ways = [
        ("PyTorch Geometric", f"import retia\n\ndataset = {load}\ndata, split = dataset.data, "
         "dataset.split(" + (f'"{manifest.tasks[0].name}"' if len(manifest.tasks) > 1 else "")
         + ")", "A Data of the visible graph, and the tensors of a split."),
        ("pandas", f"import retia\n\nnodes, edges = {load}.as_pandas()",
         "A frame of the nodes, and a frame of the edges of each relation."),
    ]  # fmt: skip
    task = next((t for t in manifest.tasks if t.secrecy == "open" and t.type in OGB_LOADERS), None)
    if task is not None:
        prefix, module, loader = OGB_LOADERS[task.type]
        folder = f"{prefix}_{manifest.name.replace('-', '_')}"
        code = (
            f"# retia download {manifest.reference} --server {url}\n"
            f"# retia export ogb {manifest.reference} --task {task.name} --out DIR\n"
            f"import torch; from ogb.{module} import {loader}\n\n"
            f'meta = torch.load("DIR/{folder}/meta_dict.pt")\n'
            f'dataset = {loader}("{prefix}-{manifest.name}", meta_dict=meta)'
        )
        note = "Set TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1: ogb 1.3.6 reads its cache as pickles."
        ways.insert(1, ("OGB", code, note))
    return ways


def bibtex(manifest: Manifest, published: float, url: str) -> str:
    """An entry for this version."""
    year = datetime.fromtimestamp(published, UTC).year
    title = f"{manifest.reference}: {manifest.title}".translate(SPECIAL)
    return (
        f"@misc{{{manifest.name}-{manifest.version},\n"
        f"  title = {{{{{title}}}}},\n"
        f"  year = {{{year}}},\n"
        f"  howpublished = {{\\url{{{url}/datasets/{manifest.name}/{manifest.version}}}}},\n"
        f"  note = {{Retia dataset, sha256 {manifest.content_digest()[:16]}}}\n"
        "}"
    )
