"""Makes the checkpoints of make_tiny_families.py whose experts mlx-lm stores in another way than Hugging Face.

    pip install mlx mlx-lm
    python make_tiny_mlx.py

The weights, and so the answers, are those of the originals; names and shapes are what mlx-lm's converter makes of them.

tiny-gpt-oss-mlx      gate and up apart, blocks as words
tiny-deepseek-v3-mlx  experts stacked, the product of latents in two parts of which one is transposed
"""

import importlib
import json
import shutil
from pathlib import Path

import mlx.core as mx

FOLDER = Path(__file__).parent


def make(original):
    source, folder = FOLDER / original, FOLDER / f"{original}-mlx"
    folder.mkdir(exist_ok=True)
    config = json.loads((source / "config.json").read_text())
    architecture = importlib.import_module(f"mlx_lm.models.{config['model_type']}")
    model = architecture.Model(architecture.ModelArgs.from_dict(config))
    weights = model.sanitize(mx.load(str(source / "model.safetensors")))
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})
    if config.pop("quantization_config", None):
        config["quantization"] = {"group_size": 32, "bits": 4, "mode": "mxfp4"}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    shutil.copy(source / "golden.json", folder)


if __name__ == "__main__":
    for original in ["tiny-gpt-oss", "tiny-deepseek-v3"]:
        make(original)
