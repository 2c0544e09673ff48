"""Runs llama.cpp on the models of make_models.py, as asked by ring-bench: a JSON object a line in, one a line out.

    {"do": "load", "model": PATH, "threads": N, "context": N}    {"system": TEXT}
    {"do": "prefill", "tokens": N}                               {"seconds": S}
    {"do": "decode", "tokens": N, "prompt": N}                   {"seconds": S}
    {"do": "greedy", "prompt": [TOKEN, …], "tokens": N}          {"tokens": [TOKEN, …]}
    {"do": "tell", "text": [TOKEN, …]}                           {"logProbabilities": [L, …], "tokens": [TOKEN, …]}

Tokens are made up where a list is not given; no sampling is timed. With "telling": true a model is loaded for the last
request, which asks how likely each token of a text is, from the second on, and which was likeliest in its place; with
"float": true, too, its cache is in float32 as its weights should be.
"""

import time

import llama_cpp
import numpy as np

from peer_loop import made_up, serve


class Peer:
    def __init__(self):
        self.llama = None

    def load(self, model: str, threads: int, context: int, telling: bool = False, float: bool = False) -> dict:
        if self.llama:
            self.llama.close()
        cache_type = llama_cpp.GGML_TYPE_F32 if float else llama_cpp.GGML_TYPE_F16
        # Flash attention is what llama.cpp chooses by itself and is faster here; the Python package turns it off.
        self.llama = llama_cpp.Llama(
            model, n_ctx=context, n_threads=threads, n_threads_batch=threads, n_batch=512, flash_attn=True, verbose=False,
            logits_all=telling, type_k=cache_type, type_v=cache_type,
        )
        return {"version": llama_cpp.__version__, "system": llama_cpp.llama_print_system_info().decode()}

    def evaluate(self, tokens: list[int]) -> float:
        begun = time.perf_counter()
        self.llama.eval(tokens)
        # Reading a logit waits for the computation.
        self.llama._ctx.get_logits()[0]
        return time.perf_counter() - begun

    def prefill(self, tokens: int) -> dict:
        self.llama.reset()
        return {"seconds": self.evaluate(made_up(tokens))}

    def decode(self, tokens: int, prompt: int) -> dict:
        self.prefill(prompt)
        return {"seconds": sum(self.evaluate([token]) for token in made_up(tokens))}

    def greedy(self, prompt: list[int], tokens: int) -> dict:
        self.llama.reset()
        chosen, following = [], prompt
        for _ in range(tokens):
            self.evaluate(following)
            logits = np.ctypeslib.as_array(self.llama._ctx.get_logits(), shape=(self.llama.n_vocab(),))
            following = [int(logits.argmax())]
            chosen += following
        return {"tokens": chosen}

    def tell(self, text: list[int]) -> dict:
        self.llama.reset()
        self.llama.eval(text)
        logits = self.llama.scores[: len(text) - 1].astype(np.float64)
        highest = logits.max(axis=1, keepdims=True)
        sums = np.log(np.exp(logits - highest).sum(axis=1)) + highest[:, 0]
        told = logits[np.arange(len(text) - 1), text[1:]] - sums
        return {"logProbabilities": told.tolist(), "tokens": logits.argmax(axis=1).tolist()}


if __name__ == "__main__":
    serve(Peer())
