"""The models that ring-bench measures: the same weights in every format, of the stated shapes and sizes."""

import json
import random
import sys

import gguf
import numpy as np
import pytest

from ring import ROOT

sys.path.append(str(ROOT / "tools" / "bench"))

from affine import from_bfloat16, mlx  # noqa: E402
from dictated_model import DISTANCE, make_dictated_model  # noqa: E402
from make_models import make_models  # noqa: E402
from model_shape import QWEN3_0_6B, ModelShape  # noqa: E402

SHAPE = ModelShape(layers=2, hidden=128, heads=4, kv_heads=2, head_dim=64, mlp=192, vocabulary=1024)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    directory = tmp_path_factory.mktemp("models")
    make_models(directory, SHAPE)
    return directory


def checkpoint_tensors(directory):
    content = (directory / "model.safetensors").read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    types = {"BF16": np.uint16, "U32": np.uint32}
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        tensors[name] = np.frombuffer(content[start + first : start + last], types[entry["dtype"]]).reshape(entry["shape"])
    assert sum(tensor.nbytes for tensor in tensors.values()) == len(content) - start
    return tensors


def dequantized(tensors, module: str, bits: int):
    words, scales, biases = (tensors[module + part] for part in (".weight", ".scales", ".biases"))
    steps = [(words >> np.uint32(place * bits)) & np.uint32((1 << bits) - 1) for place in range(32 // bits)]
    q = np.stack(steps, axis=-1).reshape(*scales.shape, -1)
    scales, biases = from_bfloat16(scales)[..., None], from_bfloat16(biases)[..., None]
    return (q * scales + biases).reshape(words.shape[0], -1), np.broadcast_to(scales, q.shape).reshape(words.shape[0], -1)


def test_bench_shape_is_qwen3_0_6b():
    weights = [shape for _, _, shape in QWEN3_0_6B.tensors()]
    assert len(weights) == 310  # as the published checkpoint lists, with its head tied
    assert sum(int(np.prod(shape)) for shape in weights) == 596_049_920  # "0.6B"


def test_quantized_weights_are_the_bfloat16_ones(models):
    exact = checkpoint_tensors(models / "bf16")
    for directory, bits in (("4bit", 4), ("8bit", 8)):
        tensors = checkpoint_tensors(models / directory)
        for name, _, shape in SHAPE.tensors():
            assert exact[name].shape == shape
            if len(shape) == 1:
                assert np.array_equal(tensors[name], exact[name])
                continue
            values, scales = dequantized(tensors, name.removesuffix(".weight"), bits)
            # Half a step of rounding, and as much again at a group's end that lies out of reach once its scale is moved
            # so that zero stays zero; scale and bias are themselves rounded to eight bits.
            error = np.abs(values - from_bfloat16(exact[name]))
            assert np.all(error <= np.abs(scales) + np.abs(from_bfloat16(exact[name])).max() / 128)


def test_gguf_files_hold_the_same_weights(models):
    exact = checkpoint_tensors(models / "bf16")
    for name, error_max in (("bf16", 0), ("q8_0", 0.01), ("q4_0", 0.12)):
        tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(models / f"{name}.gguf").tensors}
        for ours, theirs, shape in SHAPE.tensors():
            tensor = tensors[theirs]
            assert tuple(int(size) for size in reversed(tensor.shape)) == shape
            wanted = from_bfloat16(exact[ours])
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(shape)
            # Of a step of 1/127 and 1/8 of a block's largest, some two and a half deviations, over the root of twelve.
            assert np.sqrt(np.mean((values - wanted) ** 2)) <= error_max * wanted.std()


def test_ring_generates_text_with_every_format(models, start_ring):
    for name in ("bf16", "4bit", "8bit"):
        ring = start_ring(["0", "1"], model=models / name)
        answer = ring.complete("abc", max_tokens=8, ignore_eos=True, temperature=0)
        assert answer["usage"] == answer["usage"] | {"prompt_tokens": 3, "completion_tokens": 8}
        ring.stop()


@pytest.mark.parametrize("bits", [None, 4])
def test_the_dictated_model_says_what_it_is_told(bits, tmp_path, start_ring):
    shape = ModelShape(layers=3, hidden=1024, heads=8, kv_heads=4, head_dim=128, mlp=256, vocabulary=4096)
    make_dictated_model(tmp_path / "dictated", shape, bits and mlx(bits))
    draw = random.Random(5)
    # Words come again and again, as in a text.
    answer = [draw.randrange(300) for _ in range(120)]
    around = [draw.randrange(300) for _ in range(40 + DISTANCE - len(answer))]
    prompt = around[:40] + [token + 2048 for token in answer] + around[40:]
    for mode in ("off", "on"):
        ring = start_ring([None], model=tmp_path / "dictated", api_flags=["--speculation", mode])
        said = ring.complete(prompt, max_tokens=len(answer), temperature=0, ignore_eos=True, return_token_ids=True)
        assert said["choices"][0]["token_ids"] == answer
        ring.stop()
