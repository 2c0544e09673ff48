// Steps that are refused, undone, or come in several rounds.

import Tensors
import Testing

@testable import Models

@Suite struct ForwardPassTests {
    private let bench: Bench

    init() throws {
        bench = try Bench(LoadedModel(directory: TestCheckpoint.own[0].directory), .standard)
    }

    private func pass(_ runs: [StepRun], layers: Range<Int> = 0..<2) throws -> ForwardPass {
        try ForwardPass(bench.loaded.model, layers: layers, runs: runs, on: bench.compute)
    }

    @Test func aGapInPositionsIsRefused() throws {
        let cache = bench.makeCache()
        _ = try bench.logits([1, 2, 3], chunk: 3, cache: cache)
        #expect(throws: CacheError.positionGap(layer: 0, position: 4, cached: 3)) {
            try pass([StepRun(cache: cache, position: 4, count: 1)])
        }
        #expect(cache[0].length == 3)
        #expect(bench.pool.usedBytes == cache.byteCount)
    }

    @Test func aSequenceHasOneRunInAStep() throws {
        let cache = bench.makeCache()
        _ = try bench.logits([1, 2, 3], chunk: 3, cache: cache)
        #expect(throws: CacheError.positionGap(layer: 0, position: 5, cached: 3)) {
            try pass([StepRun(cache: cache, position: 3, count: 2), StepRun(cache: cache, position: 5, count: 1)])
        }
        let twice = try pass([
            StepRun(cache: cache, position: 3, count: 2), StepRun(cache: cache, position: 3, count: 1),
        ])
        try bench.loaded.embedding([7, 7, 7], into: twice.hidden)
        #expect(throws: CacheError.positionGap(layer: 0, position: 3, cached: 5)) {
            try twice.apply(bench.loaded.layers[0])
        }
        twice.rollBack()
        #expect(cache[0].length == 3)
    }

    @Test func aSequenceEndsWithTheContext() throws {
        let tokensMax = bench.loaded.model.shape.contextTokensMax
        #expect(throws: CacheError.contextExceeded(tokens: tokensMax + 1, tokensMax: tokensMax)) {
            try pass([StepRun(cache: bench.makeCache(), position: 0, count: tokensMax + 1)])
        }
    }

    @Test func aTokenPastTheVocabularyIsRefused() throws {
        let pass = try pass([StepRun(cache: bench.makeCache(), position: 0, count: 2)])
        #expect(throws: TokenError(id: 96, vocabularySize: 96)) {
            try bench.loaded.embedding([3, 96], into: pass.hidden)
        }
    }

    @Test func aStepThatFailedInsideCanBeUndoneAndRepeated() throws {
        let expected = try bench.logits([9, 8, 7, 6], chunk: 4)
        let cache = bench.makeCache()
        _ = try bench.logits([9, 8], chunk: 2, cache: cache)

        let failed = try pass([StepRun(cache: cache, position: 2, count: 2)])
        try bench.loaded.embedding([1, 1], into: failed.hidden)
        try failed.apply(bench.loaded.layers[0])
        #expect(cache[0].length == 4 && cache[1].length == 2)
        failed.rollBack()

        #expect(try bench.logits([7, 6], chunk: 2, cache: cache) == Array(expected[2...]))
    }

    /// Where a shard holds two stretches of layers, the next chunk may pass the first before this one comes for the
    /// second.
    @Test func stretchesOfLayersKeepTheirOwnCount() throws {
        let expected = try bench.logits([9, 8, 7, 6], chunk: 4)
        let loaded = bench.loaded
        let cache = bench.makeCache()
        var between: [[Float]] = []
        for (position, tokens) in [(0, [9, 8]), (2, [7, 6])] as [(Int, [UInt32])] {
            let first = try pass([StepRun(cache: cache, position: position, count: 2)], layers: 0..<1)
            try loaded.embedding(tokens, into: first.hidden)
            try first.apply(loaded.layers[0])
            between.append(Array(first.hidden.values))
        }
        var logits: [[Float]] = []
        for position in [0, 2] {
            let second = try pass([StepRun(cache: cache, position: position, count: 2)], layers: 1..<2)
            _ = second.hidden.values.update(fromContentsOf: between.removeFirst())
            try second.apply(loaded.layers[1])
            let rows = try loaded.head.logits(second.hidden, rows: [0, 1])
            logits += [Array(rows[0]), Array(rows[1])]
        }
        #expect(logits == expected)
    }

    @Test func logitsAreComputedForTheRowsNamedInThatOrder() throws {
        let pass = try pass([StepRun(cache: bench.makeCache(), position: 0, count: 3)])
        try bench.loaded.embedding([4, 5, 6], into: pass.hidden)
        let all = try bench.loaded.head.logits(pass.hidden, rows: [0, 1, 2])
        let some = try bench.loaded.head.logits(pass.hidden, rows: [2, 0])
        #expect(some.rows == 2)
        #expect(Array(some[0]) == Array(all[2]) && Array(some[1]) == Array(all[0]))
    }

    /// After attention and after the MLP, what ranks hold slices of is summed.
    @Test func eachLayerSumsTwiceOverRanks() throws {
        final class Counting: Collective {
            var rank: Int { 0 }
            var rankCount: Int { 1 }
            var shapes: [[Int]] = []
            func allReduce(_ tensor: Tensor) { shapes.append([tensor.rows, tensor.columns]) }
        }
        let collective = Counting()
        let compute = Compute(pool: try WorkerPool(threads: 1), collective: collective)
        let model = bench.loaded.model
        let pass = try ForwardPass(
            model, layers: 0..<2, runs: [StepRun(cache: bench.makeCache(), position: 0, count: 3)], on: compute)
        try bench.loaded.embedding([1, 2, 3], into: pass.hidden)
        for layer in bench.loaded.layers { try pass.apply(layer) }
        #expect(collective.shapes == Array(repeating: [3, model.shape.hiddenSize], count: 4))
    }

    @Test func aStepTooLargeForTheWorkingMemoryIsRefused() throws {
        // What one token takes, with room for some more but not for two thousand.
        let ample = Compute(pool: try WorkerPool(threads: 1))
        try step([bench.makeCache()], count: 1, on: ample)
        let compute = Compute(pool: try WorkerPool(threads: 1), arenaBytesMax: ample.arena.reservedBytes + 1 << 20)
        let caches = (0..<8).map { _ in bench.makeCache() }
        #expect(throws: TensorError.self) { try step(caches, count: 256, on: compute) }
        #expect(caches[0][0].length == 0, "a step that failed leaves nothing behind")
        try step([caches[0]], count: 1, on: compute)
        #expect(caches[0][0].length == 1 && caches[0][1].length == 1)
    }

    /// Sends `count` tokens of each sequence through all layers.
    private func step(_ caches: [SequenceCache], count: Int, on compute: Compute) throws {
        let runs = caches.map { StepRun(cache: $0, position: 0, count: count) }
        let pass = try ForwardPass(bench.loaded.model, layers: 0..<2, runs: runs, on: compute)
        do {
            try bench.loaded.embedding([UInt32](repeating: 1, count: count * caches.count), into: pass.hidden)
            for layer in bench.loaded.layers { try pass.apply(layer) }
        } catch {
            pass.rollBack()
            throw error
        }
    }
}
