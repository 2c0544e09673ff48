"""Turns conversations into tokens: learns the tokenizer, cuts the text with it, packs micro-batches."""

from collections import defaultdict
from collections.abc import Iterator

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor

from conversations import HERE, SYSTEM_MESSAGES, Message, Questions

TOKENIZER_FILE = HERE / "tokenizer.json"

VOCABULARY = 1024
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

# Letters with at most one sign before them, digits one by one, runs of signs, line ends, spaces.
PIECES = r"[^\r\n\p{L}\p{M}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

# Row lengths a batch may have: few, since each is compiled for.
# A micro-batch of 2,048 tokens keeps its activations near a core's cache.
ROW_LENGTHS = (32, 48, 64, 96, 128, 192, 256, 512)
MICRO_BATCH_TOKENS = 2048


def learn_tokenizer() -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    questions = Questions(seed=1)
    texts = []
    for _ in range(60_000):
        turn = questions.draw_any()
        texts.append(f"user\n{turn.question}")
        texts.append(f"assistant\n{turn.answer}")
    texts += ["system\n" + message for message in SYSTEM_MESSAGES] * 200
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY - len(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    assert tokenizer.get_vocab_size() == VOCABULARY
    tokenizer.save(str(TOKENIZER_FILE))


class Batches:
    """Micro-batches of rows of like length: ids [B, T + 1] and which of ids[:, 1:] are an assistant's words."""

    def __init__(self, seed: int):
        self.questions = Questions(seed)
        self.tokenizer = Tokenizer.from_file(str(TOKENIZER_FILE))
        self.start, self.end = (self.tokenizer.token_to_id(token) for token in ("<|im_start|>", "<|im_end|>"))
        self.newline = self.encode("\n")

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def conversation(self) -> list[Message]:
        """Mostly one question, sometimes several, so that earlier turns do not confuse."""
        rng = self.questions.rng
        shortest, longest = rng.choices([(1, 1), (2, 3), (4, 7), (8, 24)], [72, 20, 6, 0.5])[0]
        return self.questions.conversation(rng.randint(shortest, longest))

    def row(self, messages: list[Message]) -> tuple[list[int], list[bool]]:
        """The conversation's ids, and for each whether it is an assistant's word or the end of its answer."""
        ids, taught = [], []
        for message in messages:
            opening = [self.start] + self.encode(message["role"] + "\n")
            content = self.encode(message["content"])
            answers = message["role"] == "assistant"
            ids += opening + content + [self.end] + self.newline
            taught += [False] * len(opening) + [answers] * (len(content) + 1) + [False] * len(self.newline)
        return ids[: -len(self.newline)], taught[: -len(self.newline)]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        waiting = defaultdict(list)
        while True:
            ids, taught = self.row(self.conversation())
            length = next((length for length in ROW_LENGTHS if len(ids) <= length + 1), ROW_LENGTHS[-1])
            padding = length + 1 - len(ids)
            if padding > 0:
                ids, taught = ids + [0] * padding, taught + [False] * padding
            waiting[length].append((ids[: length + 1], taught[: length + 1]))
            if len(waiting[length]) == MICRO_BATCH_TOKENS // length:
                rows = waiting.pop(length)
                yield torch.tensor([ids for ids, _ in rows]), torch.tensor([taught for _, taught in rows])[:, 1:]
