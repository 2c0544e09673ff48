"""Makes the example model, from nothing to the files in this folder.

    python train.py tokenizer               learn tokenizer.json from the questions' own text
    python train.py train --steps 2240      train; checkpoints in --work, so that it can be stopped and resumed
    python train.py export                  write config.json, model.safetensors and check them against transformers
    python train.py evaluate                ask held-out questions and print the table of README.md
    python train.py questions               write questions.jsonl, the fixed questions of the project's tests
    python train.py golden                  write golden.json, the numbers an engine is compared with

Needs Python 3.11 and torch, numpy, safetensors, tokenizers, transformers, jinja2 (`pip install` them); no GPU.
Nothing of this is needed to run the model.
"""

import argparse
import time
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import torch
from torch import distributed, multiprocessing
from torch.nn import functional as F

import examine
from export import export
from network import Network, Shape
from tokens import ROW_LENGTHS, VOCABULARY, Batches, learn_tokenizer

# Micro-batches a step: 12,288 tokens.
MICRO_BATCHES = 6


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Rises over 200 steps, stays, falls to nothing over the last 35 %: how long it stays may be decided late."""
    return peak * min((step + 1) / 200, 1.0, (steps - step) / (0.35 * steps))


def train(rank: int, processes: int, work: Path, steps: int, peak: float, taken: Synchronized) -> None:
    """One of `processes` that train together, each on a core: a core that is free takes the next micro-batch.

    Threads of one process would wait for each other in every operation, which is slow where other programs run.
    """
    torch.set_num_threads(1)
    torch.manual_seed(1)
    # One compiled form a row length.
    torch._dynamo.config.recompile_limit = 2 * len(ROW_LENGTHS)
    distributed.init_process_group(
        "gloo", init_method=f"file://{work.resolve()}/meeting", rank=rank, world_size=processes
    )
    network = Network(Shape(VOCABULARY))
    matrices = [p for name, p in network.named_parameters() if p.dim() == 2 and "embed" not in name]
    others = [p for name, p in network.named_parameters() if p.dim() == 1 or "embed" in name]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        betas=(0.9, 0.98),
        fused=True,
    )
    first, checkpoint = 0, work / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    for layer in network.layers:
        layer.compile(dynamic=False)
    # A seed for each process and start, so that no text is drawn twice.
    batches = iter(Batches(seed=1_000 + 10 * first + rank))
    began, loss_sum = time.monotonic(), torch.zeros(())
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, peak)
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        while take(taken, MICRO_BATCHES * (step + 1 - first)):
            ids, taught = next(batches)
            with torch.autocast("cpu", torch.bfloat16):
                hidden = network(ids[:, :-1].contiguous())
                logits = network.logits(hidden[taught])
            loss = F.cross_entropy(logits.float(), ids[:, 1:][taught]) / MICRO_BATCHES
            loss.backward()
            loss_sum += loss.detach()
        gradients = torch.cat([parameter.grad.flatten() for parameter in network.parameters()])
        distributed.all_reduce(gradients)
        torch.nn.utils.vector_to_parameters(gradients, [parameter.grad for parameter in network.parameters()])
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 25 == 0:
            distributed.all_reduce(loss_sum)
            if rank == 0:
                print(
                    f"step {step + 1}/{steps} loss {loss_sum.item() / 25:.4f} {time.monotonic() - began:.0f} s",
                    flush=True,
                )
            loss_sum.zero_()
        if rank == 0 and ((step + 1) % 100 == 0 or step + 1 == steps):
            state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            torch.save(state, work / "checkpoint.new")
            (work / "checkpoint.new").replace(checkpoint)


def take(taken: Synchronized, limit: int) -> bool:
    """Counts one more micro-batch as taken, unless `limit` are."""
    with taken.get_lock():
        if taken.value == limit:
            return False
        taken.value += 1
        return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["tokenizer", "train", "export", "evaluate", "questions", "golden"])
    parser.add_argument("--work", type=Path, default=Path("work"), help="folder of the checkpoint (default: work)")
    parser.add_argument("--steps", type=int, default=2240, help="steps of 12,288 tokens (default: 2240)")
    parser.add_argument("--peak", type=float, default=2e-3, help="highest learning rate (default: 0.002)")
    parser.add_argument("--processes", type=int, default=2, help="processes that train, one a core (default: 2)")
    arguments = parser.parse_args()
    match arguments.command:
        case "tokenizer":
            learn_tokenizer()
        case "train":
            arguments.work.mkdir(parents=True, exist_ok=True)
            (arguments.work / "meeting").unlink(missing_ok=True)
            taken = multiprocessing.get_context("spawn").Value("q", 0)
            multiprocessing.spawn(
                train,
                (arguments.processes, arguments.work, arguments.steps, arguments.peak, taken),
                arguments.processes,
            )
        case "export":
            export(arguments.work)
        case "evaluate":
            examine.evaluate()
        case "questions":
            examine.write_questions()
        case "golden":
            examine.write_golden()


if __name__ == "__main__":
    main()
