"""Writes one model of random weights as ring and as llama.cpp read it: bfloat16, 4 and 8 bits a weight; and one to dictate to.

    python make_models.py DIRECTORY

DIRECTORY/bf16, 4bit, 8bit are checkpoints (safetensors, MLX's affine groups of 64); bf16.gguf, q4_0.gguf and q8_0.gguf hold
the same weights. Every format is rounded from the same bfloat16 values, so the two bf16 files are the same model.
DIRECTORY/dictated is the model of dictated_model.py, which speculation is measured with.
"""

import sys
import zlib
from pathlib import Path

import gguf
import numpy as np

from affine import mlx, to_bfloat16
from checkpoint_model import Checkpoint
from dictated_model import make_dictated_model
from gguf_model import GGUFModel
from model_shape import QWEN3_0_6B, ModelShape
from tokenizer import write_tokenizer

# Rows of a matrix that are made at a time: bounds the memory that the embedding takes.
ROWS_AT_A_TIME = 16_384
CHECKPOINTS = {"bf16": None, "4bit": mlx(4), "8bit": mlx(8)}
GGUF_TYPES = {
    "bf16": gguf.GGMLQuantizationType.BF16,
    "q4_0": gguf.GGMLQuantizationType.Q4_0,
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
}


def random_rows(random: np.random.Generator, rows: int, shape: tuple) -> np.ndarray:
    """bfloat16: norms near 1; matrices with the deviation that models are initialised with."""
    if len(shape) == 1:
        return to_bfloat16(random.uniform(0.8, 1.2, shape))
    return to_bfloat16(random.standard_normal((rows, shape[1]), dtype=np.float32) * 0.02)


def make_models(directory: Path, shape: ModelShape, seed: int = 1):
    directory.mkdir(parents=True, exist_ok=True)
    checkpoints = [Checkpoint(directory / name, shape, affine) for name, affine in CHECKPOINTS.items()]
    for name in CHECKPOINTS:
        write_tokenizer(directory / name, shape.vocabulary)
    files = [GGUFModel(directory / f"{name}.gguf", shape, kind) for name, kind in GGUF_TYPES.items()]
    for name, _, dimensions in shape.tensors():
        random = np.random.Generator(np.random.SFC64([seed, zlib.crc32(name.encode())]))
        for first in range(0, dimensions[0], ROWS_AT_A_TIME):
            halves = random_rows(random, min(ROWS_AT_A_TIME, dimensions[0] - first), dimensions)
            for checkpoint in checkpoints:
                checkpoint.write(name, halves)
            for file in files:
                file.write(halves)
        for file in files:
            file.end_tensor()
    for file in [*checkpoints, *files]:
        file.close()


if __name__ == "__main__":
    make_models(Path(sys.argv[1]), QWEN3_0_6B)
    make_dictated_model(Path(sys.argv[1]) / "dictated", QWEN3_0_6B, mlx(4))
