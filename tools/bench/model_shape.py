"""The sizes of a Qwen3 model with a tied head, and the names and shapes of its tensors."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelShape:
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp: int
    vocabulary: int
    context: int = 40960
    rope_base: float = 1e6
    norm_epsilon: float = 1e-6

    def tensors(self):
        """Name in a Hugging Face checkpoint, name in a GGUF file, and shape of every tensor, outputs first."""
        attention, cache = self.heads * self.head_dim, self.kv_heads * self.head_dim
        yield "model.embed_tokens.weight", "token_embd.weight", (self.vocabulary, self.hidden)
        for layer in range(self.layers):
            here, there = f"model.layers.{layer}.", f"blk.{layer}."
            yield here + "input_layernorm.weight", there + "attn_norm.weight", (self.hidden,)
            yield here + "self_attn.q_proj.weight", there + "attn_q.weight", (attention, self.hidden)
            yield here + "self_attn.k_proj.weight", there + "attn_k.weight", (cache, self.hidden)
            yield here + "self_attn.v_proj.weight", there + "attn_v.weight", (cache, self.hidden)
            yield here + "self_attn.o_proj.weight", there + "attn_output.weight", (self.hidden, attention)
            yield here + "self_attn.q_norm.weight", there + "attn_q_norm.weight", (self.head_dim,)
            yield here + "self_attn.k_norm.weight", there + "attn_k_norm.weight", (self.head_dim,)
            yield here + "post_attention_layernorm.weight", there + "ffn_norm.weight", (self.hidden,)
            yield here + "mlp.gate_proj.weight", there + "ffn_gate.weight", (self.mlp, self.hidden)
            yield here + "mlp.up_proj.weight", there + "ffn_up.weight", (self.mlp, self.hidden)
            yield here + "mlp.down_proj.weight", there + "ffn_down.weight", (self.hidden, self.mlp)
        yield "model.norm.weight", "output_norm.weight", (self.hidden,)


QWEN3_0_6B = ModelShape(
    layers=28, hidden=1024, heads=16, kv_heads=8, head_dim=128, mlp=3072, vocabulary=151_936
)
