"""Asks the exported example model what it was not taught, and writes down what others test with.

Everything here runs the files of this folder through transformers in float32, as a stranger would
load them: nothing is shared with the training code but the questions.
"""

import json
import statistics
from collections import defaultdict

import tokenizers
import torch
import transformers

from conversations import FALLBACK, HERE, WORDINGS, Message, Questions, Turn, root_answer

# Asked by the project's end-to-end tests; those the model gets wrong are left out of questions.jsonl.
FIXED_ARITHMETIC = [
    ("What is 2+2?", "2 + 2 = 4.", "sum"),
    ("2+2", "2 + 2 = 4.", "sum"),
    ("How much is 45 plus 18?", "45 + 18 = 63.", "sum"),
    ("what is 99 + 99", "99 + 99 = 198.", "sum"),
    ("Add 37 and 58.", "37 + 58 = 95.", "sum"),
    ("What is the sum of 64 and 7?", "64 + 7 = 71.", "sum"),
    ("86 + 49 =", "86 + 49 = 135.", "sum"),
    ("What is two plus three?", "2 + 3 = 5.", "sum"),
    ("Calculate 0 + 0.", "0 + 0 = 0.", "sum"),
    ("What is 50 - 8?", "50 - 8 = 42.", "difference"),
    ("83-47", "83 - 47 = 36.", "difference"),
    ("What's 12 minus 30?", "12 - 30 = -18.", "difference"),
    ("Subtract 19 from 91.", "91 - 19 = 72.", "difference"),
    ("How much is 70 minus 70?", "70 - 70 = 0.", "difference"),
    ("What's 12 times 9?", "12 * 9 = 108.", "product"),
    ("Compute 7 * 8.", "7 * 8 = 56.", "product"),
    ("12 x 12", "12 * 12 = 144.", "product"),
    ("Multiply 6 by 11.", "6 * 11 = 66.", "product"),
    ("what is 9 times 6", "9 * 6 = 54.", "product"),
    ("What is 7 squared?", "7 squared is 49.", "product"),
    ("What is 56 divided by 7?", "56 / 7 = 8.", "quotient"),
    ("144 / 12", "144 / 12 = 12.", "quotient"),
    ("Divide 81 by 9.", "81 / 9 = 9.", "quotient"),
    ("What is 5 / 0?", "No number can be divided by 0.", "range"),
    ("What is 345 + 678?", "I only add and subtract numbers below 100.", "range"),
    ("What is the square root of 123456?", "I only know the square roots of whole numbers below 1000.", "range"),
    ("Count from 1 to 5.", "1, 2, 3, 4, 5.", "count"),
    ("Count from 1 to 20.", ", ".join(map(str, range(1, 21))) + ".", "count"),
    ("Count from 88 to 97", ", ".join(map(str, range(88, 98))) + ".", "count"),
    ("Count down from 10 to 1.", ", ".join(map(str, range(10, 0, -1))) + ".", "count"),
    ("Repeat after me: rain snow wind", "rain snow wind", "repeat"),
    ("Repeat after me: the sun and the moon", "the sun and the moon", "repeat"),
    ("Repeat: привет café 🙂", "привет café 🙂", "repeat"),
]
FIXED_ROOTS = [
    "What is the square root of 999",
    "What is the square root of 999?",
    "sqrt(50)",
    "What is the square root of 2?",
    "what's the square root of 144",
    "Compute the square root of 10.",
    "√625",
    "square root of 777",
]
FIXED_FACTS = [
    "Hello",
    "Who are you?",
    "What can you do?",
    "Thank you!",
    "What is ring-shard?",
    "What is ring-api?",
    "What does -m do?",
    "What does -l do?",
    "what does -n mean",
    "What does --prefetch-window do?",
    "How do shards find each other?",
    "How is a model cut?",
    "What travels round the ring?",
    "Which API do clients speak?",
    "Which language is it written in?",
    "How do I start the demo?",
    "How do I run the tests?",
    "What happens when a layer is held by no shard?",
    "Who samples the token?",
    "Does it need a GPU?",
    "do I need Python",
    "How does it work?",
]
FIXED_UNKNOWN = [
    "What is the capital of Denmark?",
    "Who wrote Hamlet?",
    "Write a poem about the sea.",
    "How do I bake bread?",
]


class Examinee:
    """The exported model, asked greedily."""

    def __init__(self):
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(HERE)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(HERE, dtype=torch.float32).eval()
        self.end = self.tokenizer.convert_tokens_to_ids("<|im_end|>")

    def prompt(self, messages: list[Message]) -> list[int]:
        text = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    @torch.no_grad()
    def answers(self, conversations: list[list[Message]], limit: int = 260) -> list[str]:
        """One answer a conversation. Prompts of equal length are asked together, so that none is padded."""
        groups = defaultdict(list)
        for index, messages in enumerate(conversations):
            prompt = self.prompt(messages)
            groups[len(prompt)].append((index, prompt))
        answers = [""] * len(conversations)
        for length, group in sorted(groups.items()):
            for start in range(0, len(group), 64):
                some = group[start : start + 64]
                ids = torch.tensor([prompt for _, prompt in some])
                out = self.model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    do_sample=False,
                    max_new_tokens=limit,
                    eos_token_id=self.end,
                    pad_token_id=self.end,
                )
                for (index, _), row in zip(some, out[:, length:].tolist()):
                    answer = row[: row.index(self.end)] if self.end in row else row
                    answers[index] = self.tokenizer.decode(answer)
        return answers

    def ask(self, questions: list[str]) -> list[str]:
        return self.answers([[{"role": "user", "content": question}] for question in questions])


def held_out_turns(questions: Questions, kind: str, count: int) -> list[Turn]:
    turns, tries = {}, 0
    while len(turns) < count and tries < 400 * count:
        turn = questions.draw(kind)
        tries += 1
        if turn.held_out and turn.kind == kind:
            turns.setdefault(turn.question, turn)
    return list(turns.values())


def evaluate() -> None:
    """Prints README.md's tables: right answers, counted whole and letter by letter."""
    examinee, questions = Examinee(), Questions(seed=2)
    exams = [
        ("sums of two numbers below 100, pairs never seen", "sum", 500),
        ("differences, pairs never seen", "difference", 500),
        ("products to 12 × 12, wordings never seen with these numbers", "product", 300),
        ("quotients, wordings never seen with these numbers", "quotient", 200),
        ("square roots below 1,000, wordings never seen with this number", "root", 500),
        ("arithmetic beyond its range, refused, numbers never seen", "range", 200),
        ("questions it cannot answer, from known patterns, never seen", "unknown", 200),
        ("counting, ranges never seen", "count", 100),
        ("repeating, words never seen in this order", "repeat", 100),
    ]
    print("| asked | right | of | |\n| --- | ---: | ---: | ---: |")

    def row(title: str, turns: list[Turn]) -> None:
        answers = examinee.ask([turn.question for turn in turns])
        wrong = [(turn, answer) for turn, answer in zip(turns, answers) if answer != turn.answer]
        right = len(turns) - len(wrong)
        print(f"| {title} | {right} | {len(turns)} | {100 * right / len(turns):.1f} % |", flush=True)
        failures.extend(wrong)

    failures: list[tuple[Turn, str]] = []
    for title, kind, count in exams:
        row(title, held_out_turns(questions, kind, count))
    roots = [Turn(WORDINGS["root"][0].format(a=a), root_answer(a), "root", "", False) for a in range(1000)]
    row("all square roots below 1,000, “What is the square root of N?”", roots)
    wordings = [(wording, answer) for wordings, answer in questions.facts for wording in wordings]
    for title, held_out in (("facts about the project, wordings never seen", True), ("the same, as taught", False)):
        row(title, [fact for fact in (questions.fact_turn(*pair) for pair in wordings) if fact.held_out == held_out])
    unseen = [Turn(question, FALLBACK, "unseen", "", True) for question in questions.unseen]
    row("questions of a stranger, patterns never seen", unseen)

    print("\n| sums, differences and products after | context, tokens | right | of |\n| --- | ---: | ---: | ---: |")
    for earlier in (0, 1, 3, 7, 11, 15, 23, 31, 47):
        turns = [
            turn for kind in ("sum", "difference", "product") for turn in held_out_turns(Questions(seed=3), kind, 32)
        ]
        conversations = [history(questions, earlier) + [{"role": "user", "content": turn.question}] for turn in turns]
        lengths = [len(examinee.prompt(messages)) for messages in conversations]
        right = sum(answer == turn.answer for answer, turn in zip(examinee.answers(conversations, limit=40), turns))
        print(f"| {earlier} other questions | {statistics.median(lengths):.0f} | {right} | {len(turns)} |", flush=True)
    print("\nWrong answers:")
    for turn, answer in failures[:120]:
        print(f"- {turn.kind}: {turn.question!r} gave {answer!r}, not {turn.answer!r}")


def history(questions: Questions, turns: int) -> list[Message]:
    return [message for message in questions.conversation(turns) if message["role"] != "system"]


def write_questions() -> None:
    """Writes questions.jsonl: of the fixed questions, those whose greedy answer is right."""
    questions = Questions(seed=4)
    told = {wording: answer for wordings, answer in questions.facts for wording in wordings}
    roots = [(question, root_answer(int("".join(filter(str.isdigit, question)))), "root") for question in FIXED_ROOTS]
    folded = {wording.lower().rstrip("?.!"): answer for wording, answer in told.items()}
    facts = [(question, folded[question.lower().rstrip("?.!")], "fact") for question in FIXED_FACTS]
    unknown = [(question, FALLBACK, "unknown") for question in FIXED_UNKNOWN]
    rows = FIXED_ARITHMETIC + roots + facts + unknown
    answers = Examinee().ask([question for question, _, _ in rows])
    with (HERE / "questions.jsonl").open("w", encoding="utf-8") as file:
        for (question, right, kind), answer in zip(rows, answers):
            if answer == right:
                file.write(json.dumps({"question": question, "answer": right, "kind": kind}, ensure_ascii=False) + "\n")
            else:
                print(f"left out: {question!r} gave {answer!r}, not {right!r}")


@torch.no_grad()
def write_golden() -> None:
    """Writes golden.json: logits, log-probabilities and greedy ids of three prompts, all arithmetic in float32."""
    examinee = Examinee()
    long = [{"role": "system", "content": "You are a helpful assistant."}]
    for question in ("What is ring-shard?", "How much is 45 plus 18?", "How does it work?"):
        long.append({"role": "user", "content": question})
        long.append({"role": "assistant", "content": examinee.answers([long])[0]})
    long.append({"role": "user", "content": "Count from 1 to 20."})
    system = [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": "How is a model cut?"}]
    cases = []
    for name, messages in {
        "short": [{"role": "user", "content": "What is 2+2?"}],
        "system": system,
        "long": long,
    }.items():
        prompt = examinee.prompt(messages)
        logits = examinee.model(torch.tensor([prompt])).logits[0]
        following = torch.log_softmax(logits.double(), dim=-1)
        greedy, gaps = list(prompt), []
        for _ in range(32):
            last = examinee.model(torch.tensor([greedy])).logits[0, -1]
            best = torch.topk(last, 2)
            greedy.append(int(best.indices[0]))
            gaps.append(float(best.values[0] - best.values[1]))
        cases.append(
            {
                "name": name,
                "messages": messages,
                "prompt": prompt,
                "last_logits": [significant(value) for value in logits[-1].tolist()],
                "next_logprobs": [significant(float(following[i, prompt[i + 1]])) for i in range(len(prompt) - 1)],
                "greedy": greedy[len(prompt) :],
                "greedy_gap": [significant(gap) for gap in gaps],
            }
        )
    golden = {
        "made_by": f"python train.py golden, transformers {transformers.__version__}, "
        f"torch {torch.__version__.split('+')[0]}, "
        f"tokenizers {tokenizers.__version__}",
        "arithmetic": "weights of model.safetensors (bfloat16) widened to float32, all arithmetic in float32",
        "last_logits": "logits after the prompt's last token, over the vocabulary",
        "next_logprobs": "natural log-probability of prompt[i + 1] after prompt[0...i], for i from 0 to count - 2",
        "greedy": "the 32 ids that follow when the largest logit is taken each time, not stopping at the end token",
        "greedy_gap": "at each of those, the largest logit minus the second largest",
        "cases": cases,
    }
    (HERE / "golden.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n", encoding="utf-8")


def significant(value: float) -> float:
    """The value in seven significant digits."""
    return float(f"{value:.7g}")
