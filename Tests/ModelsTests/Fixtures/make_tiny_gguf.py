"""Makes tiny GGUF models of each family, and the answers of references.

    pip install torch transformers gguf llama-cpp-python
    python make_tiny_gguf.py [NAME …]

Weights are random. Blocks of the K types are random bits, as no Python package writes them; those of the others are
gguf's own. golden.json is as make_tiny_qwen3.py describes it: what transformers computes in float32 with the values
that gguf's reference dequantization gives. Before it is written, llama.cpp reads the same file and has to agree with
that up to its own rounding of activations, so that names, order of rows and metadata are known to be llama.cpp's.

tiny-gguf-llama       F32, F16, BF16 and Q8_0; queries and keys in llama.cpp's order, with biases; Llama 3's
                      frequencies in rope_freqs.weight
tiny-gguf-qwen2       Q4_0, Q4_1, Q5_0 and Q5_1; tied embedding of its own type
tiny-gguf-qwen3       Q4_K, Q5_K and Q6_K; YaRN
tiny-gguf-qwen2-moe   stacked experts and a shared one
tiny-gguf-qwen3-moe   stacked experts whose weights are normalized

blocks.gguf           every packed type: a matrix of random blocks each, and beside it the values they stand for
"""

import json
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type

from make_tiny_families import SHAPE, answers, make_model
from make_tiny_qwen3 import FOLDER, GREEDY_GAP_MIN, PROMPT

Q = {"Q4_0": Type.Q4_0, "Q4_1": Type.Q4_1, "Q5_0": Type.Q5_0, "Q5_1": Type.Q5_1, "Q8_0": Type.Q8_0}
K = {"Q4_K": Type.Q4_K, "Q5_K": Type.Q5_K, "Q6_K": Type.Q6_K}
PLAIN = {"F32": Type.F32, "F16": Type.F16, "BF16": Type.BF16}
TYPES = Q | K | PLAIN

MODELS = {
    "tiny-gguf-llama": {
        "config": SHAPE | {
            "model_type": "llama", "intermediate_size": 128, "attention_bias": True, "rope_theta": 500000.0,
            "rope_scaling": {
                "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32,
            },
        },
        "types": ["F16", "Q8_0", "BF16", "F32", "Q8_0"],
    },
    "tiny-gguf-qwen2": {
        "config": SHAPE | {
            "model_type": "qwen2", "intermediate_size": 128, "rope_theta": 1000000.0, "use_sliding_window": False,
            "tie_word_embeddings": True,
        },
        "types": ["Q5_1", "Q4_0", "Q4_1", "Q5_0"],
    },
    "tiny-gguf-qwen3": {
        "config": SHAPE | {
            "model_type": "qwen3", "hidden_size": 256, "intermediate_size": 256, "head_dim": 64, "rope_theta": 10000.0,
            "num_key_value_heads": 1, "use_sliding_window": False,
            "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16},
        },
        "types": ["Q4_K", "Q6_K", "Q5_K"],
    },
    "tiny-gguf-qwen2-moe": {
        "config": SHAPE | {
            "model_type": "qwen2_moe", "intermediate_size": 128, "moe_intermediate_size": 32,
            "shared_expert_intermediate_size": 64, "num_experts": 6, "num_experts_per_tok": 2, "norm_topk_prob": False,
            "decoder_sparse_step": 1, "mlp_only_layers": [], "rope_theta": 10000.0, "use_sliding_window": False,
        },
        "types": ["Q5_0", "Q8_0", "Q4_1"],
    },
    "tiny-gguf-qwen3-moe": {
        "config": SHAPE | {
            "model_type": "qwen3_moe", "intermediate_size": 64, "moe_intermediate_size": 32, "head_dim": 32,
            "num_experts": 8, "num_experts_per_tok": 3, "norm_topk_prob": True, "decoder_sparse_step": 1,
            "mlp_only_layers": [], "rope_theta": 10000.0, "use_sliding_window": False,
        },
        "types": ["Q8_0", "Q4_0"],
    },
}
ARCHITECTURES = {
    "llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "qwen2_moe": "qwen2moe", "qwen3_moe": "qwen3moe",
}
# llama.cpp rounds activations to 8 bits, as a fraction of the logits' deviation.
LLAMA_CPP_ERROR_MAX = 0.1


def random_blocks(rows, columns, kind, rng, deviation=None):
    """Rows of random blocks of a K type, or of any; with `deviation`, weights of about that size."""
    elements, size = gguf.GGML_QUANT_SIZES[TYPES[kind]]
    count = rows * columns // elements
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)

    def put(at, values):
        blocks[:, at : at + 2] = values.astype(np.float16).reshape(count, 1).view(np.uint8)

    def factors(scale):
        return scale * rng.uniform(0.5, 1.5, count) * rng.choice([-1, 1], count)

    scale = deviation or 0.01
    if kind == "Q6_K":
        blocks[:, 192:208] = rng.integers(-60, 60, (count, 16)).astype(np.int8).view(np.uint8)
        put(208, factors(scale / 35 / 18))
    elif kind in ("Q4_K", "Q5_K"):
        levels = 16 if kind == "Q4_K" else 32
        # Minima near the middle of what the scales span.
        d = factors(scale / 32 / (levels / 3.5))
        put(0, d)
        put(2, d * (levels / 2))
        if deviation:
            nibbles = rng.integers(0, 256, (count, 4), dtype=np.uint8)
            blocks[:, 4:8] = nibbles
            blocks[:, 8:12] = (nibbles & 0xC0) | ((nibbles & 0x3F) ^ rng.integers(0, 8, (count, 4), dtype=np.uint8))
            low = rng.integers(0, 16, (count, 4), dtype=np.uint8)
            blocks[:, 12:16] = low | low << 4
    else:
        put(0, factors(scale / 8))
        if kind in ("Q4_1", "Q5_1"):
            put(2, factors(scale))
    return blocks.reshape(rows, columns // elements * size)


def stored(value, kind, rng):
    """A tensor's bytes in a type, and the values they stand for."""
    if kind == "F32":
        return value, value
    if kind in K:
        rows = value.reshape(-1, value.shape[-1])
        data = random_blocks(*rows.shape, kind, rng, deviation=float(value.std()))
    else:
        data = gguf.quantize(value, TYPES[kind])
    return data, gguf.dequantize(data, TYPES[kind]).astype(np.float32).reshape(value.shape)


def permuted(value, heads):
    """llama.cpp's order of the rows of queries and keys, as its converter has it."""
    return (
        value.reshape(heads, 2, value.shape[0] // heads // 2, *value.shape[1:]).swapaxes(1, 2).reshape(value.shape)
    )


def restored(value, heads):
    return (
        value.reshape(heads, value.shape[0] // heads // 2, 2, *value.shape[1:]).swapaxes(1, 2).reshape(value.shape)
    )


NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "mlp.gate": "ffn_gate_inp",
    "mlp.shared_expert_gate": "ffn_gate_inp_shexp", "mlp.shared_expert.gate_proj": "ffn_gate_shexp",
    "mlp.shared_expert.up_proj": "ffn_up_shexp", "mlp.shared_expert.down_proj": "ffn_down_shexp",
    "mlp.experts.down_proj": "ffn_down_exps",
}
ENDS = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def name_in_file(name):
    module, suffix = name.rsplit(".", 1) if name.endswith((".weight", ".bias")) else (name, "weight")
    if module in ENDS:
        return f"{ENDS[module]}.{suffix}"
    _, _, layer, module = module.split(".", 3)
    return f"blk.{layer}.{NAMES[module]}.{suffix}"


def metadata(writer, config):
    arch = ARCHITECTURES[config["model_type"]]
    heads = config["num_attention_heads"]
    head_dim = config.get("head_dim", config["hidden_size"] // heads)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    scaling = config.get("rope_scaling", {})
    if scaling.get("rope_type") == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(scaling["factor"])
        writer.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
    if "num_experts" in config:
        writer.add_expert_count(config["num_experts"])
        writer.add_expert_used_count(config["num_experts_per_tok"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    if "shared_expert_intermediate_size" in config:
        writer.add_expert_shared_feed_forward_length(config["shared_expert_intermediate_size"])
    writer.add_tokenizer_model("no_vocab")
    return arch


def frequency_factors(config):
    """What Llama 3 divides each frequency by, as llama.cpp's converter computes it."""
    scaling = config["rope_scaling"]
    dimension = config["hidden_size"] // config["num_attention_heads"]
    original = scaling["original_max_position_embeddings"]
    factors = []
    for index in range(0, dimension, 2):
        wavelength = 2 * np.pi * config["rope_theta"] ** (index / dimension)
        if wavelength < original / scaling["high_freq_factor"]:
            factors.append(1)
        elif wavelength > original / scaling["low_freq_factor"]:
            factors.append(scaling["factor"])
        else:
            low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
            smooth = (original / wavelength - low) / (high - low)
            factors.append(1 / ((1 - smooth) / scaling["factor"] + smooth))
    return np.array(factors, dtype=np.float32)


def write_model(path, config, types, model, rng):
    """Writes the file, and gives `model` the values that are stored in it."""
    writer = gguf.GGUFWriter(path, ARCHITECTURES[config["model_type"]])
    metadata(writer, config)
    if config.get("rope_scaling", {}).get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", frequency_factors(config))
    is_llama = config["model_type"] == "llama"
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    matrices = 0
    values = {}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config["tie_word_embeddings"]:
            continue
        value = tensor.float().numpy()
        pieces = [(None, value)]
        target = None
        if name.endswith("mlp.experts.gate_up_proj"):
            half = value.shape[1] // 2
            stem = f"blk.{name.split('.')[2]}"
            pieces = [(f"{stem}.ffn_gate_exps.weight", value[:, :half]), (f"{stem}.ffn_up_exps.weight", value[:, half:])]
        else:
            target = name_in_file(name)
        kept = []
        for piece_name, piece in pieces:
            piece_name = piece_name or target
            if piece_name.endswith("ffn_gate_inp_shexp.weight"):
                piece = piece.reshape(-1)
            count = heads.get(piece_name.split(".")[-2]) if is_llama else None
            if count:
                piece = permuted(piece, count)
            piece = np.ascontiguousarray(piece)
            kind = "F32"
            if piece.ndim >= 2 and "ffn_gate_inp" not in piece_name:
                kind = types[matrices % len(types)]
                matrices += 1
            data, piece_values = stored(piece, kind, rng)
            writer.add_tensor(piece_name, data, raw_dtype=TYPES[kind])
            kept.append(restored(piece_values, count) if count else piece_values)
        merged = np.concatenate(kept, axis=1) if len(kept) > 1 else kept[0]
        values[name] = torch.from_numpy(np.ascontiguousarray(merged.reshape(value.shape)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    model.load_state_dict(values, strict=False)
    model.tie_weights()


def llama_cpp_logits(path):
    import llama_cpp

    llama = llama_cpp.Llama(
        str(path), n_ctx=64, logits_all=True, verbose=False, n_threads=1, flash_attn=False,
    )
    llama.eval(PROMPT)
    return np.array(llama.scores[: len(PROMPT)])


def make(name, config, types):
    folder = FOLDER / name
    folder.mkdir(exist_ok=True)
    path = folder / "model.gguf"
    for seed in range(1000):
        model = make_model(config, seed)
        write_model(path, config, types, model, np.random.default_rng(seed))
        golden, gap = answers(model)
        if gap < GREEDY_GAP_MIN:
            continue
        (folder / "golden.json").write_text(json.dumps(golden) + "\n")
        reference = np.array(golden["float32"]["last_logits"])
        theirs = llama_cpp_logits(path)[-1]
        error = np.sqrt(((theirs - reference) ** 2).mean()) / reference.std()
        print(f"{path}: {path.stat().st_size} bytes; llama.cpp differs by {error:.4f} of the deviation")
        assert error < LLAMA_CPP_ERROR_MAX, "llama.cpp reads another model"
        return


def make_blocks():
    path = FOLDER / "blocks.gguf"
    rng = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "llama")
    for key in ("block_count", "context_length", "embedding_length"):
        writer.add_uint32(f"llama.{key}", 0)
    for kind in Q | K:
        data = random_blocks(3, 512, kind, rng)
        values = gguf.dequantize(data, TYPES[kind]).astype(np.float32)
        assert np.isfinite(values).all()
        writer.add_tensor(f"{kind}.weight", data, raw_dtype=TYPES[kind])
        writer.add_tensor(f"{kind}.values", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    torch.set_num_threads(1)
    make_blocks()
    for name, parts in MODELS.items():
        if len(sys.argv) == 1 or name in sys.argv[1:]:
            make(name, parts["config"], parts["types"])
