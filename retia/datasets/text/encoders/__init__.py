"""Encoders of texts: TF-IDF with SVD, hashing with a projection, sentence transformers."""

from retia.datasets.text.encoders.encode import check_spec, encode
from retia.datasets.text.encoders.encoded import Encoded, FittedOn

__all__ = ["Encoded", "FittedOn", "check_spec", "encode"]
