"""bfloat16 and MLX's affine quantization, with numpy."""

import numpy as np


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    """The upper halves of float32s, rounded to nearest even, as uint16."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bfloat16(halves: np.ndarray) -> np.ndarray:
    return (halves.astype(np.uint32) << 16).view(np.float32)


def quantize(weights: np.ndarray, bits: int, group: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Packed words [outputs, inputs * bits / 32], scales and biases [outputs, inputs / group] as bfloat16.

    A weight is scale * q + bias, with q from the lowest bits of its word upwards.
    """
    outputs, inputs = weights.shape
    groups = weights.reshape(outputs, inputs // group, group)
    lowest, highest = groups.min(axis=2), groups.max(axis=2)
    steps = (1 << bits) - 1
    scales, biases = to_bfloat16(np.maximum((highest - lowest) / steps, 1e-8)), to_bfloat16(lowest)
    scaled = (groups - from_bfloat16(biases)[:, :, None]) / from_bfloat16(scales)[:, :, None]
    q = np.clip(np.rint(scaled), 0, steps).astype(np.uint32).reshape(outputs, -1, 32 // bits)
    packed = np.zeros(q.shape[:2], dtype=np.uint32)
    for place in range(32 // bits):
        packed |= q[:, :, place] << np.uint32(place * bits)
    return packed, scales, biases
