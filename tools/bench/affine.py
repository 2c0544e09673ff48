"""bfloat16 and MLX's affine quantization, with numpy."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    """The upper halves of float32s, rounded to nearest even, as uint16."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bfloat16(halves: np.ndarray) -> np.ndarray:
    return (halves.astype(np.uint32) << 16).view(np.float32)


@dataclass(frozen=True)
class AffineFormat:
    """How matrices are stored: a weight is scale * q + bias, with a scale and a bias for each group of inputs."""

    bits: int
    group: int
    scale_type: str  # of scales and biases, as safetensors names it
    # Rows of float32 to packed words [outputs, inputs * bits / 32], scales and biases [outputs, inputs / group].
    quantize: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


def mlx(bits: int, group: int = 64) -> AffineFormat:
    """What `mlx.core.quantize` makes of bfloat16 weights, bit for bit."""
    return AffineFormat(bits, group, "BF16", lambda weights: quantize(weights, bits, group))


def quantize(weights: np.ndarray, bits: int, group: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Words, scales and biases. q counts from the end of a group that lies further from zero, and zero stays zero."""
    groups = weights.reshape(weights.shape[0], -1, group)
    lowest, highest = groups.min(axis=2), groups.max(axis=2)
    steps = (1 << bits) - 1
    scales = np.maximum((highest - lowest) / np.float32(steps), np.float32(1e-7))
    is_down = np.abs(lowest) <= np.abs(highest)
    scales, ends = np.where(is_down, -scales, scales), np.where(is_down, highest, lowest)
    zeros = np.rint(ends / scales)
    has_zero = zeros != 0
    scales = np.where(has_zero, ends / np.where(has_zero, zeros, 1), scales)
    biases = np.where(has_zero, ends, 0)
    q = np.clip(np.rint((groups - biases[:, :, None]) / scales[:, :, None]), 0, steps)
    return pack(q.astype(np.uint32).reshape(weights.shape), bits), to_bfloat16(scales), to_bfloat16(biases)


def pack(q: np.ndarray, bits: int) -> np.ndarray:
    """Elements [outputs, inputs] to words, the first element in the lowest bits."""
    q = q.reshape(q.shape[0], -1, 32 // bits)
    words = np.zeros(q.shape[:2], dtype=np.uint32)
    for place in range(32 // bits):
        words |= q[:, :, place] << np.uint32(place * bits)
    return words
