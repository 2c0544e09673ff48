// The canon itself: bits that every machine must give, whichever instruction sets it has.

import CKernels
import Testing

extension KernelTests {
    /// Digests of results computed once. A machine of another architecture cannot compare itself with this one in a
    /// test;
    /// it can with these. They change only when the canon is changed on purpose, and then every machine of a ring must
    /// be upgraded together.
    @Suite struct Canon {
        /// FNV-1a over the bits of floats.
        private func digest(_ values: [Float]) -> UInt64 {
            values.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1.bitPattern)) &* 0x100_0000_01b3 }
        }

        private func expect(_ expected: UInt64, _ body: () -> [Float]) {
            for instructionSet in instructionSets {
                let actual = using(instructionSet) { digest(body()) }
                #expect(actual == expected, "\(String(cString: ck_isa_name(instructionSet)))")
            }
        }

        @Test func floatProducts() {
            var random = RandomSource(seed: 1)
            let sample = MatrixSample(CK_BF16, outputs: 24, inputs: 333, random: &random)
            let x = random.floats(11 * 333)
            expect(0xba9c_f209_742e_a4a0) { multiply(sample, x, rows: 11, CK_ACTIVATIONS_F32) }
        }

        @Test func quantisedProducts() {
            var random = RandomSource(seed: 2)
            let sample = MatrixSample(
                bits: 4, group: 64, scales: CK_BF16, outputs: 24, inputs: 704, random: &random)
            let x = random.floats(11 * 704)
            expect(0x60b1_65d3_0467_c1eb) { multiply(sample, x, rows: 11, CK_ACTIVATIONS_INT8) }
            expect(0x2c79_1564_0393_c106) { multiply(sample, x, rows: 11, CK_ACTIVATIONS_F32) }
        }

        @Test func rowOperations() {
            var random = RandomSource(seed: 3)
            let a = random.floats(500).map { $0 * 20 }, b = random.floats(500)
            expect(0x6385_a50d_d808_167c) {
                var out = [Float](repeating: 0, count: 500)
                ck_silu_multiply(nil, a, b, 500, &out)
                return out
            }
            expect(0x8f11_4181_01a8_d4ec) {
                var out = [Float](repeating: 0, count: 500)
                ck_rms_norm(nil, a, b, 1e-6, 2, 250, &out)
                return out
            }
            expect(0x413e_ab98_3f71_f909) {
                let summary = ck_summarize_logits(a, 500)
                return [summary.maximum, Float(summary.maximum_index), summary.log_sum_exp]
            }
        }

        private func attention(_ type: ck_cache_type) -> () -> [Float] {
            var random = RandomSource(seed: 4)
            let keys = AlignedBytes(count: ck_kv_block_bytes(type, 1, 48))
            let values = AlignedBytes(count: ck_kv_block_bytes(type, 1, 48))
            for slot in 0..<64 {
                ck_kv_store(type, random.floats(48), 1, 48, UInt32(slot), keys.pointer)
                ck_kv_store(type, random.floats(48), 1, 48, UInt32(slot), values.pointer)
            }
            let tables = [keys, values].map { AlignedBytes([UInt(bitPattern: $0.pointer)]) }
            let rows = (40...64).map {
                ck_attention_row(
                    key_blocks: tables[0].pointer.assumingMemoryBound(to: UnsafeRawPointer?.self),
                    value_blocks: tables[1].pointer.assumingMemoryBound(to: UnsafeRawPointer?.self),
                    first_token: 3, token_count: $0)
            }
            let queries = random.floats(rows.count * 3 * 48)
            return {
                var out = [Float](repeating: 0, count: queries.count)
                let scratch = AlignedBytes(count: ck_attention_scratch_bytes())
                var shape = ck_attention_shape(
                    heads: 3, kv_heads: 1, head_dim: 48, value_dim: 48, values_in_keys: false, scale: 0.2, sinks: nil)
                ck_attention(nil, type, queries, rows, rows.count, &shape, &out, scratch.pointer)
                return out
            }
        }

        @Test func attention() {
            expect(0x407c_49d8_4e2e_95f5, attention(CK_CACHE_F32))
            expect(0xf104_9e67_5b69_e668, attention(CK_CACHE_INT8))
        }
    }
}
