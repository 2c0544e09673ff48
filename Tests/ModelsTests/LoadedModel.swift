// A whole model in memory, and sequences run through it: what the tests of this target stand on.

import Models
import Tensors
import Testing
import Weights

/// Every part of a checkpoint, built.
struct LoadedModel {
    let model: any Model
    let layers: [any DecoderLayer]
    let embedding: TokenEmbedding
    let head: OutputHead

    init(directory: String) throws {
        let checkpoint = try Checkpoint(directory: directory)
        let model = try ModelRegistry.model(for: ModelConfig(json: checkpoint.configurationJSON))
        try model.check(checkpoint, layers: 0..<model.shape.layerCount, embedding: true, head: true)
        let reader = FileTensorReader(checkpoint, caching: .filled)
        layers = try (0..<model.shape.layerCount).map {
            try model.makeLayer($0, LayerWeights.load(model.layerPlan($0, of: checkpoint), from: reader))
        }
        let ends = try LayerWeights.load(model.endsPlan(embedding: true, head: true, of: checkpoint), from: reader)
        embedding = try model.makeEmbedding(ends)
        head = try model.makeHead(ends)
        self.model = model
    }
}

/// Threads, memory and precision to run a model with, and its caches.
struct Bench {
    let loaded: LoadedModel
    let compute: Compute
    let pool: CacheBlockPool

    init(
        _ loaded: LoadedModel, _ precision: Precision, threads: Int = 1,
        manyRowProducts: ManyRowProducts = .batchInvariant, cacheBytesMax: Int = 64 << 20
    ) throws {
        self.loaded = loaded
        compute = Compute(
            pool: try WorkerPool(threads: threads), precision: precision, manyRowProducts: manyRowProducts,
            arenaBytesMax: 256 << 20)
        pool = CacheBlockPool(bytesMax: cacheBytesMax, type: precision.cacheType)
    }

    func makeCache() -> SequenceCache {
        SequenceCache(layers: 0..<loaded.layers.count, shape: loaded.model.shape, pool: pool)
    }

    /// One step of several sequences, each given the tokens that follow those it has; the logits of every row of each.
    func step(_ runs: [(cache: SequenceCache, tokens: [UInt32])]) throws -> [[[Float]]] {
        let pass = try ForwardPass(
            loaded.model, layers: 0..<loaded.layers.count,
            runs: runs.map { StepRun(cache: $0.cache, position: $0.cache[0].length, count: $0.tokens.count) },
            on: compute)
        try loaded.embedding(runs.flatMap(\.tokens), into: pass.hidden)
        for layer in loaded.layers { try pass.apply(layer) }
        let logits = try loaded.head.logits(pass.hidden, rows: Array(0..<pass.hidden.rows))
        var row = 0
        return runs.map { run in
            run.tokens.map { _ in
                defer { row += 1 }
                return Array(logits[row])
            }
        }
    }

    /// The logits after each token of one sequence that is given in pieces of `chunk` tokens.
    func logits(_ tokens: [UInt32], chunk: Int, cache: SequenceCache? = nil) throws -> [[Float]] {
        let cache = cache ?? makeCache()
        return try stride(from: 0, to: tokens.count, by: chunk).flatMap { start in
            try step([(cache, Array(tokens[start..<min(start + chunk, tokens.count)]))])[0]
        }
    }

    /// The likeliest token after `prompt`, after that one, and so on.
    func greedy(after prompt: [UInt32], count: Int) throws -> [UInt32] {
        let cache = makeCache()
        var last = try #require(try step([(cache, prompt)])[0].last)
        var tokens: [UInt32] = []
        while tokens.count < count {
            let best = UInt32(last.indices.max { last[$0] < last[$1] } ?? 0)
            tokens.append(best)
            if tokens.count < count { last = try #require(try step([(cache, [best])])[0].last) }
        }
        return tokens
    }
}

extension Tensor {
    /// A copy of its values, taken while the arena they lie in surely lives.
    var array: [Float] { withExtendedLifetime(self) { Array(values) } }
}
