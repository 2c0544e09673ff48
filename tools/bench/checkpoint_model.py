"""A checkpoint as ring reads it: config.json, model.safetensors in bfloat16 or MLX's affine format, a tokenizer."""

import json
from pathlib import Path

import numpy as np

from affine import from_bfloat16, quantize
from model_shape import ModelShape
from tokenizer import write_tokenizer

GROUP = 64


class Checkpoint:
    """A directory with config.json and model.safetensors, written tensor by tensor."""

    def __init__(self, directory: Path, shape: ModelShape, bits: int | None):
        directory.mkdir(parents=True, exist_ok=True)
        self.bits = bits
        (directory / "config.json").write_text(json.dumps(self.config(shape), indent=1))
        write_tokenizer(directory, shape.vocabulary)
        header, self.offsets, offset = {}, {}, 0
        for name, dtype, dimensions in self.entries(shape):
            size = int(np.prod(dimensions)) * (4 if dtype == "U32" else 2)
            header[name] = {"dtype": dtype, "shape": list(dimensions), "data_offsets": [offset, offset + size]}
            self.offsets[name] = offset
            offset += size
        encoded = json.dumps(header).encode()
        encoded += b" " * (-len(encoded) % 8)
        self.file = open(directory / "model.safetensors", "wb")
        self.file.write(len(encoded).to_bytes(8, "little") + encoded)
        self.start = self.file.tell()

    def config(self, shape: ModelShape) -> dict:
        config = {
            "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": shape.hidden,
            "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads,
            "head_dim": shape.head_dim, "intermediate_size": shape.mlp, "vocab_size": shape.vocabulary,
            "rms_norm_eps": shape.norm_epsilon, "rope_theta": shape.rope_base, "max_position_embeddings": shape.context,
            "tie_word_embeddings": True, "hidden_act": "silu", "attention_bias": False, "torch_dtype": "bfloat16",
            "eos_token_id": 0,
        }
        if self.bits:
            config["quantization"] = {"group_size": GROUP, "bits": self.bits, "mode": "affine"}
        return config

    def entries(self, shape: ModelShape):
        for name, _, dimensions in shape.tensors():
            if self.bits and len(dimensions) == 2:
                outputs, inputs = dimensions
                module = name.removesuffix(".weight")
                yield module + ".weight", "U32", (outputs, inputs * self.bits // 32)
                yield module + ".scales", "BF16", (outputs, inputs // GROUP)
                yield module + ".biases", "BF16", (outputs, inputs // GROUP)
            else:
                yield name, "BF16", dimensions

    def write(self, name: str, halves: np.ndarray):
        """Appends rows of bfloat16 to a tensor."""
        if not self.bits or halves.ndim == 1:
            return self.append(name, halves)
        module = name.removesuffix(".weight")
        for part, values in zip((".weight", ".scales", ".biases"), quantize(from_bfloat16(halves), self.bits, GROUP)):
            self.append(module + part, values)

    def close(self):
        self.file.close()

    def append(self, name: str, values: np.ndarray):
        self.file.seek(self.start + self.offsets[name])
        self.file.write(values.tobytes())
        self.offsets[name] += values.nbytes
