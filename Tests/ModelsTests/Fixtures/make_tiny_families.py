"""Makes a tiny checkpoint of each family, as Hugging Face publishes it, and the answers of transformers.

    pip install torch transformers safetensors numpy
    python make_tiny_families.py [FAMILY …]

Weights are random bf16. golden.json is as make_tiny_qwen3.py describes it. What each checkpoint is to show:

tiny-llama       Llama 3's scaling of rotary frequencies, biases in attention and MLP, tied embedding
tiny-mistral     a sliding window that the prompt outgrows, a head dimension of its own
tiny-qwen2       biases on queries, keys and values alone
tiny-qwen2-moe   experts and a shared one behind a gate; one layer without; weights not normalized
tiny-qwen3-moe   experts whose weights are normalized; every second layer without
tiny-gemma3      norms that store w − 1, norms after attention and MLP, windows and a rotary base of their own in two of
                 three layers, a scaled embedding, GELU
tiny-gemma3-section    the same below `text_config` and `language_model.`, as models that also see are published
tiny-gpt-oss     sinks, every other layer with a window, biases, MXFP4 experts with gate and up by turns, YaRN
tiny-deepseek-v2       latent attention with queries made in one product; the best of groups of experts
tiny-deepseek-v3       compressed queries, corrected sigmoid routing in groups, a dense layer first, YaRN's scale of scores
tiny-deepseek-v3-fp8   the same in FP8 with a scale for each block of 128 × 128
tiny-phi3        fused matrices, part of the columns rotated, LongRoPE past its original context
tiny-glm4-moe    half of the columns rotated, norms and biases on queries and keys, DeepSeek's experts
"""

import copy
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

from make_tiny_qwen3 import FOLDER, GREEDY_GAP_MIN, GREEDY_TOKENS, PROMPT, write

SHAPE = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 96,
    "rms_norm_eps": 1e-6,
    "hidden_act": "silu",
    "max_position_embeddings": 256,
    "tie_word_embeddings": False,
}
GEMMA3 = {name: value for name, value in SHAPE.items() if name != "hidden_act"} | {
    "model_type": "gemma3_text", "num_hidden_layers": 3, "intermediate_size": 96, "head_dim": 16,
    "hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 24, "sliding_window": 9,
    "sliding_window_pattern": 3, "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0,
    "rope_scaling": {"rope_type": "linear", "factor": 8.0}, "tie_word_embeddings": True,
}
DEEPSEEK = {
    "num_key_value_heads": 4, "intermediate_size": 96, "moe_intermediate_size": 32,
    "kv_lora_rank": 32, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 32, "n_routed_experts": 8,
    "n_shared_experts": 2, "num_experts_per_tok": 3, "first_k_dense_replace": 1, "n_group": 4, "topk_group": 2,
    "rope_theta": 10000.0,
}
DEEPSEEK_V3 = {
    "model_type": "deepseek_v3", "q_lora_rank": 32, "topk_method": "noaux_tc", "scoring_func": "sigmoid",
    "norm_topk_prob": True, "routed_scaling_factor": 2.5,
    "rope_scaling": {
        "type": "yarn", "factor": 4.0, "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0,
        "original_max_position_embeddings": 64,
    },
}
FAMILIES = {
    "tiny-llama": SHAPE | {
        "model_type": "llama", "intermediate_size": 128, "attention_bias": True, "mlp_bias": True,
        "tie_word_embeddings": True, "rope_theta": 10000.0,
        "rope_scaling": {
            "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32,
        },
    },
    "tiny-mistral": SHAPE | {
        "model_type": "mistral", "intermediate_size": 128, "head_dim": 32, "sliding_window": 9, "rope_theta": 10000.0,
    },
    "tiny-qwen2": SHAPE | {
        "model_type": "qwen2", "intermediate_size": 128, "rope_theta": 1000000.0, "use_sliding_window": False,
    },
    "tiny-qwen2-moe": SHAPE | {
        "model_type": "qwen2_moe", "num_hidden_layers": 3, "intermediate_size": 128, "moe_intermediate_size": 32,
        "shared_expert_intermediate_size": 64, "num_experts": 6, "num_experts_per_tok": 2, "norm_topk_prob": False,
        "decoder_sparse_step": 1, "mlp_only_layers": [1], "rope_theta": 10000.0, "use_sliding_window": False,
    },
    "tiny-qwen3-moe": SHAPE | {
        "model_type": "qwen3_moe", "num_hidden_layers": 4, "intermediate_size": 64, "moe_intermediate_size": 32,
        "head_dim": 16, "num_experts": 8, "num_experts_per_tok": 3, "norm_topk_prob": True, "decoder_sparse_step": 2,
        "mlp_only_layers": [], "rope_theta": 10000.0, "use_sliding_window": False,
    },
    "tiny-gemma3": GEMMA3,
    "tiny-gemma3-section": GEMMA3,
    "tiny-gpt-oss": {name: value for name, value in SHAPE.items() if name != "hidden_act"} | {
        "model_type": "gpt_oss", "intermediate_size": 64, "head_dim": 16, "num_local_experts": 4,
        "num_experts_per_tok": 2, "sliding_window": 9, "rope_theta": 150000.0, "attention_bias": True,
        "layer_types": ["sliding_attention", "full_attention"], "swiglu_limit": 7.0,
        "rope_scaling": {
            "rope_type": "yarn", "factor": 4.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False,
            "original_max_position_embeddings": 16,
        },
    },
    "tiny-deepseek-v2": SHAPE | DEEPSEEK | {
        "model_type": "deepseek_v2", "q_lora_rank": None, "topk_method": "group_limited_greedy",
        "norm_topk_prob": False, "routed_scaling_factor": 2.0,
    },
    "tiny-deepseek-v3": SHAPE | DEEPSEEK | DEEPSEEK_V3,
    "tiny-deepseek-v3-fp8": SHAPE | DEEPSEEK | DEEPSEEK_V3 | {
        "hidden_size": 160, "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 144,
        "n_routed_experts": 4, "n_group": 2, "topk_group": 1, "num_experts_per_tok": 2,
        "quantization_config": {
            "quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [128, 128],
        },
    },
    "tiny-phi3": SHAPE | {
        "model_type": "phi3", "intermediate_size": 128, "partial_rotary_factor": 0.75, "rope_theta": 10000.0,
        "original_max_position_embeddings": 16, "sliding_window": None, "pad_token_id": 0, "eos_token_id": 1,
        "rope_scaling": {
            "type": "longrope", "short_factor": [1.0, 1.0, 1.1, 1.2, 1.3, 1.4],
            "long_factor": [1.0, 1.5, 2.0, 3.0, 5.0, 9.0],
        },
    },
    "tiny-glm4-moe": SHAPE | {
        "model_type": "glm4_moe", "intermediate_size": 96, "moe_intermediate_size": 32,
        "head_dim": 16, "attention_bias": True, "use_qk_norm": True, "n_routed_experts": 6, "n_shared_experts": 1,
        "num_experts_per_tok": 2, "first_k_dense_replace": 1, "routed_scaling_factor": 1.5, "norm_topk_prob": True,
        "n_group": 1, "topk_group": 1, "partial_rotary_factor": 0.5, "rope_theta": 10000.0,
    },
}


def make_model(config, seed):
    """Weights large enough that attention looks somewhere and logits spread over several units, rounded to bf16 or as
    they are packed; and the tensors that are packed."""
    # What is packed is unpacked here.
    method = config.get("quantization_config", {}).get("quant_method")
    plain = {name: value for name, value in config.items() if name != "quantization_config"}
    config = transformers.AutoConfig.for_model(**copy.deepcopy(plain))
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    generator = torch.Generator().manual_seed(seed)
    packed = {}
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            noise = torch.randn(tensor.shape, generator=generator)
            if tensor.dim() >= 2:
                value = noise * 2.0 / tensor.shape[-1] ** 0.5
            elif name.endswith("bias") or name.endswith("sinks"):
                value = noise * 0.3
            elif config.model_type == "gemma3_text":
                value = noise * 0.2
            else:
                value = 1 + noise * 0.2
            value = value.to(torch.bfloat16).float()
            if config.model_type == "gpt_oss" and name.endswith(("experts.gate_up_proj", "experts.down_proj")):
                packed[f"{name}_blocks"], packed[f"{name}_scales"], value = pack_mxfp4(value.transpose(1, 2))
                value = value.transpose(1, 2)
            tensor.copy_(value)
        model.tie_weights()
    return pack_published(model) if method == "fp8" else (model, packed)


def pack_mxfp4(weight):
    """OpenAI's blocks and scales of `weight` [experts, outputs, inputs], and the values they stand for."""
    grid = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    groups = weight.reshape(*weight.shape[:-1], -1, 32)
    exponents = groups.abs().amax(-1).log2().floor() - 2
    scaled = groups / torch.exp2(exponents)[..., None]
    nearest = (scaled.abs()[..., None] - grid).abs().argmin(-1)
    codes = (nearest + 8 * (scaled < 0)).to(torch.uint8)
    values = grid[nearest] * torch.where(scaled < 0, -1.0, 1.0) * torch.exp2(exponents)[..., None]
    blocks = codes[..., 0::2] | codes[..., 1::2] << 4
    return blocks, (exponents + 127).to(torch.uint8), values.reshape(weight.shape)


def pack_published(model):
    """The model with what DeepSeek publishes in FP8 rounded to that, and the packed tensors by their published names."""
    packed = {}
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tensors = load_file(f"{folder}/model.safetensors")
        for name in [name for name in tensors if name.endswith("_proj.weight") or "_proj_with_mqa" in name]:
            elements, scales = pack_fp8(tensors[name])
            packed |= {name: elements, f"{name}_scale_inv": scales}
            wide = scales.repeat_interleave(128, 0).repeat_interleave(128, 1)
            tensors[name] = elements.float() * wide[: elements.shape[0], : elements.shape[1]]
        save_file(tensors, f"{folder}/model.safetensors", metadata={"format": "pt"})
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        )
    return model.eval(), packed


def pack_fp8(weight):
    """E4M3 elements [outputs, inputs], and the scales of blocks of 128 × 128."""
    outputs, inputs = weight.shape
    rows, columns = -(-outputs // 128), -(-inputs // 128)
    padded = torch.nn.functional.pad(weight, (0, columns * 128 - inputs, 0, rows * 128 - outputs))
    blocks = padded.reshape(rows, 128, columns, 128)
    scales = blocks.abs().amax((1, 3)) / 448
    elements = (blocks / scales[:, None, :, None]).reshape(padded.shape)[:outputs, :inputs]
    return elements.to(torch.float8_e4m3fn).contiguous(), scales


def answers(model):
    tokens, gap = list(PROMPT), float("inf")
    with torch.no_grad():
        prompt_logits = model(torch.tensor([tokens]), use_cache=False).logits[0]
        for _ in range(GREEDY_TOKENS):
            best = model(torch.tensor([tokens]), use_cache=False).logits[0, -1].topk(2)
            gap = min(gap, float(best.values[0] - best.values[1]))
            tokens.append(int(best.indices[0]))
    top = [row.topk(20) for row in prompt_logits]
    section = {
        "last_logits": [round(float(x), 6) for x in prompt_logits[-1]],
        "top20": [{"ids": t.indices.tolist(), "logits": [round(float(x), 6) for x in t.values]} for t in top],
        "greedy": tokens[len(PROMPT) :],
    }
    return {"prompt": PROMPT, "float32": section}, gap


def published(model, packed):
    """The tensors under the names that the family is published with."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tensors = {}
        for path in sorted(Path(folder).glob("*.safetensors")):
            tensors |= load_file(path)
    for name in packed:
        tensors.pop(name.removesuffix("_blocks"), None)
    return {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in tensors.items()} | packed


def make(name, config):
    for seed in range(1000):
        model, packed = make_model(config, seed)
        golden, gap = answers(model)
        if gap < GREEDY_GAP_MIN:
            continue
        stored = published(model, packed)
        if name.endswith("-section"):
            stored = {f"language_model.{name}": tensor for name, tensor in stored.items()}
            config = {"model_type": "gemma3", "text_config": config}
        if config["model_type"] == "gpt_oss":
            config = config | {"quantization_config": {"quant_method": "mxfp4"}}
        return write(name, config, stored, golden)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, config in FAMILIES.items():
        if len(sys.argv) == 1 or name in sys.argv[1:]:
            make(name, config)
            print(FOLDER / name)
