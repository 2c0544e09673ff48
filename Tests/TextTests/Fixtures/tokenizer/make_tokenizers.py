#!/usr/bin/env python3
"""Makes the tokenizer fixtures of this folder with Hugging Face's tokenizers library (pip install tokenizers==0.23.3).

Three small tokenizers, trained on the text below, with what that library makes of some texts; and what its
pre-tokenizers make of others. Run it in this folder; the same version gives the same files.
"""

import json
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = """
A large model is cut by layers over several machines, and the activations pass round a ring of shards.
The first shard embeds the tokens, the last one samples; a token comes back and the next step begins.
What is 2+2? 2 + 2 = 4. What is 17 * 23? 17 * 23 = 391. The square root of 999 is about 31.61.
We don't know what they'll say, but it's likely that you've heard it before and I'm sure we're right.
def layers(of model): return [layer for layer in model.layers if layer.index % 2 == 0]  # every other one
    for (int i = 0; i < count; ++i) { sum += values[i] * weights[i]; }\r\n\treturn sum;\r\n
Ein großes Modell wird in Schichten zerlegt; die Übergänge laufen über das Netz. Größe, Fläche, Mühe.
Un modèle trop grand pour une machine est découpé en couches. Déjà vu, ça va très bien, où êtes-vous ?
Большая модель режется по слоям между несколькими машинами, и активации идут по кольцу.
一个大模型按层切分到几台机器上。激活值沿着环传递。你好,世界!
大きなモデルは層ごとに分けられ、輪のように回ります。こんにちは、世界。
큰 모델은 층으로 나뉘어 여러 기계에 놓입니다. 안녕하세요, 세계!
नमस्ते दुनिया, यह एक छोटा वाक्य है। مرحبا بالعالم، هذه جملة قصيرة.
""" * 3

# Splits as current models do: contractions, words with one character before them, digits in threes, punctuation
# with the line ends after it, white space.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

TEXTS = [
    "", " ", "  ", "\n", "\r\n", "\t \n", "a", "Hello", " Hello", "Hello world", "hello  world   !",
    "What is 2+2?", "1234567890", "3.14159 and 1,000,000", "It's what they'd've said; I'LL go, DON'T",
    "the first shard embeds the tokens", "layers layers\nlayers\r\n\r\nlayers",
    "def f(x):\n    return x ** 2  # twice\n\n\n\tif x:\n", "x" * 70, "=" * 200, " " * 130 + "x",
    "Größe und Fläche", "Gro\u0308\u00dfe und Fla\u0308che", "déjà vu", "de\u0301ja\u0300 vu", "Tiê\u0301ng Viê\u0323t",
    "Большая модель", "一个大模型按层切分", "大きなモデルは層ごとに", "큰 모델은", "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "नमस्ते दुनिया", "مرحبا بالعالم", "Zażółć gęślą jaźń", "\u212b \u2126 \ufb01 \u00bd",
    "🙂", "👩🏽‍🚀 and 👨‍👩‍👧‍👦", "🇩🇪🇫🇷", "a\u0301\u0302\u0303b", "\u200d\ufe0f", "\u0000\u0001\u007f", "\ufeffbom", "\u2028\u2029\u0085",
    "\u180e between \u3000 wide\u00a0spaces", "mixed中文and日本語text", "naïve café 😀😀 ok",
    "<|begin|>", "<|begin|>Hello<|end|>", "<|begin|><|user|>What is 2+2?<|end|>\n<|user|>", "<|begin", "<|begin|",
    "a <|end|> b", "a<left>b", "a  <left>b", "a \n <left> b", "<left><left>", "a<right>b", "a<right> \t b", "<right>  <left>",
    "word", "a word b", "words", "sword", "word-word", "_word", "wordé word.", "word\u0301",
    "\u00dcber all", "U\u0308ber all", "xU\u0308ber", "über", "<s>a</s>", "<0x41>", "\u2581under", "{tab}\t{tab}",
]


def dump(name, tokenizer, spec):
    with open(name + ".json", "w", encoding="utf-8") as file:
        json.dump(spec, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")
    generator = random.Random(7)
    with open(name + ".vectors.jsonl", "w", encoding="utf-8") as file:
        for text in TEXTS:
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            file.write(json.dumps({
                "text": text,
                "ids": ids,
                "idsWithSpecial": tokenizer.encode(text, add_special_tokens=True).ids,
                "decoded": tokenizer.decode(ids, skip_special_tokens=False),
                "decodedWithoutSpecial": tokenizer.decode(ids, skip_special_tokens=True),
            }) + "\n")
    return generator


def random_ids(name, tokenizer, generator, ids):
    """Tokens in an order no text has: broken characters, special tokens inside them, ids that no token has."""
    with open(name + ".decoding.jsonl", "w", encoding="utf-8") as file:
        for _ in range(60):
            chosen = [generator.choice(ids) for _ in range(generator.randint(1, 12))]
            file.write(json.dumps({
                "ids": chosen,
                "decoded": tokenizer.decode(chosen, skip_special_tokens=False),
                "decodedWithoutSpecial": tokenizer.decode(chosen, skip_special_tokens=True),
            }) + "\n")


def train(pre_tokenizer, normalizer, alphabet, size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(
        CORPUS.splitlines(keepends=True),
        trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False))
    return json.loads(tokenizer.to_str())["model"]


def byte_level():
    """As current models have it: NFC, a pattern, bytes; merges as pairs; every kind of added token."""
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(WORDS), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    spec = json.loads(tokenizer.to_str())
    spec["model"] = train(pre, normalizers.NFC(), alphabet, 420)
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    tokenizer.add_special_tokens(["<|begin|>", "<|end|>", "<|user|>"])
    tokenizer.add_tokens([
        AddedToken("<left>", lstrip=True, normalized=False), AddedToken("<right>", rstrip=True, normalized=False),
        AddedToken("word", single_word=True, normalized=False), AddedToken("\u00dcber", normalized=True),
    ])
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", 420)]),
    ])
    generator = dump("byte-level", tokenizer, json.loads(tokenizer.to_str()))
    random_ids("byte-level", tokenizer, generator, list(range(tokenizer.get_vocab_size())) + [100_000])


def whole_tokens():
    """As older ones have it: ByteLevel's own pattern, a blank in front, merges as strings; and ignore_merges."""
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=True),
    ])
    model = train(pre, None, sorted(pre_tokenizers.ByteLevel.alphabet()), 380)
    model["vocab"]["\u0120unreachable"] = 380
    model["vocab"]["\u0120Hello"] = 381
    model["merges"] = [" ".join(pair) for pair in model["merges"]]
    model["ignore_merges"] = True
    spec = json.loads(Tokenizer(models.BPE()).to_str())
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    spec = json.loads(tokenizer.to_str())
    spec["model"] = model
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    tokenizer.add_special_tokens(["<|end|>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <|end|>", special_tokens=[("<|end|>", 382)])
    out = json.loads(tokenizer.to_str())
    out["model"]["merges"] = model["merges"]  # the library writes them as pairs
    dump("whole-tokens", tokenizer, out)


def characters():
    """As SentencePiece has it: characters, blanks as U+2581, bytes for what is not known."""
    model = train(pre_tokenizers.Metaspace(), None, [], 600)
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    vocabulary = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % byte for byte in range(256)] + tokens
    spec = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True} for i, content in enumerate(["<unk>", "<s>", "</s>"])],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "\u2581"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"},
            {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
            "vocab": {token: i for i, token in enumerate(vocabulary)}, "merges": model["merges"]},
    }
    dump("characters", Tokenizer.from_str(json.dumps(spec)), spec)


PRE_TOKENIZERS = [
    *[{"type": "Split", "pattern": {"String": "-"}, "behavior": behavior, "invert": invert}
      for behavior in ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
      for invert in [False, True]],
    *[{"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False} for pattern in [
        r"\s+$", r"^\w+", r"\h+", r"\H+", r"[\h-]+", r"\d{2}", r"\d++", r"a{,2}", r"(?m)a.", r"(?m:b.)b", r"a.",
        r"\w+", r"\W+", r"\bb", r"b\B", r"[^\S\n]+", r"[\s\d]+", r"\p{^L}+", r"\v", r"\u4e00|\x{4e8c}",
        r"[\u4e00-\u4e8c]+", r"(?i:'s|k)", r"x*", r"(?=b)", r"\Aa|b\z", r"\R", r"[]a]+", r"[a\]-]+", r"(?<=a)b",
        r"(?<!\S)b", r"a(?=-)|1(?!\d)", r"(?<n>a)\k<n>", r"\s+(?!\S)|\s+", "[\u2126\u212a\u1f7d]"]],
    {"type": "Digits", "individual_digits": True}, {"type": "Digits", "individual_digits": False},
    {"type": "Punctuation", "behavior": "Isolated"}, {"type": "Punctuation", "behavior": "Contiguous"},
    {"type": "Whitespace"}, {"type": "WhitespaceSplit"},
    {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": False},
    {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": "[\r\n]"}, "behavior": "Isolated", "invert": False},
        {"type": "Split", "pattern": {"Regex": r"\s?\p{L}+"}, "behavior": "Isolated", "invert": False},
        {"type": "Split", "pattern": {"Regex": r"\s+$"}, "behavior": "Isolated", "invert": False},
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
]

PIECE_TEXTS = [
    "a", "a-b", "--", "-a--b-", "a--bb---", "  a  \nb  ", "a\nab\n", "ab ab\r\n\tb  ", "aaaaa b1 12345 é\u0301x_y ①Ⅷ",
    "abcdef0-fg \t x\u180ey\u00a0z\u0085", "it's IT'S 'ſ K \u212a \u2126", "一二三 x 漢字、「かな」。", "a]b-a]]--", "1+1=2, $5 (€6)! #7_8",
    "a b  c   \n\n  d 1  2", "\u000b\u2028x\u3000",
]


def pieces():
    spellings = {}
    for byte in range(256):
        printable = 0x21 <= byte <= 0x7E or 0xA1 <= byte <= 0xAC or 0xAE <= byte
        spellings[byte] = chr(byte if printable else 0x100 + len([b for b in spellings if spellings[b] >= "\u0100"]))
    letters = {character: byte for byte, character in spellings.items()}
    with open("pieces.jsonl", "w", encoding="utf-8") as file:
        for definition in PRE_TOKENIZERS:
            spec = json.loads(Tokenizer(models.BPE()).to_str())
            spec["pre_tokenizer"] = definition
            pre = Tokenizer.from_str(json.dumps(spec)).pre_tokenizer
            is_byte_level = "ByteLevel" in json.dumps(definition)
            results = []
            for text in PIECE_TEXTS:
                found = [piece for piece, _ in pre.pre_tokenize_str(text)]
                if is_byte_level:
                    found = [bytes(letters[c] for c in piece).decode() for piece in found]
                results.append({"text": text, "pieces": found})
            file.write(json.dumps({"definition": definition, "results": results}) + "\n")


byte_level()
whole_tokens()
characters()
pieces()
