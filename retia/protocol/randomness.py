"""All randomness of a build or a run comes from one key, through named streams."""

import hashlib
from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Randomness:
    """Independent, named random streams from one key.

    A stream depends on the key and its name alone, never on the order or the number of workers
    that ask for streams.
    """

    key: bytes

    @classmethod
    def from_seed(cls, seed: int) -> Self:
        """Public randomness, reproducible by anyone who knows the seed."""
        return cls(f"seed:{seed}".encode())

    @classmethod
    def from_secret(cls, secret: bytes) -> Self:
        """Randomness of a sealed build: the key is the 256-bit secret."""
        if len(secret) < 32:
            raise ValueError("a secret has 256 bits")
        return cls(b"secret:" + secret)

    def stream(self, *name: str | int) -> np.random.Generator:
        """The generator of that name, PCG64 seeded by SHA-256 of the key and the name."""
        text = "/".join(str(part) for part in name).encode()
        digest = hashlib.sha256(len(self.key).to_bytes(4, "big") + self.key + text).digest()
        return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
