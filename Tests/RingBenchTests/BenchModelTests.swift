// What the limits are computed from, against sums done by hand.

import FoundationEssentials
import Testing

@testable import ring_bench

@Suite struct BenchModelTests {
    private func model(_ quantization: String = "") throws -> BenchModel {
        let json = """
            {"num_hidden_layers": 28, "hidden_size": 1024, "vocab_size": 151936, "num_attention_heads": 16,
             "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 3072\(quantization)}
            """
        return try JSONDecoder().decode(BenchModel.self, from: Data(json.utf8))
    }

    /// Qwen3-0.6B has 595,984,384 weights in matrices: 28 × 15,728,640 and 155,582,464 in the head.
    @Test func bytesOfATokenAreThoseOfEveryMatrixOnce() throws {
        #expect(try model().bytesReadPerToken() == 2 * 595_984_384)
        let four = try model(#", "quantization": {"bits": 4, "group_size": 64}"#)
        #expect(try four.bytesReadPerToken() == 595_984_384 * 9 / 16)
        let eight = try model(#", "quantization": {"bits": 8, "group_size": 64}"#)
        #expect(try eight.bytesReadPerToken() == 595_984_384 * 17 / 16)
    }

    @Test func aPromptsWorkIsItsLayersItsPairsAndOneHead() throws {
        // One token: all matrices once, and one pair of positions in each of 28 × 16 heads of 128, scores and values.
        let layers = 28.0 * 15_728_640
        let head = 155_582_464.0
        let pair = 28.0 * 16 * 128 * 2
        #expect(try model().multiplyAdds(promptTokens: 1) == layers + head + pair)
        #expect(try model().multiplyAdds(promptTokens: 2) == 2 * layers + head + 3 * pair)
    }

    @Test func layersAreCutWithoutGaps() throws {
        #expect(try model().cut(into: 3) == [0...8, 9...17, 18...27])
    }
}
