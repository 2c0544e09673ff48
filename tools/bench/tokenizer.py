"""A byte-level tokenizer of any size, so that every token of a random model has a text."""

import itertools
import json
from pathlib import Path


def byte_characters() -> list[str]:
    """The character that stands for each byte in a byte-level vocabulary (GPT-2's table)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    return [chr(byte) if byte in shown else chr(next(spare)) for byte in range(256)]


def vocabulary(size: int) -> dict[str, int]:
    """The 256 bytes, then words of letters; the last id is the end of a text."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ("".join(word) for length in itertools.count(2) for word in itertools.product(letters, repeat=length))
    texts = itertools.chain(byte_characters(), words)
    return {text: token for token, text in enumerate(itertools.islice(texts, size - 1))}


def write_tokenizer(directory: Path, size: int):
    """tokenizer.json without merges (a text is its bytes) and tokenizer_config.json with a chat template."""
    end = {"id": size - 1, "content": "<|end|>", "single_word": False, "lstrip": False, "rstrip": False,
           "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [end], "normalizer": None,
        "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": vocabulary(size), "merges": []},
    }
    (directory / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))
    template = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    config = {"chat_template": template, "eos_token": "<|end|>", "tokenizer_class": "PreTrainedTokenizerFast"}
    (directory / "tokenizer_config.json").write_text(json.dumps(config, indent=1))
