"""A model that says what its prompt dictates, at the cost of any model of its shape.

Speculation has to be measured on answers that copy as real answers do, with a model that is as slow as a real one. Random
weights copy nothing, and a model trained to copy cannot be made here. So the first layer's attention is set by hand: at
each position it looks DISTANCE tokens back of the token to come, and what stands there comes next. Token ids from
DICTATED on stand for the id less DICTATED: a text written with those is said in plain tokens, and whoever guesses from
the plain tokens seen so far has never seen it. All other layers are random and as slow as ever; what they add is small
beside what the first has written.

A head of the attention looks back by a fixed distance where queries and keys do not depend on the token, but for the
rotary embedding: the query is turned back by the distance, so that the key there, turned by its position, meets it in
every frequency at once, and no other does.
"""

import zlib
from pathlib import Path

import numpy as np

from affine import AffineFormat, to_bfloat16
from checkpoint_model import Checkpoint
from model_shape import ModelShape

# The token to come stands so many places before; an answer is no longer.
DISTANCE = 1024
# Inputs of a quantized group, which must all be of one kind.
GROUP = 64
# A token's code and that of the token it stands for each take 7 parts of 16 of the hidden dimensions, and the rest is
# constant. All are of one magnitude, so that quantization keeps them, and far above what a random layer adds.
CODE_PARTS, PARTS = 7, 16
MAGNITUDE = 16.0
# How much louder the copied token is than the current one.
COPY = 8.0
# Frequencies that tell positions apart, from the fastest on: the slower ones differ little from a token to the next.
FREQUENCIES = 24
# Of queries and keys: the next best position is some 40 nats below.
SHARPNESS = 8.0
# Of the final norm: keeps logits small enough to be told apart in float32.
LOUDNESS = 1 / 64
ROWS_AT_A_TIME = 16_384


class DictatedWeights:
    def __init__(self, shape: ModelShape, seed: int = 1):
        self.shape, self.seed = shape, seed
        self.code = shape.hidden // PARTS * CODE_PARTS
        self.plain_tokens = shape.vocabulary // 2
        assert self.code % GROUP == 0 and self.code <= shape.kv_heads * shape.head_dim
        codes = np.random.Generator(np.random.SFC64([seed, 0])).integers(0, 2, (shape.vocabulary, self.code), dtype=np.int8)
        self.codes = codes * np.int8(2) - np.int8(1)

    def rows(self, name: str, first: int, count: int, dimensions: tuple) -> np.ndarray:
        """float32 rows of a tensor."""
        made = {
            "model.embed_tokens.weight": self.embedding,
            "model.layers.0.self_attn.q_proj.weight": self.query,
            "model.layers.0.self_attn.k_proj.weight": self.key,
            "model.layers.0.self_attn.v_proj.weight": self.value,
            "model.layers.0.self_attn.o_proj.weight": self.output,
        }
        if name in made:
            return made[name](first, count, dimensions)
        if len(dimensions) == 1:
            level = {"model.layers.0.self_attn.q_norm.weight": SHARPNESS,
                     "model.layers.0.self_attn.k_norm.weight": SHARPNESS, "model.norm.weight": LOUDNESS}
            return np.full(dimensions, level.get(name, 1.0), dtype=np.float32)
        random = np.random.Generator(np.random.SFC64([self.seed, zlib.crc32(name.encode()), first]))
        return random.standard_normal((count, dimensions[1]), dtype=np.float32) * 0.02

    def embedding(self, first: int, count: int, dimensions: tuple) -> np.ndarray:
        tokens = np.arange(first, first + count)
        meant = np.where(tokens >= self.plain_tokens, tokens - self.plain_tokens, tokens)
        rows = np.ones((count, dimensions[1]), dtype=np.float32)
        rows[:, : self.code] = self.codes[tokens]
        rows[:, self.code : 2 * self.code] = self.codes[meant]
        return rows * MAGNITUDE

    def head_rows(self, angles: np.ndarray, first: int, count: int, dimensions: tuple) -> np.ndarray:
        """Rows that make the constant dimensions a vector of unit pairs, pair f being dimensions f and f + half."""
        half = self.shape.head_dim // 2
        head = np.zeros(self.shape.head_dim, dtype=np.float32)
        head[:FREQUENCIES], head[half : half + FREQUENCIES] = np.cos(angles), np.sin(angles)
        constant = dimensions[1] - 2 * self.code
        rows = np.zeros((count, dimensions[1]), dtype=np.float32)
        rows[:, 2 * self.code :] = np.resize(head, first + count)[first:, None] / constant
        return rows

    def query(self, first: int, count: int, dimensions: tuple) -> np.ndarray:
        speeds = self.shape.rope_base ** (-2.0 * np.arange(FREQUENCIES) / self.shape.head_dim)
        # The row at position p says what comes at p + 1.
        return self.head_rows(-(DISTANCE - 1) * speeds, first, count, dimensions)

    def key(self, first: int, count: int, dimensions: tuple) -> np.ndarray:
        return self.head_rows(np.zeros(FREQUENCIES), first, count, dimensions)

    def value(self, first: int, count: int, dimensions: tuple) -> np.ndarray:
        rows = np.zeros((count, dimensions[1]), dtype=np.float32)
        outputs = np.arange(first, min(first + count, self.code))
        rows[outputs - first, self.code + outputs] = 1
        return rows

    def output(self, first: int, count: int, dimensions: tuple) -> np.ndarray:
        """The first query head of each key/value head brings its part of the code."""
        size, shared = self.shape.head_dim, self.shape.heads // self.shape.kv_heads
        rows = np.zeros((count, dimensions[1]), dtype=np.float32)
        codes = np.arange(first, min(first + count, self.code))
        rows[codes - first, codes // size * shared * size + codes % size] = MAGNITUDE * COPY
        return rows


def make_dictated_model(directory: Path, shape: ModelShape, affine: AffineFormat | None):
    weights, checkpoint = DictatedWeights(shape), Checkpoint(directory, shape, affine)
    for name, _, dimensions in shape.tensors():
        for first in range(0, dimensions[0], ROWS_AT_A_TIME):
            rows = weights.rows(name, first, min(ROWS_AT_A_TIME, dimensions[0] - first), dimensions)
            checkpoint.write(name, to_bfloat16(rows))
    checkpoint.close()
