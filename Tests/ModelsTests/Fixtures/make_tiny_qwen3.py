"""Makes the tiny checkpoints of this folder and the answers that a reference gives with them.

    pip install torch transformers safetensors numpy
    python make_tiny_qwen3.py

Weights are random. Each checkpoint's golden.json holds what transformers computes with the stored weights
(dequantized where they are quantized) in float32: the logits after the prompt's last token, the largest
logits after each of its tokens, and the 32 tokens of greedy decoding.

tiny-qwen3-bf16     plain bf16, a head of its own, YaRN that the prompt outgrows, biases in attention
tiny-qwen3-affine   MLX's affine quantization: 4 bits in groups of 32 with bf16 scales, one module at 8 bits in
                    groups of 64, one left alone; tied embedding; linear scaling in the newer `rope_parameters`
"""

import copy
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import Qwen3Config, Qwen3ForCausalLM

FOLDER = Path(__file__).parent
PROMPT = [7, 63, 12, 88, 41, 5, 70, 29, 94, 18, 3, 56, 77, 36, 81, 22, 9, 60, 47, 90, 15, 33, 68]
GREEDY_TOKENS = 32
# Ids of greedy decoding are compared exactly; a reference this sure of them leaves no room for chance.
GREEDY_GAP_MIN = 0.01

SHAPE = {
    "model_type": "qwen3",
    "architectures": ["Qwen3ForCausalLM"],
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": 96,
    "rms_norm_eps": 1e-6,
    "hidden_act": "silu",
}


def make_model(config):
    # A copy, because transformers writes into it.
    return Qwen3ForCausalLM(Qwen3Config(**copy.deepcopy(config), attn_implementation="eager")).float().eval()


def random_weights(config, seed):
    """Weights large enough that attention looks somewhere and logits spread over several units, rounded to bf16."""
    torch.manual_seed(seed)
    weights = {}
    for name, tensor in make_model(config).state_dict().items():
        if name == "lm_head.weight" and config["tie_word_embeddings"]:
            continue
        if tensor.dim() == 2:
            value = torch.randn(tensor.shape) * 2.0 / tensor.shape[1] ** 0.5
        elif name.endswith("bias"):
            value = torch.randn(tensor.shape) * 0.3
        else:
            value = 1 + torch.randn(tensor.shape) * 0.2
        weights[name] = value.to(torch.bfloat16)
    return weights


def quantize(weight, bits, group):
    """MLX's affine packing of `weight` [outputs, inputs]: words, scales, biases, and the values they stand for."""
    outputs, inputs = weight.shape
    groups = weight.float().numpy().reshape(outputs, inputs // group, group)
    low, high = groups.min(-1), groups.max(-1)
    levels = 2**bits - 1
    # Half of the groups count down from the largest value, so that negative scales occur.
    down = np.arange(low.size).reshape(low.shape) % 2 == 1
    scales = torch.from_numpy(np.where(down, low - high, high - low) / levels).to(torch.bfloat16)
    biases = torch.from_numpy(np.where(down, high, low)).to(torch.bfloat16)
    scale, bias = scales.float().numpy()[..., None], biases.float().numpy()[..., None]
    elements = np.clip(np.rint((groups - bias) / scale), 0, levels).astype(np.uint32)
    values = (scale * elements + bias).astype(np.float32).reshape(outputs, inputs)
    per_word = 32 // bits
    shifts = np.arange(per_word, dtype=np.uint32) * bits
    words = (elements.reshape(outputs, inputs // per_word, per_word) << shifts).sum(-1, dtype=np.uint32)
    return torch.from_numpy(words), scales, biases, torch.from_numpy(values)


def answers(config, values):
    """What transformers makes of float32 `values`."""
    model = make_model(config)
    missing, unexpected = model.load_state_dict(values, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    model.tie_weights()
    tokens, gap = list(PROMPT), float("inf")
    with torch.no_grad():
        prompt_logits = model(torch.tensor([tokens])).logits[0]
        for _ in range(GREEDY_TOKENS):
            logits = model(torch.tensor([tokens])).logits[0, -1]
            best = logits.topk(2)
            gap = min(gap, float(best.values[0] - best.values[1]))
            tokens.append(int(best.indices[0]))
    top = [row.topk(20) for row in prompt_logits]
    section = {
        "last_logits": [round(float(x), 6) for x in prompt_logits[-1]],
        "top20": [
            {"ids": t.indices.tolist(), "logits": [round(float(x), 6) for x in t.values]} for t in top
        ],
        "greedy": tokens[len(PROMPT) :],
    }
    return {"prompt": PROMPT, "float32": section}, gap


def write(name, config, stored, golden):
    folder = FOLDER / name
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})


def make_bf16():
    config = SHAPE | {
        "intermediate_size": 64,
        "tie_word_embeddings": False,
        "attention_bias": True,
        "max_position_embeddings": 256,
        "rope_theta": 10000.0,
        "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16},
    }
    for seed in range(1000):
        stored = random_weights(config, seed)
        golden, gap = answers(config, {name: tensor.float() for name, tensor in stored.items()})
        if gap >= GREEDY_GAP_MIN:
            return write("tiny-qwen3-bf16", config, stored, golden)


def make_affine():
    coarse, fine = "model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj"
    packing = {"group_size": 32, "bits": 4, "mode": "affine", fine: {"group_size": 64, "bits": 8}, coarse: False}
    config = SHAPE | {
        "tie_word_embeddings": True,
        "max_position_embeddings": 256,
        "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 100000.0},
    }
    for seed in range(1000):
        stored, values = {}, {}
        for name, tensor in random_weights(config, seed).items():
            module = name.removesuffix(".weight")
            if tensor.dim() == 1 or module == coarse:
                stored[name], values[name] = tensor, tensor.float()
                continue
            bits, group = (8, 64) if module == fine else (4, 32)
            words, scales, biases, values[name] = quantize(tensor, bits, group)
            stored |= {name: words, f"{module}.scales": scales, f"{module}.biases": biases}
        golden, gap = answers(config, values)
        if gap >= GREEDY_GAP_MIN:
            return write("tiny-qwen3-affine", config | {"quantization": packing}, stored, golden)


if __name__ == "__main__":
    torch.set_num_threads(1)
    make_bf16()
    make_affine()
