#!/usr/bin/env python3
"""Makes sentencepiece.json: a small SentencePiece byte-pair model, as GGUF files embed it, and what it makes of texts.

    pip install sentencepiece gguf llama-cpp-python
    python make_sentencepiece.py

The ids are SentencePiece's own; llama.cpp, which reads the same vocabulary from a GGUF file, has to find the same, with
special tokens in the text as well, which SentencePiece does not look for.
"""

import io
import json
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import sentencepiece

from make_tokenizers import CORPUS, TEXTS

NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
SPECIAL = ["<s>Hello", "a</s>b", " <s> what is this ", "x<unk>y", "</s></s>"]


def train():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for line in CORPUS.splitlines() if line.strip()), model_writer=model,
        model_type="bpe", vocab_size=900, byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, character_coverage=0.99, split_digits=True, allow_whitespace_only_pieces=True,
        num_threads=1, minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def kind(model, id):
    if model.is_unknown(id):
        return UNKNOWN
    if model.is_control(id):
        return CONTROL
    return BYTE if model.is_byte(id) else NORMAL


def write_vocabulary(path, vocabulary):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(32)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(32)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([token.encode() for token in vocabulary["tokens"]])
    writer.add_token_scores(vocabulary["scores"])
    writer.add_token_types(vocabulary["types"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def main():
    model = train()
    ids = range(model.vocab_size())
    vocabulary = {
        "tokens": [model.id_to_piece(id) for id in ids], "scores": [model.get_score(id) for id in ids],
        "types": [kind(model, id) for id in ids],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocabulary.gguf"
        write_vocabulary(path, vocabulary)
        llama = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
        vectors, skipped = [], 0
        for text in TEXTS:
            theirs = llama.tokenize(text.encode(), add_bos=False, special=False)
            own = model.encode(text)
            if own != theirs:
                # Control characters that SentencePiece keeps to itself.
                skipped += 1
                print("differ:", ascii(text), own, theirs)
                continue
            if not any(token in text for token in ("<s>", "</s>", "<unk>")):
                vectors.append({"text": text, "ids": own, "decoded": model.decode(own)})
        for text in SPECIAL:
            vectors.append({"text": text, "ids": llama.tokenize(text.encode(), add_bos=False, special=True)})
    print(f"{len(vectors)} vectors, {skipped} skipped")
    text = json.dumps(vocabulary | {"vectors": vectors}, ensure_ascii=False, separators=(",", ":"))
    Path("sentencepiece.json").write_text(text + "\n", encoding="utf-8")


main()
