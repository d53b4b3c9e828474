"""The version that encoders are fitted on, where it is another than that which is built."""

from retia.datasets.text.encoders import FittedOn
from retia.datasets.text.graph import TextGraph, as_texts
from retia.shards.errors import InputError, NotFoundError
from retia.shards.version import Version

JOINT = " and "


def fitted_on(source: Version, spec: str) -> FittedOn | None:
    """The source's encoding of that spec and the texts it was made of; none if nothing is fitted.

    Raises `InputError` where the source has no encoding of a spec that has to be fitted.
    """
    if not spec.startswith("tfidf-svd-"):
        return None
    manifest = source.manifest
    try:
        card = manifest.encoding(spec)
    except NotFoundError as error:
        raise InputError(
            f"--fit-on: {manifest.reference} has no encoding '{spec}'; build it with one"
        ) from error
    there = {column.name for column in manifest.columns if column.role == "text"}
    names = card.texts.split(JOINT)
    if not there.issuperset(names):
        raise InputError(
            f"--fit-on: {manifest.reference} lacks the texts '{card.texts}' of its encoding {spec}"
        )
    table = source.nodes(names)
    texts = {name: as_texts(table[name].to_pylist()) for name in names}
    joined = TextGraph(as_texts([""] * table.num_rows), texts, ()).joined_text()
    return FittedOn(joined.tolist(), manifest.reference, str(manifest.digest), card)
