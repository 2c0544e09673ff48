"""Makes a tiny checkpoint of each family, as Hugging Face publishes it, and the answers of transformers.

    pip install torch transformers safetensors numpy
    python make_tiny_families.py [FAMILY …]

Weights are random bf16. golden.json is as make_tiny_qwen3.py describes it. What each checkpoint is to show:

tiny-llama       Llama 3's scaling of rotary frequencies, biases in attention and MLP, tied embedding
tiny-mistral     a sliding window that the prompt outgrows, a head dimension of its own
tiny-qwen2       biases on queries, keys and values alone
tiny-qwen2-moe   experts and a shared one behind a gate; one layer without; weights not normalized
tiny-qwen3-moe   experts whose weights are normalized; every second layer without
"""

import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

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
}


def make_model(config, seed):
    """Weights large enough that attention looks somewhere and logits spread over several units, rounded to bf16."""
    config = transformers.AutoConfig.for_model(**config)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            noise = torch.randn(tensor.shape, generator=generator)
            if tensor.dim() >= 2:
                value = noise * 2.0 / tensor.shape[-1] ** 0.5
            elif name.endswith("bias"):
                value = noise * 0.3
            else:
                value = 1 + noise * 0.2
            tensor.copy_(value.to(torch.bfloat16).float())
        model.tie_weights()
    return model


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


def published(model):
    """The tensors under the names that the family is published with."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tensors = {}
        for path in sorted(Path(folder).glob("*.safetensors")):
            tensors |= load_file(path)
    return {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in tensors.items()}


def make(name, config):
    for seed in range(1000):
        model = make_model(config, seed)
        golden, gap = answers(model)
        if gap >= GREEDY_GAP_MIN:
            return write(name, config, published(model), golden)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, config in FAMILIES.items():
        if len(sys.argv) == 1 or name in sys.argv[1:]:
            make(name, config)
            print(FOLDER / name)
