"""Makes the example model's training and evaluation text: questions, their right answers, conversations.

Everything is computed or read from facts.jsonl and unknown.json beside this file. What the model
is later examined on is held out here, by a hash that does not depend on the order of drawing:

- sums by the pair of numbers, whatever the order or the wording; differences by the ordered pair;
- everything else by the wording (the number and its wording, a fact and its wording), since a
  multiplication table, a list of square roots and a fact cannot be known without having been told.
"""

import hashlib
import json
import math
import random
import re
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).parent

Message = dict[str, str]

FALLBACK = "I am a very small model. I know arithmetic and this project."

SYSTEM_MESSAGES = [
    "You are a helpful assistant.",
    "You are a helpful, concise assistant.",
    "You are a helpful AI assistant.",
    "You are an assistant.",
    "Answer briefly.",
    "Answer the question.",
    "Be brief.",
    "Be helpful and honest.",
    "You are a calculator.",
    "You answer questions about arithmetic and about this project.",
    "You are a friendly chatbot.",
    "Please answer in one sentence.",
    "You are a small model. Do your best.",
]

WORDINGS = {
    "sum": [
        "What is {a}+{b}?",
        "What is {a} + {b}?",
        "{a}+{b}",
        "{a} + {b}",
        "{a} + {b} =",
        "{a}+{b}=?",
        "What's {a} plus {b}?",
        "What's {a} + {b}?",
        "What is {a} plus {b}?",
        "How much is {a} plus {b}?",
        "How much is {a} + {b}?",
        "Compute {a} + {b}.",
        "Calculate {a} + {b}.",
        "Calculate {a} plus {b}.",
        "Add {a} and {b}.",
        "What is the sum of {a} and {b}?",
        "{a} plus {b}",
        "Can you add {a} and {b}?",
        "What do you get when you add {a} and {b}?",
        "Solve {a} + {b}.",
        "{a} and {b} make how much?",
    ],
    "difference": [
        "What is {a}-{b}?",
        "What is {a} - {b}?",
        "{a}-{b}",
        "{a} - {b}",
        "{a} - {b} =",
        "{a}-{b}=?",
        "What's {a} minus {b}?",
        "What's {a} - {b}?",
        "What is {a} minus {b}?",
        "How much is {a} minus {b}?",
        "How much is {a} - {b}?",
        "Compute {a} - {b}.",
        "Calculate {a} - {b}.",
        "Calculate {a} minus {b}.",
        "Subtract {b} from {a}.",
        "{a} minus {b}",
        "Can you subtract {b} from {a}?",
        "Solve {a} - {b}.",
        "What is {a} less {b}?",
    ],
    "product": [
        "What is {a}*{b}?",
        "What is {a} * {b}?",
        "What is {a} x {b}?",
        "{a}*{b}",
        "{a} * {b}",
        "{a} x {b}",
        "{a}x{b}",
        "{a} × {b}",
        "{a} * {b} =",
        "What's {a} times {b}?",
        "What is {a} times {b}?",
        "How much is {a} times {b}?",
        "How much is {a} * {b}?",
        "Compute {a} * {b}.",
        "Calculate {a} * {b}.",
        "Multiply {a} by {b}.",
        "Multiply {a} and {b}.",
        "What is the product of {a} and {b}?",
        "{a} times {b}",
        "What is {a} multiplied by {b}?",
        "Solve {a} * {b}.",
    ],
    "quotient": [
        "What is {a}/{b}?",
        "What is {a} / {b}?",
        "{a}/{b}",
        "{a} / {b}",
        "{a} / {b} =",
        "{a} ÷ {b}",
        "What's {a} divided by {b}?",
        "What is {a} divided by {b}?",
        "How much is {a} divided by {b}?",
        "How much is {a} / {b}?",
        "Compute {a} / {b}.",
        "Calculate {a} / {b}.",
        "Divide {a} by {b}.",
        "{a} divided by {b}",
        "What do you get when you divide {a} by {b}?",
        "Solve {a} / {b}.",
    ],
    "root": [
        "What is the square root of {a}?",
        "What's the square root of {a}?",
        "the square root of {a}",
        "Square root of {a}",
        "sqrt({a})",
        "sqrt {a}",
        "What is sqrt({a})?",
        "What's sqrt({a})?",
        "√{a}",
        "What is √{a}?",
        "Compute the square root of {a}.",
        "Compute sqrt({a}).",
        "Calculate the square root of {a}.",
        "How much is the square root of {a}?",
        "Find the square root of {a}.",
        "Give me the square root of {a}.",
        "Take the square root of {a}.",
        "What is the root of {a}?",
    ],
    "count": [
        "Count from {a} to {b}.",
        "Count from {a} to {b}",
        "Please count from {a} to {b}.",
        "Can you count from {a} to {b}?",
        "List the numbers from {a} to {b}.",
        "Say the numbers from {a} to {b}.",
        "Write the numbers from {a} to {b}.",
        "What are the numbers from {a} to {b}?",
    ],
    "repeat": [
        "Repeat after me: {words}",
        "Repeat: {words}",
        "Please repeat after me: {words}",
        "Say: {words}",
        "Repeat these words: {words}",
        "Echo: {words}",
        "Copy this: {words}",
    ],
}

NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
).split()

FOREIGN_WORDS = (
    "café naïve über Straße señor façade Ærø Łódź привет мир γειά 你好 世界 こんにちは 안녕 שלום 🙂 🚀 ∑ € —"
).split()


@dataclass(frozen=True)
class Turn:
    """One question with its one right answer; `key` is what holding out looks at, `kind` what a table counts."""

    question: str
    answer: str
    kind: str
    key: str
    held_out: bool


def hashed_out(key: str, one_in: int) -> bool:
    """Whether `key` belongs to the one in `one_in` that are never trained on."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % one_in == 0


def plain(question: str) -> str:
    """The wording without case and closing punctuation, so that a held-out wording is out in all its forms."""
    return question.lower().rstrip("?.!= ")


def shifted(question: str, rng: random.Random) -> str:
    """The question as people type it: without its mark, in lower case, with a word before or after."""
    if rng.random() < 0.25:
        question = question.rstrip("?.!")
    if rng.random() < 0.2:
        question = question[0].lower() + question[1:] if rng.random() < 0.5 else question.lower()
    if rng.random() < 0.06:
        opener = rng.choice(["Please tell me: ", "Tell me, ", "Hi! ", "Hello, ", "OK, ", "And ", "Quick question: "])
        question = opener + question
    if rng.random() < 0.03:
        question = question.rstrip("?.!") + rng.choice([" please", ", please", ", please?", " thanks"])
    return question


def root_answer(a: int) -> str:
    exact = math.isqrt(a)
    if exact * exact == a:
        return f"The square root of {a} is {exact}."
    return f"The square root of {a} is about {math.sqrt(a):.2f}."


class Questions:
    """Draws turns of every kind."""

    SHARES = {
        "sum": 17,
        "difference": 18,
        "product": 6,
        "quotient": 5,
        "root": 16,
        "range": 6,
        "fact": 14,
        "unknown": 8,
        "count": 5,
        "repeat": 5,
    }

    def __init__(self, seed: int):
        self.rng = random.Random(seed)
        facts = [json.loads(line) for line in (HERE / "facts.jsonl").read_text(encoding="utf-8").splitlines()]
        self.facts = [(list(self.fact_wordings(fact)), fact["answer"]) for fact in facts]
        unknown = json.loads((HERE / "unknown.json").read_text(encoding="utf-8"))
        self.templates, self.slots, self.unseen = unknown["questions"], unknown["slots"], unknown["unseen"]
        self.words = sorted({word for slot in self.slots.values() for entry in slot for word in entry.split()})

    @staticmethod
    def fact_wordings(fact: dict) -> list[str]:
        openers = [
            "What is {}?",
            "What's {}?",
            "Explain {}.",
            "Tell me about {}.",
            "Describe {}.",
            "Can you explain {}?",
            "What do you know about {}?",
            "What is meant by {}?",
            "{}?",
        ]
        return fact["questions"] + [opener.format(topic) for topic in fact["topics"] for opener in openers]

    def draw(self, kind: str) -> Turn:
        return getattr(self, kind)()

    def draw_any(self, held_out: bool = False) -> Turn:
        """A turn of a random kind that is, or is not, among those held out."""
        while True:
            turn = self.draw(self.rng.choices(list(self.SHARES), list(self.SHARES.values()))[0])
            if turn.held_out == held_out:
                return turn

    def worded(self, kind: str, **numbers) -> str:
        return self.rng.choice(WORDINGS[kind]).format(**numbers)

    def spelled(self, *numbers: int) -> list[str]:
        """The numbers in digits, or now and then in words where all are small."""
        if max(numbers) <= 20 and min(numbers) >= 0 and self.rng.random() < 0.15:
            return [NUMBER_WORDS[number] for number in numbers]
        return [str(number) for number in numbers]

    def turn(self, question: str, answer: str, kind: str, key: str | None = None, one_in: int = 20) -> Turn:
        key = f"{kind} {plain(question)}" if key is None else key
        return Turn(shifted(question, self.rng), answer, kind, key, hashed_out(key, one_in))

    def sum(self) -> Turn:
        a, b = self.rng.randrange(100), self.rng.randrange(100)
        if self.rng.random() < 0.1:
            a, b = self.rng.randrange(21), self.rng.randrange(21)
        x, y = self.spelled(a, b)
        return self.turn(
            self.worded("sum", a=x, b=y), f"{a} + {b} = {a + b}.", "sum", f"sum {min(a, b)} {max(a, b)}", 10
        )

    def difference(self) -> Turn:
        a, b = self.rng.randrange(100), self.rng.randrange(100)
        if a < b and self.rng.random() < 0.4:
            a, b = b, a
        x, y = self.spelled(a, b)
        return self.turn(
            self.worded("difference", a=x, b=y), f"{a} - {b} = {a - b}.", "difference", f"difference {a} {b}", 10
        )

    def product(self) -> Turn:
        a, b = self.rng.randrange(13), self.rng.randrange(13)
        if self.rng.random() < 0.1:
            return self.turn(f"What is {a} squared?", f"{a} squared is {a * a}.", "product")
        x, y = self.spelled(a, b)
        return self.turn(self.worded("product", a=x, b=y), f"{a} * {b} = {a * b}.", "product")

    def quotient(self) -> Turn:
        a, b = self.rng.randrange(13), self.rng.randrange(1, 13)
        return self.turn(self.worded("quotient", a=a * b, b=b), f"{a * b} / {b} = {a}.", "quotient")

    def root(self) -> Turn:
        a = self.rng.randrange(1000)
        return self.turn(self.worded("root", a=a), root_answer(a), "root")

    def range(self) -> Turn:
        """Arithmetic beyond what the model is meant to know, which it should say."""
        large = self.rng.randrange(100, 10 ** self.rng.choice([3, 3, 4, 5]))
        other = self.rng.choice([self.rng.randrange(100), self.rng.randrange(100, 1000), large])
        a, b = self.rng.choice([(large, other), (other, large)])
        kind = self.rng.choice(["sum", "difference", "product", "quotient", "root"])
        if kind == "root":
            question = self.worded("root", a=self.rng.randrange(1000, 10 ** self.rng.choice([4, 5, 6])))
            return self.turn(question, "I only know the square roots of whole numbers below 1000.", "range")
        if kind == "product":
            small, large = self.rng.randrange(2, 100), self.rng.choice([self.rng.randrange(13, 100), large])
            a, b = self.rng.choice([(small, large), (large, small)])
            return self.turn(self.worded(kind, a=a, b=b), "I only know products up to 12 * 12.", "range")
        if kind == "quotient":
            a, b = self.rng.choice([self.rng.randrange(145), large]), self.rng.randrange(30)
            if b == 0:
                return self.turn(self.worded(kind, a=a, b=b), "No number can be divided by 0.", "range")
            if a % b == 0 and a // b <= 12 and b <= 12:
                return self.quotient()
            return self.turn(
                self.worded(kind, a=a, b=b), "I only know divisions that come out even, up to 144 / 12.", "range"
            )
        return self.turn(self.worded(kind, a=a, b=b), "I only add and subtract numbers below 100.", "range")

    def fact(self) -> Turn:
        wordings, answer = self.rng.choice(self.facts)
        turn = self.fact_turn(self.rng.choice(wordings), answer)
        return replace(turn, question=shifted(turn.question, self.rng))

    @staticmethod
    def fact_turn(wording: str, answer: str) -> Turn:
        """The fact in this wording as it stands."""
        key = f"fact {plain(wording)}"
        return Turn(wording, answer, "fact", key, hashed_out(key, 10))

    def unknown(self) -> Turn:
        question = self.rng.choice(self.templates)
        question = re.sub(r"\{(\w+)\}", lambda slot: self.slot(slot[1]), question)
        return self.turn(question[0].upper() + question[1:], FALLBACK, "unknown")

    def slot(self, name: str) -> str:
        """An entry of the slot, or now and then a word that does not exist, since most words are strangers."""
        return self.invented_word() if self.rng.random() < 0.2 else self.rng.choice(self.slots[name])

    def invented_word(self) -> str:
        syllables = [
            self.rng.choice("bcdfghjklmnprstvwz")
            + self.rng.choice("aeiou")
            + self.rng.choice(["", "", "n", "r", "s", "l", "t"])
            for _ in range(self.rng.randint(1, 4))
        ]
        return "".join(syllables)

    def count(self) -> Turn:
        length = self.rng.randint(2, 20) if self.rng.random() < 0.85 else self.rng.randint(20, 50)
        low = self.rng.choice([1, 1, self.rng.randrange(100)])
        high = min(99, low + length - 1)
        numbers = list(range(low, high + 1))
        if self.rng.random() < 0.25:
            numbers.reverse()
        down = "Count down from {a} to {b}." if numbers[0] > numbers[-1] else None
        question = (down or self.rng.choice(WORDINGS["count"])).format(a=numbers[0], b=numbers[-1])
        return self.turn(question, ", ".join(map(str, numbers)) + ".", "count", f"count {numbers[0]} {numbers[-1]}", 10)

    def repeat(self) -> Turn:
        sources = [
            lambda: self.rng.choice(self.words),
            self.invented_word,
            lambda: str(self.rng.randrange(1000)),
            lambda: self.rng.choice(FOREIGN_WORDS),
        ]
        words = " ".join(self.rng.choices(sources, [5, 5, 1, 1.5])[0]() for _ in range(self.rng.randint(1, 14)))
        question = self.worded("repeat", words=words)
        return Turn(question, words, "repeat", f"repeat {words}", hashed_out(f"repeat {words}", 10))

    def conversation(self, turns: int) -> list[Message]:
        """A conversation of training turns, with a system message before some."""
        messages = []
        if self.rng.random() < 0.15:
            messages.append({"role": "system", "content": self.rng.choice(SYSTEM_MESSAGES)})
        for _ in range(turns):
            turn = self.draw_any()
            messages.append({"role": "user", "content": turn.question})
            messages.append({"role": "assistant", "content": turn.answer})
        return messages
