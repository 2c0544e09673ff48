"""Writes the trained network as a Hugging Face model and checks that transformers computes the same with it."""

import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from conversations import HERE
from network import Network, Shape
from tokens import SPECIAL_TOKENS, TOKENIZER_FILE, VOCABULARY, Batches

CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)

# Positions the model may be asked for; README.md says up to where its answers were tried.
CONTEXT = 2048


def export(work: Path) -> None:
    """Writes the checkpoint as a Hugging Face model and checks that transformers computes the same."""
    shape = Shape(VOCABULARY)
    network = Network(shape)
    network.load_state_dict(torch.load(work / "checkpoint.pt")["network"])
    weights = {f"model.{name}": tensor.to(torch.bfloat16).contiguous() for name, tensor in network.state_dict().items()}
    file = HERE / "model.safetensors"
    save_file(weights, file, metadata={"format": "pt"})
    file.chmod(0o644)
    tokenizer = Tokenizer.from_file(str(TOKENIZER_FILE))
    pad, start, end = (tokenizer.token_to_id(token) for token in SPECIAL_TOKENS)
    write_json(
        "config.json",
        {
            "architectures": ["Qwen3ForCausalLM"],
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": pad,
            "eos_token_id": end,
            "head_dim": shape.head_size,
            "hidden_act": "silu",
            "hidden_size": shape.hidden,
            "initializer_range": 0.02,
            "intermediate_size": shape.mlp,
            "max_position_embeddings": CONTEXT,
            "max_window_layers": shape.layers,
            "model_type": "qwen3",
            "num_attention_heads": shape.heads,
            "num_hidden_layers": shape.layers,
            "num_key_value_heads": shape.kv_heads,
            "rms_norm_eps": shape.epsilon,
            "rope_scaling": None,
            "rope_theta": shape.rope_theta,
            "sliding_window": None,
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
            "use_cache": True,
            "use_sliding_window": False,
            "vocab_size": shape.vocabulary,
        },
    )
    write_json(
        "generation_config.json",
        {
            "bos_token_id": pad,
            "do_sample": False,
            "eos_token_id": [end, pad],
            "pad_token_id": pad,
        },
    )
    write_json(
        "tokenizer_config.json",
        {
            "add_bos_token": False,
            "add_prefix_space": False,
            "added_tokens_decoder": {
                str(tokenizer.token_to_id(token)): {
                    "content": token,
                    "lstrip": False,
                    "normalized": False,
                    "rstrip": False,
                    "single_word": False,
                    "special": True,
                }
                for token in SPECIAL_TOKENS
            },
            "bos_token": None,
            "chat_template": CHAT_TEMPLATE,
            "clean_up_tokenization_spaces": False,
            "eos_token": "<|im_end|>",
            "errors": "replace",
            "model_max_length": CONTEXT,
            "pad_token": "<|endoftext|>",
            "tokenizer_class": "PreTrainedTokenizerFast",
            "unk_token": None,
        },
    )
    check(network, {name.removeprefix("model."): tensor.float() for name, tensor in weights.items()})


@torch.no_grad()
def check(network: Network, weights: dict[str, Tensor]) -> None:
    """Fails unless transformers, loading the exported files, gives this network's tokens and logits."""
    network.load_state_dict(weights)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(HERE, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(HERE)
    batches = Batches(seed=7)
    worst = 0.0
    for _ in range(50):
        messages = batches.questions.conversation(3)
        ids, _ = batches.row(messages)
        rendered = tokenizer.apply_chat_template(messages, tokenize=False).rstrip("\n")
        if tokenizer(rendered, add_special_tokens=False)["input_ids"] != ids:
            raise SystemExit(f"the chat template and training cut {rendered!r} differently")
        row = torch.tensor([ids])
        worst = max(worst, float((network.logits(network(row)) - theirs(row).logits).abs().max()))
    if worst > 1e-4:
        raise SystemExit(f"transformers' logits differ by {worst}")
    parameters = sum(tensor.numel() for tensor in weights.values())
    print(f"{parameters} parameters, logits within {worst:.1e} of transformers {transformers.__version__}")


def write_json(name: str, content: dict) -> None:
    (HERE / name).write_text(json.dumps(content, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")
