// Logits and greedy tokens against transformers (our own checkpoints) and mlx-lm (the reference ones).

import Models
import Tensors
import Testing

@Suite struct GoldenTests {
    @Test(arguments: TestCheckpoint.own + TestCheckpoint.reference)
    func exactModeEqualsFloat32Elsewhere(_ checkpoint: TestCheckpoint) throws {
        let golden = try Golden(directory: checkpoint.directory)
        let bench = try Bench(LoadedModel(directory: checkpoint.directory), .exact, threads: 2)

        let logits = try bench.logits(golden.prompt, chunk: golden.prompt.count)

        #expect(logits.count == golden.prompt.count)
        #expect(LogitError(try #require(logits.last), against: golden.float32.lastLogits).maximum <= 1e-4)
        for (row, top) in zip(logits, golden.float32.top20) {
            for (id, logit) in zip(top.ids, top.logits) { #expect(abs(row[Int(id)] - logit) <= 1e-4) }
        }
        #expect(try bench.greedy(after: golden.prompt, count: golden.float32.greedy.count) == golden.float32.greedy)
    }

    @Test(arguments: TestCheckpoint.own + TestCheckpoint.reference)
    func promptsThroughOpenBLASGiveTheSameAnswers(_ checkpoint: TestCheckpoint) throws {
        let golden = try Golden(directory: checkpoint.directory)
        try #require(golden.prompt.count >= OpenBLASProducts.rowsMin)
        let bench = try Bench(
            LoadedModel(directory: checkpoint.directory), .exact, threads: 2, manyRowProducts: .openBLAS)

        let last = try #require(try bench.logits(golden.prompt, chunk: golden.prompt.count).last)

        #expect(LogitError(last, against: golden.float32.lastLogits).maximum <= 1e-4)
    }

    /// As a fraction of the logits' deviation: 0.0003 to 0.0005 with fp16 weights, where only the cache is rounded,
    /// 0.004 to 0.042 with bf16 weights, where activations are rounded to bf16 before each product, and 0.017 to 0.026
    /// with quantized ones, where they are rounded to 8 bits. For comparison: mlx-lm in bf16 differs from float32 by
    /// 0.011 to 0.014.
    @Test(arguments: TestCheckpoint.own + TestCheckpoint.reference)
    func standardModeStaysWithinItsBound(_ checkpoint: TestCheckpoint) throws {
        let golden = try Golden(directory: checkpoint.directory)
        let bench = try Bench(LoadedModel(directory: checkpoint.directory), .standard, threads: 2)

        let last = try #require(try bench.logits(golden.prompt, chunk: golden.prompt.count).last)

        #expect(LogitError(last, against: golden.float32.lastLogits).relativeRMS <= checkpoint.standardErrorMax)
    }
}
