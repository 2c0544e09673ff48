"""The example model's network: Qwen3's decoder in plain PyTorch.

Parameter names are those of Hugging Face's Qwen3ForCausalLM below `model.`, so that the state
dict is the checkpoint. B is the batch, T the tokens of a row, C the hidden size, H the query
heads, K the key/value heads, D the head size.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Shape:
    """The sizes of the network. Hidden and MLP sizes stay multiples of 64 so that it can be quantised."""

    vocabulary: int
    layers: int = 12
    hidden: int = 128
    heads: int = 4
    kv_heads: int = 2
    head_size: int = 32
    mlp: int = 384
    rope_theta: float = 10_000.0
    epsilon: float = 1e-6


class RMSNorm(nn.Module):
    def __init__(self, size: int, epsilon: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.rsqrt(x.float().square().mean(-1, keepdim=True) + self.epsilon)
        return (x.float() * scale * self.weight).to(x.dtype)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary embedding of x [B, heads, T, D] by cosine and sine [T, D], halves rotated against each other."""
    low, high = x.chunk(2, dim=-1)
    return x * cosine + torch.cat((-high, low), dim=-1) * sine


class Attention(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.heads, self.kv_heads, self.head_size = shape.heads, shape.kv_heads, shape.head_size
        self.q_proj = nn.Linear(shape.hidden, shape.heads * shape.head_size, bias=False)
        self.k_proj = nn.Linear(shape.hidden, shape.kv_heads * shape.head_size, bias=False)
        self.v_proj = nn.Linear(shape.hidden, shape.kv_heads * shape.head_size, bias=False)
        self.o_proj = nn.Linear(shape.heads * shape.head_size, shape.hidden, bias=False)
        self.q_norm = RMSNorm(shape.head_size, shape.epsilon)
        self.k_norm = RMSNorm(shape.head_size, shape.epsilon)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor) -> Tensor:
        rows, tokens, _ = x.shape
        q = self.q_norm(self.q_proj(x).view(rows, tokens, self.heads, self.head_size)).transpose(1, 2)
        k = self.k_norm(self.k_proj(x).view(rows, tokens, self.kv_heads, self.head_size)).transpose(1, 2)
        v = self.v_proj(x).view(rows, tokens, self.kv_heads, self.head_size).transpose(1, 2)
        q, k = rotate(q, cosine, sine).to(v.dtype), rotate(k, cosine, sine).to(v.dtype)
        # The query heads that share a key head lie side by side, so one product serves them all. Plain products
        # are several times faster backwards on a CPU than PyTorch's fused attention at these sizes.
        group = self.heads // self.kv_heads
        scores = q.reshape(rows, self.kv_heads, group * tokens, -1) @ k.transpose(2, 3) * self.head_size**-0.5
        scores = scores.view(rows, self.kv_heads, group, tokens, tokens).float() + mask
        weights = F.softmax(scores, dim=-1).to(v.dtype).view(rows, self.kv_heads, group * tokens, tokens)
        mixed = (weights @ v).view(rows, self.heads, tokens, self.head_size)
        return self.o_proj(mixed.transpose(1, 2).reshape(rows, tokens, -1))


class MLP(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.mlp, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.mlp, bias=False)
        self.down_proj = nn.Linear(shape.mlp, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.input_layernorm = RMSNorm(shape.hidden, shape.epsilon)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = RMSNorm(shape.hidden, shape.epsilon)
        self.mlp = MLP(shape)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cosine, sine, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Network(nn.Module):
    """Token ids [B, T] to final hidden states [B, T, C]; `logits` turns those into [.., vocabulary]."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.hidden, shape.epsilon)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                # Small weights, and smaller ones where a block adds to the stream, keep early steps calm.
                into_stream = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(parameter, std=0.04 / (2 * shape.layers) ** 0.5 if into_stream else 0.04)

    def rope(self, tokens: int) -> tuple[Tensor, Tensor]:
        """Cosine and sine [T, D] of positions 0 to tokens - 1."""
        size = self.shape.head_size
        frequencies = self.shape.rope_theta ** (-torch.arange(0, size, 2, dtype=torch.float32) / size)
        angles = torch.outer(torch.arange(tokens, dtype=torch.float32), frequencies)
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos(), angles.sin()

    def forward(self, ids: Tensor) -> Tensor:
        cosine, sine = self.rope(ids.shape[1])
        mask = torch.full((ids.shape[1], ids.shape[1]), float("-inf")).triu(1)
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, cosine, sine, mask)
        return self.norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.embed_tokens.weight)
