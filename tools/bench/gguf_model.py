"""A model as llama.cpp reads it: one GGUF file."""

from pathlib import Path

import gguf
import numpy as np

from affine import from_bfloat16
from model_shape import ModelShape


class GGUFModel:
    """A GGUF file without a vocabulary's words, written tensor by tensor in the order of the shape."""

    def __init__(
        self, path: Path, shape: ModelShape, kind: gguf.GGMLQuantizationType, rounded_as: gguf.GGMLQuantizationType = None
    ):
        """`rounded_as`: a kind whose values the matrices have, if they are not those they are given."""
        self.kind = kind
        self.rounded_as = rounded_as
        self.writer = writer = gguf.GGUFWriter(path, "qwen3")
        writer.add_block_count(shape.layers)
        writer.add_context_length(shape.context)
        writer.add_embedding_length(shape.hidden)
        writer.add_feed_forward_length(shape.mlp)
        writer.add_head_count(shape.heads)
        writer.add_head_count_kv(shape.kv_heads)
        writer.add_key_length(shape.head_dim)
        writer.add_value_length(shape.head_dim)
        writer.add_rope_freq_base(shape.rope_base)
        writer.add_layer_norm_rms_eps(shape.norm_epsilon)
        writer.add_vocab_size(shape.vocabulary)
        writer.add_tokenizer_model("no_vocab")
        for _, name, dimensions in shape.tensors():
            matrix = len(dimensions) == 2
            stored = kind if matrix else gguf.GGMLQuantizationType.F32
            block, block_bytes = gguf.GGML_QUANT_SIZES[stored]
            size = int(np.prod(dimensions)) // block * block_bytes
            bytes_shape = (*dimensions[:-1], dimensions[-1] // block * block_bytes)
            writer.add_tensor_info(name, bytes_shape, np.dtype(np.uint8), size, raw_dtype=stored)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        self.file = writer.fout[0]
        self.end_tensor()

    def write(self, halves: np.ndarray):
        """Appends rows of bfloat16 to the tensor that is being written."""
        if halves.ndim == 1:
            rows = from_bfloat16(halves)
        elif self.kind == gguf.GGMLQuantizationType.BF16:
            rows = halves
        else:
            rows = from_bfloat16(halves)
            if self.rounded_as is not None:
                rows = gguf.quants.dequantize(gguf.quants.quantize(rows, self.rounded_as), self.rounded_as)
            rows = gguf.quants.quantize(rows, self.kind)
        self.file.write(rows.tobytes())

    def end_tensor(self):
        """Tensors begin at multiples of the file's alignment."""
        self.writer.write_padding(self.file, self.file.tell())

    def close(self):
        self.writer.close()
