"""GGUF's Q8_0 and Q4_0 in MLX's affine layout: the same values, so that ring and llama.cpp run the same model."""

import gguf
import numpy as np

from affine import AffineFormat, pack

BLOCK = 32


def as_gguf(kind: gguf.GGMLQuantizationType) -> AffineFormat:
    """A block's weights are d * (q - offset): scale d and bias -offset * d, which float16 holds as exactly as d."""
    bits, offset, elements = {
        gguf.GGMLQuantizationType.Q8_0: (8, 128, q8_0_elements),
        gguf.GGMLQuantizationType.Q4_0: (4, 8, q4_0_elements),
    }[kind]

    def quantize(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        blocks = gguf.quants.quantize(weights, kind).reshape(weights.shape[0], weights.shape[1] // BLOCK, -1)
        d = np.ascontiguousarray(blocks[:, :, :2]).view(np.float16)[:, :, 0]
        biases = d * np.float16(-offset)
        if not np.isfinite(biases).all():
            raise ValueError(f"a scale of {kind.name} is too large for a float16 bias")
        q = elements(blocks[:, :, 2:]).reshape(weights.shape)
        return pack(q, bits), d.view(np.uint16), biases.view(np.uint16)

    return AffineFormat(bits, BLOCK, "F16", quantize)


def q8_0_elements(signed: np.ndarray) -> np.ndarray:
    return (np.ascontiguousarray(signed).view(np.int8).astype(np.int32) + 128).astype(np.uint32)


def q4_0_elements(halves: np.ndarray) -> np.ndarray:
    """The low halves of a block's bytes are its first sixteen weights."""
    return np.concatenate([halves & 15, halves >> 4], axis=-1).astype(np.uint32)
