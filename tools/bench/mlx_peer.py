"""Runs mlx-lm on a checkpoint of make_models.py, as asked by ring-bench: a JSON object a line in, one a line out.

    {"do": "load", "model": PATH, "threads": N, "context": N}    {"version": TEXT}
    {"do": "prefill", "tokens": N}                               {"seconds": S}
    {"do": "decode", "tokens": N, "prompt": N}                   {"seconds": S}

It computes on the processor, with as many threads as MLX likes. Tokens are made up.
"""

import time
from importlib.metadata import version
from pathlib import Path

from peer_loop import made_up, serve


class Peer:
    def load(self, model: str, threads: int, context: int) -> dict:
        import mlx.core as mx
        from mlx_lm.utils import load_model

        self.mx = mx
        mx.set_default_device(mx.cpu)
        self.model, _ = load_model(Path(model))
        return {"version": f"{version('mlx-lm')} on mlx {version('mlx')}"}

    def begin(self):
        from mlx_lm.models.cache import make_prompt_cache

        self.cache = make_prompt_cache(self.model)

    def evaluate(self, tokens: list[int]) -> float:
        begun = time.perf_counter()
        self.mx.eval(self.model(self.mx.array([tokens]), cache=self.cache)[0, -1])
        return time.perf_counter() - begun

    def prefill(self, tokens: int) -> dict:
        self.begin()
        return {"seconds": self.evaluate(made_up(tokens))}

    def decode(self, tokens: int, prompt: int) -> dict:
        self.prefill(prompt)
        return {"seconds": sum(self.evaluate([token]) for token in made_up(tokens))}


if __name__ == "__main__":
    serve(Peer())
