"""A checkpoint as ring reads it, but for its tokenizer: config.json and model.safetensors."""

import json
from pathlib import Path

import numpy as np

from affine import AffineFormat, from_bfloat16
from model_shape import ModelShape


class Checkpoint:
    """A directory that is written tensor by tensor, its matrices in bfloat16 or in an affine format."""

    def __init__(self, directory: Path, shape: ModelShape, affine: AffineFormat | None):
        directory.mkdir(parents=True, exist_ok=True)
        self.affine = affine
        (directory / "config.json").write_text(json.dumps(self.config(shape), indent=1))
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
        if self.affine:
            config["quantization"] = {"group_size": self.affine.group, "bits": self.affine.bits, "mode": "affine"}
        return config

    def entries(self, shape: ModelShape):
        for name, _, dimensions in shape.tensors():
            if self.affine and len(dimensions) == 2:
                outputs, inputs = dimensions
                module = name.removesuffix(".weight")
                yield module + ".weight", "U32", (outputs, inputs * self.affine.bits // 32)
                for part in (".scales", ".biases"):
                    yield module + part, self.affine.scale_type, (outputs, inputs // self.affine.group)
            else:
                yield name, "BF16", dimensions

    def write(self, name: str, halves: np.ndarray):
        """Appends rows of bfloat16 to a tensor."""
        if not self.affine or halves.ndim == 1:
            return self.append(name, halves)
        module = name.removesuffix(".weight")
        for part, values in zip((".weight", ".scales", ".biases"), self.affine.quantize(from_bfloat16(halves))):
            self.append(module + part, values)

    def close(self):
        self.file.close()

    def append(self, name: str, values: np.ndarray):
        self.file.seek(self.start + self.offsets[name])
        self.file.write(values.tobytes())
        self.offsets[name] += values.nbytes
