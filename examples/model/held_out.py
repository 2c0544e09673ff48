"""Writes held_out.jsonl: conversations of questions the model was never trained on, for `ring-bench perplexity`.

A line is an array of strings: by turns a question, which is given, and its answer, which the model is to tell.
"""

import json

from conversations import HERE, Questions

CONVERSATIONS = 64
TURNS = 8


def main() -> None:
    questions = Questions(seed=5)
    with open(HERE / "held_out.jsonl", "w", encoding="utf-8") as file:
        for _ in range(CONVERSATIONS):
            pieces, before = [], ""
            for _ in range(TURNS):
                turn = questions.draw_any(held_out=True)
                pieces.append(f"{before}<|im_start|>user\n{turn.question}<|im_end|>\n<|im_start|>assistant\n")
                pieces.append(f"{turn.answer}<|im_end|>")
                before = "\n"
            file.write(json.dumps(pieces, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
