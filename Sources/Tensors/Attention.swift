// Attention of the rows of a step to blocks of cached keys and values.

internal import CKernels

/// A block of cached keys (or values): `[heads, tokens, dimension]` for a fixed number of tokens.
public enum CacheBlock {
    /// Tokens in a block.
    public static let tokens = Int(CK_KV_BLOCK_TOKENS)

    /// Bytes of a block of keys (or values); a multiple of 64.
    public static func bytes(heads: Int, dimension: Int, type: CacheType) -> Int {
        ck_kv_block_bytes(type.kernelType, heads, dimension)
    }

    /// Writes the keys (or values) of one token, `[heads, dimension]`, into slot 0 ..< ``tokens`` of a block.
    /// - Parameter type: of the block.
    public static func store(
        _ token: UnsafePointer<Float>, heads: Int, dimension: Int, slot: Int, type: CacheType,
        in block: UnsafeMutableRawPointer
    ) {
        ck_kv_store(type.kernelType, token, heads, dimension, UInt32(slot), block)
    }
}

/// What each row of a step attends to.
public struct AttentionRows {
    public let count: Int
    private let rows: UnsafeMutablePointer<ck_attention_row>

    /// Room for `count` rows, in the arena of `compute`. Each is set before use.
    public init(count: Int, in compute: Compute) throws(TensorError) {
        let bytes = count * MemoryLayout<ck_attention_row>.stride
        self.count = count
        self.rows = try compute.arena.allocate(bytes: bytes).bindMemory(to: ck_attention_row.self, capacity: count)
    }

    /// Lets `row` attend to `tokens` of its sequence, its own included, not empty.
    ///
    /// - Parameters:
    ///   - keys: the sequence's blocks of keys, in order; the first holds token 0. Those of tokens before the first of
    ///     `tokens` are not looked at.
    ///   - values: the same of values; the blocks of keys where those hold the values.
    public func set(
        _ row: Int, keys: UnsafePointer<UnsafeRawPointer?>, values: UnsafePointer<UnsafeRawPointer?>, tokens: Range<Int>
    ) {
        precondition(0..<count ~= row && !tokens.isEmpty, "row \(row) of \(count) attends to tokens \(tokens)")
        (rows + row).initialize(
            to: ck_attention_row(
                key_blocks: keys, value_blocks: values, first_token: UInt32(tokens.lowerBound),
                token_count: UInt32(tokens.upperBound)))
    }

    /// softmax(scale · q Kᵀ) V for each row and head of `queries`, `[rows, heads, shape.keyDimension]`.
    ///
    /// Query head h reads the cached head h · shape.heads / heads.
    /// - Parameter sinks: for each query head a score that joins its softmax with a value of zero.
    /// - Returns: `[rows, heads · shape.valueDimension]`.
    public func attend(
        queries: Tensor, heads: Int, cache shape: CacheShape, type: CacheType, scale: Float,
        sinks: UnsafePointer<Float>? = nil
    ) throws(TensorError) -> Tensor {
        let compute = queries.compute
        precondition(
            queries.rows == count && queries.columns == heads * shape.keyDimension, "a query for each row and head")
        precondition(heads % shape.heads == 0, "query heads share cached heads evenly")
        let output = try Tensor(rows: count, columns: heads * shape.valueDimension, in: compute)
        let mark = compute.arena.mark()
        defer { compute.arena.release(to: mark) }
        let scratch = try compute.arena.allocate(bytes: ck_attention_scratch_bytes())
        var kernelShape = ck_attention_shape(
            heads: heads, kv_heads: shape.heads, head_dim: shape.keyDimension, value_dim: shape.valueDimension,
            values_in_keys: shape.valuesInKeys, scale: scale, sinks: sinks)
        ck_attention(
            compute.pool.pool, type.kernelType, queries.elements, rows, count, &kernelShape, output.elements, scratch)
        return output
    }
}

/// What a layer keeps of each token.
public struct CacheShape: Sendable, Equatable {
    /// Heads of keys, and of values.
    public var heads: Int
    /// Columns of a head's key.
    public var keyDimension: Int
    /// Columns of a head's value.
    public var valueDimension: Int
    /// Whether a head's value is the first columns of its key, so that keys alone are kept: latent attention.
    public var valuesInKeys: Bool

    public init(heads: Int, keyDimension: Int, valueDimension: Int, valuesInKeys: Bool = false) {
        self.heads = heads
        self.keyDimension = keyDimension
        self.valueDimension = valueDimension
        self.valuesInKeys = valuesInKeys
    }

    /// Bytes of a block of keys.
    public func keyBlockBytes(as type: CacheType) -> Int {
        CacheBlock.bytes(heads: heads, dimension: keyDimension, type: type)
    }

    /// Bytes of a block of values: none where they lie in the keys.
    public func valueBlockBytes(as type: CacheType) -> Int {
        valuesInKeys ? 0 : CacheBlock.bytes(heads: heads, dimension: valueDimension, type: type)
    }

    /// Bytes of a token's keys and values.
    public func bytesPerToken(as type: CacheType) -> Int {
        (keyBlockBytes(as: type) + valueBlockBytes(as: type)) / CacheBlock.tokens
    }
}
