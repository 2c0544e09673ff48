// What the parts of a shard take in memory.

import Models
import Tensors
import Weights

/// Bytes of each part.
struct MemoryDemands: Equatable, Sendable {
    /// The layers held, for messages.
    var layers: String
    /// The embedding and the head, as far as they are held here.
    var endsBytes: Int
    /// The layers in memory, by window: of one layer, of two, and so on to all. Not empty.
    var windowBytes: [Int]
    /// What a step computes with.
    var workingBytes: Int
    /// Steps between the network and compute.
    var framesBytes: Int
    /// Keys and values of a token in all layers held.
    var cacheBytesPerToken: Int
    var contextTokensMax: Int

    /// The program itself: code, libraries, threads, the tables of a checkpoint. Some 25 MiB were seen.
    static let programBytes = 64 << 20
    /// Tokens that the cache of a shard has room for at the least: one block.
    static let cacheTokensMin = 64
    /// Tokens that the cache should have room for before a further layer is kept in memory.
    static let cacheTokensWanted = 4096
    /// Rows that a step is expected to have at the most: what the API sends unless it is told otherwise.
    static let stepRows = 512

    /// All that does not depend on the window.
    var fixedBytes: Int { Self.programBytes + endsBytes + workingBytes + framesBytes }
}

extension MemoryDemands {
    /// - Parameters:
    ///   - plans: of the layers held, at least one.
    ///   - ends: of the embedding and the head; `nil` when neither is held here.
    init(
        _ model: any Model, layers: LayerList, _ plans: [Int: LayerPlan], ends: LayerPlan?,
        _ configuration: ShardConfiguration
    ) {
        let shape = model.shape
        let cacheType = configuration.cacheType
        self.init(
            layers: "\(layers)", endsBytes: ends.map { WeightSlab.memoryBytes($0.byteCount) } ?? 0,
            windowBytes: (1...plans.count).map {
                LayerWindow(layers: plans.keys, windowLayers: $0).memoryBytes(plans)
            },
            workingBytes: plans.values.map { Self.workingBytes($0, shape) }.max() ?? 0,
            // One that arrives, one that is computed, one that is sent, and one in the buffers between them.
            framesBytes: 4 * Self.stepRows * shape.hiddenSize * MemoryLayout<Float>.size,
            cacheBytesPerToken: plans.keys.reduce(0) { $0 + shape.caches[$1].bytesPerToken(as: cacheType) },
            contextTokensMax: shape.contextTokensMax)
    }

    /// An upper bound of the working memory of a step through a layer, or through the head: every product of the layer
    /// kept to its end with half as much again for what is made of products, the logits of the rows that are looked at
    /// together, and bookkeeping for each row.
    private static func workingBytes(_ plan: LayerPlan, _ shape: ModelShape) -> Int {
        // Of the experts of a mixture a row goes through a few.
        let expertsPerRow = 16
        var columns = 8 * shape.hiddenSize + shape.workingColumns
        var expertColumns = 0
        for entry in plan.entries
        where entry.shape.count >= 2 && (entry.name.hasSuffix(".weight") || entry.name.hasSuffix("_blocks")) {
            // Blocks are [experts, outputs, groups, bytes].
            let outputs = entry.shape.count == 4 ? entry.shape[1] : entry.shape[entry.shape.count - 2]
            if entry.name.contains("experts.") || entry.shape.count > 2 {
                expertColumns = max(expertColumns, outputs)
            } else {
                columns += outputs
            }
        }
        columns += 3 * expertsPerRow * expertColumns
        let products = stepRows * (columns + columns / 2) * MemoryLayout<Float>.size
        return products + StepSampler.rowsMax * shape.vocabularySize * MemoryLayout<Float>.size + (8 << 20)
    }
}
