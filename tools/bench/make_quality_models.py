"""Writes a trained bfloat16 checkpoint in other formats, to see what each of them and each way of computing costs.

    python make_quality_models.py MODEL DIRECTORY

DIRECTORY/bf16 is the model itself, 8bit and 4bit hold it as `mlx_lm.convert` would store it (groups of 64); q8_0 and q4_0
hold the values that GGUF's Q8_0 and Q4_0 have, and bf16.gguf, q8_0.gguf and q4_0.gguf are the same for llama.cpp. The files
NAME-f32.gguf hold the values of NAME.gguf in float32: llama.cpp's own reference.
"""

import json
import shutil
import sys
from pathlib import Path

import gguf
import numpy as np

from affine import mlx
from checkpoint_model import Checkpoint
from gguf_affine import as_gguf
from gguf_model import GGUFModel
from model_shape import ModelShape

Kind = gguf.GGMLQuantizationType
CHECKPOINTS = {
    "bf16": None, "8bit": mlx(8), "4bit": mlx(4), "q8_0": as_gguf(Kind.Q8_0), "q4_0": as_gguf(Kind.Q4_0),
}
GGUF_FILES = {
    "bf16": (Kind.BF16, None), "bf16-f32": (Kind.F32, None),
    "q8_0": (Kind.Q8_0, None), "q8_0-f32": (Kind.F32, Kind.Q8_0),
    "q4_0": (Kind.Q4_0, None), "q4_0-f32": (Kind.F32, Kind.Q4_0),
}
TEXT_FILES = ["tokenizer.json", "tokenizer_config.json", "generation_config.json"]


def read_shape(model: Path) -> ModelShape:
    config = json.loads((model / "config.json").read_text())
    if config["model_type"] != "qwen3" or not config["tie_word_embeddings"] or config.get("quantization"):
        raise SystemExit(f"{model} must be a Qwen3 model with a tied head, in bfloat16")
    return ModelShape(
        layers=config["num_hidden_layers"], hidden=config["hidden_size"], heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"], head_dim=config["head_dim"], mlp=config["intermediate_size"],
        vocabulary=config["vocab_size"], context=config["max_position_embeddings"], rope_base=config["rope_theta"],
        norm_epsilon=config["rms_norm_eps"],
    )


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """The bfloat16 tensors of a safetensors file, as uint16."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] != "BF16":
            raise SystemExit(f"{path}: {name} is {entry['dtype']}, not BF16")
        first, last = entry["data_offsets"]
        tensors[name] = np.frombuffer(content[start + first : start + last], np.uint16).reshape(entry["shape"])
    return tensors


def make_quality_models(model: Path, directory: Path):
    shape = read_shape(model)
    tensors = read_tensors(model / "model.safetensors")
    directory.mkdir(parents=True, exist_ok=True)
    checkpoints = [Checkpoint(directory / name, shape, affine) for name, affine in CHECKPOINTS.items()]
    for name in CHECKPOINTS:
        for file in TEXT_FILES:
            shutil.copy(model / file, directory / name)
    files = [GGUFModel(directory / f"{name}.gguf", shape, *kinds) for name, kinds in GGUF_FILES.items()]
    for name, _, _ in shape.tensors():
        for checkpoint in checkpoints:
            checkpoint.write(name, tensors[name])
        for file in files:
            file.write(tensors[name])
            file.end_tensor()
    for file in [*checkpoints, *files]:
        file.close()


if __name__ == "__main__":
    make_quality_models(Path(sys.argv[1]), Path(sys.argv[2]))
