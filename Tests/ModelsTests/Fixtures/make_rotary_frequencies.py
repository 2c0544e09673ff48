"""Makes rotary_frequencies.json: what transformers computes for each scaling of rotary embeddings.

    pip install torch transformers
    python make_rotary_frequencies.py
"""

import copy
import json
from pathlib import Path

from transformers import Qwen3Config
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

SCALINGS = [
    {"rope_type": "linear", "factor": 4.0},
    {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
    {"rope_type": "yarn", "factor": 40.0, "beta_fast": 16, "beta_slow": 2, "mscale": 0.707, "mscale_all_dim": 1.0},
    {"rope_type": "yarn", "factor": 2.0, "attention_factor": 1.0, "truncate": False},
    {
        "rope_type": "longrope", "original_max_position_embeddings": 4096, "factor": 10.0,
        "short_factor": [1.0 + pair / 64 for pair in range(32)], "long_factor": [1.0 + pair / 2 for pair in range(32)],
    },
]
CONFIG = {"hidden_size": 256, "num_attention_heads": 4, "head_dim": 64, "max_position_embeddings": 40960, "rope_theta": 1e6}

cases = []
for scaling in SCALINGS:
    config = Qwen3Config(**CONFIG, rope_scaling=copy.deepcopy(scaling))
    frequencies, magnitude = ROPE_INIT_FUNCTIONS[scaling["rope_type"]](config, "cpu", seq_len=40960)
    cases.append({"scaling": scaling, "frequencies": frequencies.tolist(), "magnitude": magnitude})
path = Path(__file__).parent / "rotary_frequencies.json"
path.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
