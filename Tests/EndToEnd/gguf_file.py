"""Writes a Qwen3 model directory as one GGUF file, tokenizer and chat template included, with numpy alone."""

import json
import struct
from pathlib import Path

import numpy as np

ALIGNMENT = 32
F32, Q8_0, BF16 = 0, 8, 30
UINT32, FLOAT32, STRING, ARRAY, INT32, BOOL = 4, 6, 8, 9, 5, 7

NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
}


def string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def value(key: str, kind: int, content) -> bytes:
    packed = {
        UINT32: lambda: struct.pack("<I", content), FLOAT32: lambda: struct.pack("<f", content),
        BOOL: lambda: struct.pack("<?", content), STRING: lambda: string(content),
    }
    if kind == ARRAY:
        element = STRING if isinstance(content[0], str) else INT32
        body = b"".join(string(x) if element == STRING else struct.pack("<i", x) for x in content)
        return string(key) + struct.pack("<IIQ", ARRAY, element, len(content)) + body
    return string(key) + struct.pack("<I", kind) + packed[kind]()


def tensors_of(model: Path):
    """Name and bfloat16 bits of every tensor of a single safetensors file."""
    data = (model / "model.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "BF16"
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        yield name, np.frombuffer(data[begin:end], np.uint16).reshape(entry["shape"])


def name_in_file(name: str) -> str:
    module, suffix = name.rsplit(".", 1)
    if module.startswith("model.layers."):
        _, _, layer, module = module.split(".", 3)
        return f"blk.{layer}.{NAMES[module]}.{suffix}"
    return f"{NAMES[module]}.{suffix}"


def q8_0(values: np.ndarray) -> np.ndarray:
    """Blocks of 32 signed bytes behind their float16 scale."""
    groups = values.reshape(-1, 32)
    scales = (np.abs(groups).max(-1) / 127).astype(np.float16)
    inverse = np.where(scales == 0, 0, 1 / np.where(scales == 0, 1, scales.astype(np.float32)))
    bytes_ = np.clip(np.rint(groups * inverse[:, None]), -127, 127).astype(np.int8)
    return np.concatenate([scales.view(np.uint8).reshape(-1, 2), bytes_.view(np.uint8)], axis=1)


def metadata(model: Path):
    config = json.loads((model / "config.json").read_text())
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    template = json.loads((model / "tokenizer_config.json").read_text())["chat_template"]
    tokens = dict(tokenizer["model"]["vocab"])
    special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    texts = [text for text, _ in sorted((tokens | special).items(), key=lambda item: item[1])]
    yield value("general.architecture", STRING, "qwen3")
    for key, field in [
        ("block_count", "num_hidden_layers"), ("context_length", "max_position_embeddings"), ("embedding_length", "hidden_size"),
        ("feed_forward_length", "intermediate_size"), ("attention.head_count", "num_attention_heads"),
        ("attention.head_count_kv", "num_key_value_heads"), ("attention.key_length", "head_dim"), ("attention.value_length", "head_dim"),
    ]:
        yield value(f"qwen3.{key}", UINT32, config[field])
    yield value("qwen3.rope.freq_base", FLOAT32, config["rope_theta"])
    yield value("qwen3.attention.layer_norm_rms_epsilon", FLOAT32, config["rms_norm_eps"])
    yield value("tokenizer.ggml.model", STRING, "gpt2")
    yield value("tokenizer.ggml.pre", STRING, "qwen2")
    yield value("tokenizer.ggml.tokens", ARRAY, texts)
    yield value("tokenizer.ggml.token_type", ARRAY, [3 if text in special else 1 for text in texts])
    yield value("tokenizer.ggml.merges", ARRAY, [" ".join(merge) for merge in tokenizer["model"]["merges"]])
    yield value("tokenizer.ggml.eos_token_id", UINT32, config["eos_token_id"])
    yield value("tokenizer.ggml.add_bos_token", BOOL, False)
    yield value("tokenizer.chat_template", STRING, template)


def write_gguf(model: Path, path: Path, quantized: bool = False) -> Path:
    """The matrices in bfloat16 as they are, or in Q8_0."""
    values = list(metadata(model))
    infos, blobs, offset = [], [], 0
    for name, bits in tensors_of(model):
        floats = (bits.astype(np.uint32) << 16).view(np.float32)
        kind, data = (F32, floats) if bits.ndim == 1 else (Q8_0, q8_0(floats)) if quantized else (BF16, bits)
        blob = data.tobytes()
        dimensions = bits.shape[::-1]
        infos.append(
            string(name_in_file(name)) + struct.pack("<I", len(dimensions)) + struct.pack(f"<{len(dimensions)}Q", *dimensions)
            + struct.pack("<IQ", kind, offset)
        )
        padding = -len(blob) % ALIGNMENT
        blobs.append(blob + bytes(padding))
        offset += len(blob) + padding
    header = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(values)) + b"".join(values + infos)
    path.write_bytes(header + bytes(-len(header) % ALIGNMENT) + b"".join(blobs))
    return path
