"""Transfer: learn on one graph, predict another, through an encoding that both share.

No label of the target is used, neither to learn nor to choose the epoch. The numbers of a vector
must mean the same in both graphs: an encoder that was fitted to the texts of each is refused.
"""

from typing import Any

from retia.benchmarks.config import RunConfig, SourceGraph, make_config
from retia.shards.errors import InputError
from retia.shards.manifest import Encoding, Manifest
from retia.shards.version import Version

OF_ITSELF = {"texts", "texts_sha256", "fitted_on"}


def make_transfer_config(
    source: Version,
    target: Version,
    model_name: str,
    encoding: str | None,
    task_name: str | None = None,
    **options: Any,
) -> RunConfig:
    """The config of a run that learns on `source` and predicts the task of `target`.

    Raises `InputError` where there is no shared encoding, or the tasks or their classes differ.
    """
    if encoding is None:
        raise InputError("a transfer needs an encoding that both graphs have: --encoding NAME")
    ours, theirs = source.manifest.task(task_name), target.manifest.task(task_name)
    where = f"from {source.manifest.reference} to {target.manifest.reference}"
    if not (ours.type == theirs.type and ours.type in ("node", "node-multilabel")):
        raise InputError(
            f"transfer {where}: tasks of type {ours.type} and {theirs.type}; two node tasks are "
            "needed, links are not supported"
        )
    if source.manifest.provenance.lineage == target.manifest.provenance.lineage:
        raise InputError(
            f"transfer {where}: both are built from one source, so the labels of the target are "
            "among those learned from"
        )
    if ours.classes != theirs.classes:
        only = sorted(set(ours.classes) ^ set(theirs.classes))
        different = f"{', '.join(only[:3])} in one alone" if only else "in another order"
        raise InputError(f"transfer {where}: the classes of '{ours.name}' differ: {different}")
    source.need_encoding(encoding)
    check_shared(source.manifest, target.manifest, encoding)
    config = make_config(target, model_name, theirs.name, encoding=encoding, **options)
    manifest = source.manifest
    return config.model_copy(
        update={
            "source": SourceGraph(
                dataset=manifest.name,
                version=manifest.version,
                digest=str(manifest.digest),
                task=ours.name,
            )
        }
    )


def check_shared(source: Manifest, target: Manifest, encoding: str) -> None:
    """Raise `InputError` where vectors of that name mean different things in both graphs."""
    ours, theirs = source.encoding(encoding), target.encoding(encoding)
    different = [
        name
        for name in Encoding.model_fields
        if name not in OF_ITSELF and getattr(ours, name) != getattr(theirs, name)
    ]
    where = f"the encoding '{encoding}' of {source.reference} and {target.reference}"
    if different:
        raise InputError(f"{where} differ in {', '.join(different)}")
    unfitted = ours.fitted_on == theirs.fitted_on == "nothing"
    on_source = f"{source.reference} {source.digest}"
    if not unfitted and (ours.fitted_on, theirs.fitted_on) != ("these texts", on_source):
        raise InputError(
            f"{where} were fitted on different texts ({ours.fitted_on}; {theirs.fitted_on}): use "
            "one that is fitted on nothing, such as hashing-256, or encode the target by the source"
        )
