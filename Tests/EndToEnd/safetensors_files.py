"""Where tensors lie in safetensors files, read without the library under test, and checkpoints cut into several files."""

import json
from pathlib import Path


def tensor_ranges(data: bytes) -> dict[str, tuple[int, int]]:
    """First byte and end of each tensor's data in a file."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    return {name: (8 + length + entry["data_offsets"][0], 8 + length + entry["data_offsets"][1]) for name, entry in header.items()}


def cut(model: Path, directory: Path, part_of, parts: int) -> Path:
    """Writes a model in `parts` files, the tensor `name` in file part_of(name), with an index; other files are copied."""
    data = (model / "model.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    weight_map = {}
    for part in range(parts):
        file = f"model-{part + 1:05}-of-{parts:05}.safetensors"
        own, contents = {}, b""
        for name, entry in header.items():
            if part_of(name) != part:
                continue
            begin, end = entry["data_offsets"]
            own[name] = entry | {"data_offsets": [len(contents), len(contents) + end - begin]}
            contents += data[8 + length + begin : 8 + length + end]
            weight_map[name] = file
        encoded = json.dumps(own).encode()
        (directory / file).write_bytes(len(encoded).to_bytes(8, "little") + encoded + contents)
    index = {"metadata": {"total_size": len(data) - 8 - length}, "weight_map": weight_map}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    for path in model.iterdir():
        if path.suffix == ".json" and path.name != "model.safetensors.index.json":
            (directory / path.name).write_bytes(path.read_bytes())
    return directory
