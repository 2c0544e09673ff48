// Attention over a paged cache: right, and the same bits however it is run.

import CKernels
import Glibc
import Testing

/// A sequence's keys and values in blocks of scrambled order, and as plain floats.
private struct CacheSample {
    let type: ck_cache_type
    let tokens: Int
    let kvHeads: Int
    let headDim: Int
    let valueDim: Int
    /// Whether values are the first columns of keys.
    let valuesInKeys: Bool
    /// [token, kvHead, headDim] and [token, kvHead, valueDim], as stored.
    private(set) var keys: [Float] = []
    private(set) var values: [Float] = []
    private let keyBlocks: [AlignedBytes]
    private let valueBlocks: [AlignedBytes]
    let keyTable: AlignedBytes
    let valueTable: AlignedBytes

    init(
        _ type: ck_cache_type, tokens: Int, kvHeads: Int, headDim: Int, valueDim: Int, valuesInKeys: Bool = false,
        random: inout RandomSource
    ) {
        (self.type, self.tokens, self.kvHeads) = (type, tokens, kvHeads)
        (self.headDim, self.valueDim, self.valuesInKeys) = (headDim, valueDim, valuesInKeys)
        let blockTokens = Int(CK_KV_BLOCK_TOKENS)
        let blocks = (tokens + blockTokens - 1) / blockTokens
        keyBlocks = (0..<blocks).map { _ in AlignedBytes(count: ck_kv_block_bytes(type, kvHeads, headDim)) }
        valueBlocks = (0..<blocks).map { _ in AlignedBytes(count: ck_kv_block_bytes(type, kvHeads, valueDim)) }
        keyTable = AlignedBytes(keyBlocks.map { UInt(bitPattern: $0.pointer) })
        valueTable = valuesInKeys ? keyTable : AlignedBytes(valueBlocks.map { UInt(bitPattern: $0.pointer) })
        for token in 0..<tokens {
            let key = (0..<kvHeads).flatMap { _ in Self.head(headDim, &random) }
            let value =
                valuesInKeys
                ? (0..<kvHeads).flatMap { key[$0 * headDim..<$0 * headDim + valueDim] }
                : (0..<kvHeads).flatMap { _ in Self.head(valueDim, &random) }
            let slot = UInt32(token % blockTokens)
            ck_kv_store(type, key, kvHeads, headDim, slot, keyBlocks[token / blockTokens].pointer)
            ck_kv_store(type, value, kvHeads, valueDim, slot, valueBlocks[token / blockTokens].pointer)
            keys += key
            values += value
        }
    }

    /// Multiples of 1/128 up to 127/128, which each type stores without rounding.
    private static func head(_ dim: Int, _ random: inout RandomSource) -> [Float] {
        var head = (0..<dim).map { _ in Float(Int.random(in: -127...127, using: &random)) / 128 }
        head[Int.random(in: 0..<dim, using: &random)] = Bool.random(using: &random) ? 127 / 128 : -127 / 128
        return head
    }

    func row(_ first: Int, _ count: Int) -> ck_attention_row {
        ck_attention_row(
            key_blocks: keyTable.pointer.assumingMemoryBound(to: UnsafeRawPointer?.self),
            value_blocks: valueTable.pointer.assumingMemoryBound(to: UnsafeRawPointer?.self),
            first_token: UInt32(first), token_count: UInt32(count))
    }

    /// softmax(scale · q · Kᵀ) V of one head in double precision, with a sink's score among those of the softmax.
    func attention(
        _ query: ArraySlice<Float>, kvHead: Int, _ first: Int, _ count: Int, scale: Float, sink: Float?
    ) -> [Double] {
        let scores = (first..<count).map { token in
            let start = (token * kvHeads + kvHead) * headDim
            return zip(query, keys[start..<start + headDim]).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
                * Double(scale)
        }
        let largest = (scores + [sink.map(Double.init) ?? -.infinity]).max()!
        let weights = scores.map { Glibc.exp($0 - largest) }
        let sum = weights.reduce(sink.map { Glibc.exp(Double($0) - largest) } ?? 0, +)
        return (0..<valueDim).map { d in
            (first..<count).reduce(0.0) { partial, token in
                let value = Double(values[(token * kvHeads + kvHead) * valueDim + d])
                return partial + weights[token - first] / sum * value
            }
        }
    }
}

extension KernelTests {
    @Suite struct Attention {
        struct Shape: Sendable, CustomTestStringConvertible {
            var heads: Int
            var kvHeads: Int
            var headDim: Int
            var valueDim: Int
            var valuesInKeys = false
            var hasSinks = false
            var testDescription: String {
                "\(heads) heads on \(kvHeads), \(headDim) × \(valueDim)" + (valuesInKeys ? " in keys" : "")
                    + (hasSinks ? ", sinks" : "")
            }
            /// Scores of a size with those of tokens.
            var sinks: [Float]? { hasSinks ? (0..<heads).map { Float($0 % 5) - 2 } : nil }
        }

        static let types = [CK_CACHE_F32, CK_CACHE_F16, CK_CACHE_INT8]

        static let shapes = [
            Shape(heads: 1, kvHeads: 1, headDim: 1, valueDim: 1),
            Shape(heads: 4, kvHeads: 2, headDim: 32, valueDim: 32),
            Shape(heads: 16, kvHeads: 8, headDim: 128, valueDim: 128),
            Shape(heads: 6, kvHeads: 2, headDim: 80, valueDim: 80),
            Shape(heads: 3, kvHeads: 3, headDim: 192, valueDim: 128),
            Shape(heads: 20, kvHeads: 1, headDim: 13, valueDim: 7),
            Shape(heads: 4, kvHeads: 2, headDim: 64, valueDim: 64, hasSinks: true),
            Shape(heads: 20, kvHeads: 1, headDim: 13, valueDim: 7, valuesInKeys: true, hasSinks: true),
            Shape(heads: 16, kvHeads: 1, headDim: 576, valueDim: 512, valuesInKeys: true),
            Shape(heads: 72, kvHeads: 1, headDim: 40, valueDim: 32, valuesInKeys: true),
        ]

        private func attend(
            _ cache: CacheSample, _ queries: [Float], _ rows: [ck_attention_row], _ shape: Shape, pool: OpaquePointer?
        ) -> [Float] {
            var out = [Float](repeating: .nan, count: rows.count * shape.heads * shape.valueDim)
            let scratch = AlignedBytes(count: ck_attention_scratch_bytes())
            let sinks = AlignedBytes(shape.sinks ?? [0])
            var kernelShape = ck_attention_shape(
                heads: shape.heads, kv_heads: shape.kvHeads, head_dim: shape.headDim, value_dim: shape.valueDim,
                values_in_keys: shape.valuesInKeys, scale: 1 / Float(shape.headDim).squareRoot(),
                sinks: shape.hasSinks ? UnsafePointer(sinks.pointer.assumingMemoryBound(to: Float.self)) : nil)
            ck_attention(pool, cache.type, queries, rows, rows.count, &kernelShape, &out, scratch.pointer)
            return withExtendedLifetime(sinks) { out }
        }

        @Test(arguments: types, shapes)
        func attentionIsRight(type: ck_cache_type, shape: Shape) {
            var random = RandomSource(seed: 1)
            let cache = CacheSample(
                type, tokens: 200, kvHeads: shape.kvHeads, headDim: shape.headDim, valueDim: shape.valueDim,
                valuesInKeys: shape.valuesInKeys, random: &random)
            let spans = [(0, 1), (0, 63), (0, 64), (0, 65), (0, 200), (199, 200), (60, 130), (64, 128), (1, 2)]
            let queries = random.floats(spans.count * shape.heads * shape.headDim).map { $0 * 4 }
            let rows = spans.map { cache.row($0.0, $0.1) }
            let out = using(portable) { attend(cache, queries, rows, shape, pool: nil) }
            for (row, span) in spans.enumerated() {
                for head in 0..<shape.heads {
                    let at = row * shape.heads + head
                    let query = queries[at * shape.headDim..<(at + 1) * shape.headDim]
                    let expected = cache.attention(
                        query, kvHead: head * shape.kvHeads / shape.heads, span.0, span.1,
                        scale: 1 / Float(shape.headDim).squareRoot(), sink: shape.sinks?[head])
                    for (got, want) in zip(out[at * shape.valueDim..<(at + 1) * shape.valueDim], expected) {
                        #expect(abs(Double(got) - want) < 2e-6)
                    }
                }
            }
        }

        @Test(arguments: types, shapes) func attentionIsTheSameEverywhere(type: ck_cache_type, shape: Shape) {
            var random = RandomSource(seed: 2)
            let cache = CacheSample(
                type, tokens: 300, kvHeads: shape.kvHeads, headDim: shape.headDim, valueDim: shape.valueDim,
                valuesInKeys: shape.valuesInKeys, random: &random)
            // A chunk of a prompt, as prefill sends it, then rows from anywhere.
            var rows = (100..<140).map { cache.row(0, $0) }
            rows += (1..<10).map { cache.row($0 * 20, $0 * 20 + $0 * 11) }
            rows += (250..<260).map { cache.row($0 - 100, $0) }
            let queries = random.floats(rows.count * shape.heads * shape.headDim).map { $0 * 4 }
            expectSameEverywhere("\(shape)") { pool in attend(cache, queries, rows, shape, pool: pool) }
        }

        @Test(arguments: types, shapes) func aRowIsTheSameAloneAndAmongMany(type: ck_cache_type, shape: Shape) {
            var random = RandomSource(seed: 3)
            let cache = CacheSample(
                type, tokens: 150, kvHeads: shape.kvHeads, headDim: shape.headDim, valueDim: shape.valueDim,
                valuesInKeys: shape.valuesInKeys, random: &random)
            let rows = (50..<90).map { cache.row(0, $0) }
            let perRow = shape.heads * shape.headDim
            let queries = random.floats(rows.count * perRow)
            for instructionSet in instructionSets {
                using(instructionSet) {
                    let together = attend(cache, queries, rows, shape, pool: nil)
                    for row in rows.indices {
                        let query = Array(queries[row * perRow..<(row + 1) * perRow])
                        let alone = attend(cache, query, [rows[row]], shape, pool: nil)
                        let outputs = shape.heads * shape.valueDim
                        let inTheMidst = Array(together[row * outputs..<(row + 1) * outputs])
                        #expect(firstDifference(alone, inTheMidst) == nil)
                    }
                }
            }
        }

        /// Two tokens with scores 0 and x share the weights 1 / (1 + eˣ) and eˣ / (1 + eˣ): eˣ as the kernels see it.
        @Test func theExponentialIsAccurate() {
            let shape = Shape(heads: 1, kvHeads: 1, headDim: 1, valueDim: 1)
            let keys = AlignedBytes([Float](repeating: 0, count: 64))
            let values = AlignedBytes([0, 1] + [Float](repeating: 0, count: 62))
            let tables = [keys, values].map { AlignedBytes([UInt(bitPattern: $0.pointer)]) }
            let row = ck_attention_row(
                key_blocks: tables[0].pointer.assumingMemoryBound(to: UnsafeRawPointer?.self),
                value_blocks: tables[1].pointer.assumingMemoryBound(to: UnsafeRawPointer?.self),
                first_token: 0, token_count: 2)
            let queries = (0...20_000).map { -Float($0) / 20_000 * 87 }
            keys.pointer.assumingMemoryBound(to: Float.self)[1] = 1
            expectSameEverywhere("exp") { pool in
                var out = [Float](repeating: .nan, count: queries.count)
                let scratch = AlignedBytes(count: ck_attention_scratch_bytes())
                var single = ck_attention_shape(
                    heads: shape.heads, kv_heads: 1, head_dim: 1, value_dim: 1, values_in_keys: false, scale: 1,
                    sinks: nil)
                ck_attention(
                    pool, CK_CACHE_F32, queries, [ck_attention_row](repeating: row, count: queries.count),
                    queries.count, &single, &out, scratch.pointer)
                for (query, value) in zip(queries, out) {
                    let e = Glibc.exp(Double(query))
                    expectClose(value, e / (1 + e), 3.5e-7)
                }
                return out
            }
        }

        /// Through attention to a single token, whose weight is 1: what was stored comes back.
        private func stored(_ values: [Float]) -> [Float] {
            let shape = Shape(heads: 1, kvHeads: 1, headDim: 1, valueDim: values.count)
            let keys = AlignedBytes(count: ck_kv_block_bytes(CK_CACHE_INT8, 1, 1))
            let block = AlignedBytes(count: ck_kv_block_bytes(CK_CACHE_INT8, 1, values.count))
            ck_kv_store(CK_CACHE_INT8, [1], 1, 1, 0, keys.pointer)
            ck_kv_store(CK_CACHE_INT8, values, 1, values.count, 0, block.pointer)
            let tables = [keys, block].map { AlignedBytes([UInt(bitPattern: $0.pointer)]) }
            let row = ck_attention_row(
                key_blocks: tables[0].pointer.assumingMemoryBound(to: UnsafeRawPointer?.self),
                value_blocks: tables[1].pointer.assumingMemoryBound(to: UnsafeRawPointer?.self),
                first_token: 0, token_count: 1)
            var out = [Float](repeating: 0, count: values.count)
            let scratch = AlignedBytes(count: ck_attention_scratch_bytes())
            var single = ck_attention_shape(
                heads: shape.heads, kv_heads: 1, head_dim: 1, value_dim: values.count, values_in_keys: false, scale: 1,
                sinks: nil)
            ck_attention(nil, CK_CACHE_INT8, [1], [row], 1, &single, &out, scratch.pointer)
            return out
        }

        @Test(arguments: [1e-20, 0.01, 1, 300, 1e20] as [Float]) func eightBitsAreWithinHalfAStep(size: Float) {
            var random = RandomSource(seed: 5)
            let values = random.floats(200).map { $0 * size }
            let step = values.map(abs).max()! / 127
            for (value, read) in zip(values, stored(values)) {
                #expect(abs(read - value) <= step * 0.50001)
            }
        }

        @Test(arguments: [Float.nan, .infinity, -.infinity]) func whatIsNotANumberShowsInEightBits(value: Float) {
            for read in stored([1, value, 2]) { #expect(read.isNaN) }
        }

        @Test func zerosStayZerosInEightBits() {
            #expect(stored([0, 0, -0.0]) == [0, 0, 0])
        }
    }
}
