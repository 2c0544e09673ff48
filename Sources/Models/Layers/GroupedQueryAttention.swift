// Self-attention in which groups of query heads share keys and values.

internal import Tensors

/// softmax(q Kᵀ / √d) V over a sequence's cache, with rotary positions. Ainslie et al., 2023.
///
/// Families differ in its parts: Qwen3 norms queries and keys head by head, Qwen2 has biases, Llama neither.
struct GroupedQueryAttention: SelfAttention {
    let layer: Int
    let heads: Int
    let cache: CacheShape
    var scale: Float

    let qProj: Linear
    let kProj: Linear
    let vProj: Linear
    let oProj: Linear
    /// Over the columns of a head.
    let qNorm: RMSNorm?
    let kNorm: RMSNorm?
    var rotary: RotaryEmbedding
    /// Tokens that a row attends to, itself included; nil: all of its sequence so far.
    var window: Int?
    /// For each query head a score that joins its softmax with a value of zero. Xiao et al., 2023.
    var sinks: AttentionSinks?

    /// `[row, hidden]` to `[row, hidden]`.
    func callAsFunction(_ x: Tensor, _ pass: ForwardPass) throws -> Tensor {
        let (queries, keys, values) = try x.projected(by: qProj, kProj, vProj)
        qNorm?.normalizeHeads(of: queries, columns: cache.keyDimension)
        kNorm?.normalizeHeads(of: keys, columns: cache.keyDimension)
        rotary(queries, headDimension: cache.keyDimension, pass)
        rotary(keys, headDimension: cache.keyDimension, pass)
        let attended = try pass.attend(
            layer: layer, queries: queries, keys: keys, values: values, heads: heads, cache: cache, scale: scale,
            window: window, sinks: sinks?.values)
        return try oProj(attended).summedOverRanks()
    }
}

/// A number a query head, in the memory of its layer.
struct AttentionSinks: @unchecked Sendable {  // Memory that nobody writes.
    let values: UnsafePointer<Float>
}

/// What a block attends with: `[row, hidden]` to `[row, hidden]`.
protocol SelfAttention: Sendable {
    func callAsFunction(_ x: Tensor, _ pass: ForwardPass) throws -> Tensor
}
