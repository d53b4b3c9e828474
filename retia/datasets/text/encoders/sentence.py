"""Sentence transformers: a model by name or from a folder, pinned, offline unless allowed."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

from retia.datasets.text.encoders.encoded import Vectors, unit_rows
from retia.datasets.text.encoders.vector_cache import Vectors32, keep, look_up, text_keys
from retia.shards.canonical import canonical_json, sha256_bytes, sha256_file
from retia.shards.errors import InputError, MissingExtraError, NotFoundError
from retia.shards.store import default_cache

BATCH = 64
SHARD_TEXTS = 1024
MODULES_FILE = "modules.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt", "*.h5", "*.ot", "*.msgpack")
OTHER_BACKENDS = ("onnx/*", "openvino/*", "*.onnx")


@dataclass(frozen=True)
class Model:
    """A model in a folder: what it is called, and its commit or the sum of its files."""

    folder: Path
    name: str
    revision: str

    @property
    def card_name(self) -> str:
        """The name of its encodings."""
        last = self.name.rpartition("/")[2].lower()
        return f"st-{re.sub('[^a-z0-9]+', '-', last).strip('-')}"[:63].rstrip("-")


def sentence(
    texts: Sequence[str], spec: str, *, allow_download: bool = False, cache: Path | None = None
) -> Vectors:
    """The vectors (n, D) of a sentence transformer, rows of length 1; zeros for an empty text.

    Equal texts are encoded once, in batches, on the device that the library chooses. Vectors are
    kept below `cache`, by default the user's, under the model's revision and the sum of the text.
    Nothing is downloaded unless `allow_download`, and weights are read from safetensors alone.

    Raises `MissingExtraError` without the library, `NotFoundError` for a model that is not there,
    and `InputError` for one that cannot be used.
    """
    if not any(texts):
        raise InputError(f"{spec}: all texts are empty")
    library = _library(allow_download)
    model = find_model(spec.removeprefix("st:"), allow_download)
    transformer = _load(library, model)
    length = transformer.max_seq_length
    length = length if isinstance(length, int) else None  # some models read texts of any length
    said = {"sentence-transformers": model.name, "revision": model.revision, "length": length}
    place = f"{model.card_name}-{sha256_bytes(canonical_json(said))[:16]}"
    folder = (cache or default_cache()) / "encodings" / place
    return Vectors(
        values=_encode(transformer, texts, folder),
        name=model.card_name,
        encoder=f"sentence-transformers {model.name}",
        parameters={"empty_text": "zeros"},
        revision=model.revision,
        pooling=_pooling(transformer),
        max_length=length,
    )


def find_model(name: str, allow_download: bool = False) -> Model:
    """The model that a folder's path or `NAME[@REVISION]` means.

    A folder's revision is the sum of its files, a name's the commit that the revision stands for.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / MODULES_FILE).is_file():
            raise InputError(f"st:{name}: the folder has no {MODULES_FILE}, so it holds no model")
        return _checked(Model(folder, folder.resolve().name, folder_sum(folder)))
    if folder.is_absolute() or name.startswith((".", "~")):
        raise NotFoundError(f"st:{name}: there is no such folder")
    name, _, revision = name.partition("@")
    return _checked(_from_hub(name, revision or None, allow_download))


def folder_sum(folder: Path) -> str:
    """`sha256:` and the sum over the paths and sums of a model's files but the hidden."""
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    shown = [path for path in files if not any(part.startswith(".") for part in path.parts)]
    sums = [[path.as_posix(), sha256_file(folder / path)] for path in shown]
    return f"sha256:{sha256_bytes(canonical_json(sums))}"


def _from_hub(name: str, revision: str | None, allow_download: bool) -> Model:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(
            snapshot_download(
                name,
                revision=revision,
                local_files_only=not allow_download,
                ignore_patterns=[*PICKLES, *OTHER_BACKENDS],
            )
        )
    except Exception as error:  # its trees of errors differ between versions
        wanted = f"st:{name}" + (f"@{revision}" if revision else "")
        if allow_download:
            reason = str(error).strip().partition("\n")[0]
            raise NotFoundError(f"{wanted}: cannot be downloaded: {reason}") from error
        raise NotFoundError(
            f"{wanted}: the model is not on this machine; "
            f"give the path of its folder, or fetch it: hf download {name}"
        ) from error
    return Model(folder, name, folder.name)


def _checked(model: Model) -> Model:
    """The model, if none of its parts has weights in a pickle alone."""
    for weights in sorted(model.folder.rglob("pytorch_model*.bin")):
        if not any(weights.parent.glob("*.safetensors")):
            part = weights.relative_to(model.folder)
            raise InputError(
                f"st:{model.name}: {part} is a pickle, which is never read; "
                "save the model as safetensors"
            )
    return model


def _library(allow_download: bool) -> ModuleType:
    if not allow_download:
        os.environ["HF_HUB_OFFLINE"] = "1"  # read when the library is first imported
    try:
        import sentence_transformers
    except ImportError as error:
        raise MissingExtraError("text", "sentence-transformers") from error
    return sentence_transformers


def _load(library: ModuleType, model: Model) -> Any:
    try:
        return library.SentenceTransformer(
            str(model.folder), local_files_only=True, model_kwargs={"use_safetensors": True}
        )
    except Exception as error:  # of the libraries below it, each with errors of its own
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"st:{model.name}: the model cannot be loaded: {reason}") from error


def _pooling(transformer: Any) -> str | None:
    """How the vectors of words become that of a text, where the model says it."""
    modes = (getattr(module, "pooling_mode", None) for module in transformer)
    mode = next(filter(None, modes), None)
    return mode if mode is None or isinstance(mode, str) else "+".join(mode)


def _encode(transformer: Any, texts: Sequence[str], folder: Path) -> Vectors32:
    """The vectors of all texts: those that are kept, and the others shard by shard."""
    coded = pa.array(texts, pa.large_string()).dictionary_encode()
    unique = coded.dictionary.to_pylist()
    keys = text_keys(unique)
    there = look_up(folder, keys)[0]
    missing = np.flatnonzero(~there & np.array([bool(text) for text in unique]))
    for start in range(0, len(missing), SHARD_TEXTS):
        rows = missing[start : start + SHARD_TEXTS]
        vectors = transformer.encode(
            [unique[row] for row in rows],
            batch_size=BATCH,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        keep(folder, keys.take(pa.array(rows)), unit_rows(np.asarray(vectors, np.float32)))
    there, kept = look_up(folder, keys)
    values = np.zeros((len(unique), kept.shape[1]), np.float32)
    values[there] = kept
    return values[coded.indices.to_numpy()]
