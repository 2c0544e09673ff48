"""Writes Qwen3 checkpoints of random weights, in Hugging Face's bfloat16 or MLX's affine format, with numpy alone."""

import json
from pathlib import Path

import numpy as np


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    """The upper halves of float32s, rounded to nearest."""
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def tensor_shapes(layers, hidden, heads, kv_heads, head_dim, mlp, vocabulary):
    """Name and shape of every tensor of a tied Qwen3 model."""
    yield "model.embed_tokens.weight", (vocabulary, hidden)
    for layer in range(layers):
        at = f"model.layers.{layer}."
        yield at + "input_layernorm.weight", (hidden,)
        yield at + "self_attn.q_proj.weight", (heads * head_dim, hidden)
        yield at + "self_attn.k_proj.weight", (kv_heads * head_dim, hidden)
        yield at + "self_attn.v_proj.weight", (kv_heads * head_dim, hidden)
        yield at + "self_attn.o_proj.weight", (hidden, heads * head_dim)
        yield at + "self_attn.q_norm.weight", (head_dim,)
        yield at + "self_attn.k_norm.weight", (head_dim,)
        yield at + "post_attention_layernorm.weight", (hidden,)
        yield at + "mlp.gate_proj.weight", (mlp, hidden)
        yield at + "mlp.up_proj.weight", (mlp, hidden)
        yield at + "mlp.down_proj.weight", (hidden, mlp)
    yield "model.norm.weight", (hidden,)


def quantized_parts(name: str, shape, bits: int, group: int):
    """The three tensors that an affine matrix is stored as: name, dtype, shape."""
    outputs, inputs = shape
    module = name.removesuffix(".weight")
    yield module + ".weight", "U32", (outputs, inputs * bits // 32)
    yield module + ".scales", "BF16", (outputs, inputs // group)
    yield module + ".biases", "BF16", (outputs, inputs // group)


def random_tensor(random: np.random.Generator, name: str, dtype: str, shape, bits: int | None) -> np.ndarray:
    if dtype == "U32":
        return random.integers(0, 2**32, shape, dtype=np.uint32)
    if name.endswith(".scales"):
        # Elements are uniform over 2^bits steps; this gives weights a deviation near 0.08.
        return to_bfloat16(np.full(shape, 0.28 / 2**bits) * random.uniform(0.8, 1.2, shape))
    if name.endswith(".biases"):
        return to_bfloat16(np.full(shape, -0.14) * random.uniform(0.8, 1.2, shape))
    if len(shape) == 1:
        return to_bfloat16(random.uniform(0.8, 1.2, shape))
    return to_bfloat16(random.standard_normal(shape, dtype=np.float32) * 0.08)


def write_checkpoint(
    directory: Path, *, layers, hidden, heads, kv_heads, head_dim, mlp, vocabulary, seed, bits=None, group=64
) -> Path:
    """Writes config.json and model.safetensors, one tensor at a time, and returns the directory."""
    config = {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": hidden, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": kv_heads, "head_dim": head_dim, "intermediate_size": mlp,
        "vocab_size": vocabulary, "rms_norm_eps": 1e-6, "rope_theta": 1e6, "max_position_embeddings": 4096,
        "tie_word_embeddings": True, "hidden_act": "silu", "attention_bias": False, "torch_dtype": "bfloat16", "eos_token_id": 0,
    }
    if bits:
        config["quantization"] = {"group_size": group, "bits": bits, "mode": "affine"}
    entries = []
    for name, shape in tensor_shapes(layers, hidden, heads, kv_heads, head_dim, mlp, vocabulary):
        if bits and len(shape) == 2:
            entries += quantized_parts(name, shape, bits, group)
        else:
            entries.append((name, "BF16", shape))
    header, offset = {}, 0
    for name, dtype, shape in entries:
        size = int(np.prod(shape)) * (4 if dtype == "U32" else 2)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    encoded = json.dumps(header).encode()
    random = np.random.default_rng(seed)
    (directory / "config.json").write_text(json.dumps(config, indent=1))
    with open(directory / "model.safetensors", "wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for name, dtype, shape in entries:
            file.write(random_tensor(random, name, dtype, shape, bits).tobytes())
    return directory
