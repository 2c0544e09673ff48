// A whole model in this process: every logit after every token, which no ring sends.

import Models
import Tensors
import Weights

/// Every part of a checkpoint in memory.
struct WholeModel {
    private let model: any Model
    private let layers: [any DecoderLayer]
    private let embedding: TokenEmbedding
    private let head: OutputHead

    /// Most bytes of its caches.
    private static let cacheBytesMax = 1 << 30

    var vocabularySize: Int { model.shape.vocabularySize }

    /// - Throws: what is wrong with the checkpoint.
    init(directory: String) throws {
        let checkpoint = try Checkpoint(directory: directory)
        let model = try ModelRegistry.model(for: ModelConfig(json: checkpoint.configurationJSON))
        let layers = 0..<model.shape.layerCount
        try model.check(checkpoint, layers: layers, embedding: true, head: true)
        let reader = FileTensorReader(checkpoint, caching: .filled)
        self.layers = try layers.map {
            try model.makeLayer($0, LayerWeights.load(model.layerPlan($0, of: checkpoint), from: reader))
        }
        let ends = try LayerWeights.load(model.endsPlan(embedding: true, head: true, of: checkpoint), from: reader)
        embedding = try model.makeEmbedding(ends)
        head = try model.makeHead(ends)
        self.model = model
    }

    /// The logits after each of `tokens`, read in one step.
    /// - Parameter cacheType: of keys and values; the precision's own when left out.
    func logits(
        after tokens: [UInt32], precision: Precision, cacheType: CacheType? = nil, threads: Int
    ) throws -> [[Float]] {
        let compute = Compute(pool: try WorkerPool(threads: threads), precision: precision)
        let pool = CacheBlockPool(bytesMax: Self.cacheBytesMax, type: cacheType ?? precision.cacheType)
        let cache = SequenceCache(layers: 0..<layers.count, shape: model.shape, pool: pool)
        let pass = try ForwardPass(
            model, layers: 0..<layers.count, runs: [StepRun(cache: cache, position: 0, count: tokens.count)],
            on: compute)
        try embedding(tokens, into: pass.hidden)
        for layer in layers { try pass.apply(layer) }
        let logits = try head.logits(pass.hidden, rows: Array(0..<tokens.count))
        return tokens.indices.map { Array(logits[$0]) }
    }
}
