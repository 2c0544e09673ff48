// A row has the same bits alone or among others, in any chunk, with any number of threads.

import Models
import Tensors
import Testing

@Suite struct BatchInvarianceTests {
    /// Long enough for the third block of a cache.
    static let tokens = (0..<140).map { UInt32($0 * 37 % 96) }
    static let checkpoints = TestCheckpoint.own + TestCheckpoint.reference

    @Test(arguments: checkpoints, [Precision.exact, .standard])
    func chunksAndThreadsChangeNothing(_ checkpoint: TestCheckpoint, _ precision: Precision) throws {
        let loaded = try LoadedModel(directory: checkpoint.directory)
        let whole = try Bench(loaded, precision).logits(Self.tokens, chunk: Self.tokens.count)

        for threads in 1...2 {
            let bench = try Bench(loaded, precision, threads: threads)
            for chunk in [1, 5, 7, Self.tokens.count] {
                #expect(
                    try bench.logits(Self.tokens, chunk: chunk) == whole, "\(chunk) tokens a step, \(threads) threads")
            }
        }
    }

    @Test(arguments: checkpoints) func eightBitCachesAreTheSameInAnyChunk(_ checkpoint: TestCheckpoint) throws {
        let loaded = try LoadedModel(directory: checkpoint.directory)
        let bench = try Bench(loaded, .standard, threads: 2, cacheType: .int8)
        let whole = try bench.logits(Self.tokens, chunk: Self.tokens.count)

        for chunk in [1, 7] { #expect(try bench.logits(Self.tokens, chunk: chunk) == whole, "\(chunk) tokens a step") }
        // They are in use: the first token attends to itself alone, the others to rounded keys.
        let sixteen = try Bench(loaded, .standard).logits(Self.tokens, chunk: Self.tokens.count)
        #expect(sixteen != whole)
    }

    @Test(arguments: checkpoints, [Precision.exact, .standard])
    func otherSequencesInTheStepChangeNothing(_ checkpoint: TestCheckpoint, _ precision: Precision) throws {
        let bench = try Bench(LoadedModel(directory: checkpoint.directory), precision, threads: 2)
        let prompt = Array(Self.tokens[..<30])
        let next = Array(Self.tokens[30..<33])
        let alone = try bench.logits(prompt + next, chunk: 33)

        // Others begin, go on, and are decoded token by token beside it.
        let (cache, other, third) = (bench.makeCache(), bench.makeCache(), bench.makeCache())
        _ = try bench.step([(other, Array(Self.tokens[50..<120]))])
        var together = try bench.step([(other, [5]), (cache, prompt), (third, [1, 2, 3])])[1]
        for token in next { together += try bench.step([(third, [4, 4]), (other, [6]), (cache, [token])])[2] }

        #expect(together == alone)
    }

    /// A shard passes hidden states on as float32 or bf16 bytes; the layers may be cut anywhere.
    @Test(arguments: checkpoints)
    func cuttingTheLayersChangesNothing(_ checkpoint: TestCheckpoint) throws {
        let bench = try Bench(LoadedModel(directory: checkpoint.directory), .standard)
        let tokens = Array(Self.tokens[..<9])
        let whole = try bench.logits(tokens, chunk: 9)

        let (loaded, cache) = (bench.loaded, bench.makeCache())
        var bytes = [UInt8](repeating: 0, count: 9 * loaded.model.shape.hiddenSize * FloatType.f32.bytes)
        for index in loaded.layers.indices {
            let pass = try ForwardPass(
                loaded.model, layers: index..<index + 1, runs: [StepRun(cache: cache, position: 0, count: 9)],
                on: bench.compute)
            if index == 0 {
                try loaded.embedding(tokens, into: pass.hidden)
            } else {
                bytes.withUnsafeBytes { pass.hidden.read(as: .f32, from: $0) }
            }
            try pass.apply(loaded.layers[index])
            bytes.withUnsafeMutableBytes { pass.hidden.write(as: .f32, to: $0) }
            if index == loaded.layers.count - 1 {
                let logits = try loaded.head.logits(pass.hidden, rows: Array(0..<9))
                #expect((0..<9).map { Array(logits[$0]) } == whole)
            }
        }
    }
}
