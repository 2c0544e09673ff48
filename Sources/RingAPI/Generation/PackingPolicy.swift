// How many rows ride in a step, chosen so that every shard works and nobody waits long.

import Cluster
import Wire

/// The sizes of steps on one ring. Results do not depend on them, only speed and delay do.
struct PackingPolicy: Equatable, Sendable {
    /// Rows whose computing costs as much as the part of a step that does not depend on its rows, which is reading
    /// the weights: from memory, some 2 bytes a weight at 28 GB/s against 2 operations a weight and row at
    /// 200 GFLOP/s, which makes 7.
    static let overheadRowsFromMemory = 8
    /// The same for weights that are read from disk on each pass, at 0.8 GB/s.
    static let overheadRowsFromDisk = 256
    /// Most prompt rows on the ring while other sequences wait for their next token, over all steps: they cost some ten
    /// times what a step costs anyway.
    static let prefillRowsBesideDecodeMax = 64
    /// Chunks of a prompt are multiples of this, where the limits allow, as kernels work on tiles of rows.
    static let tileRows = 16
    /// The wire's room in a frame for everything but its payload.
    static let headerBytesMax = WireLimits.frameBytesMax - WireLimits.payloadBytesMax

    /// Shards that hold layers.
    var stageCount: Int
    /// Times a step goes round the ring.
    var rounds: Int
    var stepsInFlightMax: Int
    /// Rows of a step.
    var rowsMax: Int
    /// What steps have taken on this ring so far.
    var cost: StepCost
    var vocabularySize: Int
    var contextTokensMax: Int
    /// Tokens that the shards' caches hold, over all sequences; `nil` when unknown.
    var cacheTokensMax: Int?

    init(topology: RingTopology, model: ModelShape, activations: ActivationFormat, limits: SchedulerLimits) {
        stageCount = max(1, topology.stageCount)
        rounds = topology.rounds
        stepsInFlightMax = min(max(1, limits.stepsInFlight ?? stageCount), WireLimits.stepsInFlightMax)
        let rowBytes = max(1, model.hiddenSize * activations.bytesPerElement)
        // Two at least: one for a token and one for a prompt.
        rowsMax = max(
            2, min(limits.rowsPerStepMax, WireLimits.stepRowsMax, WireLimits.payloadBytesMax / rowBytes))
        cost = StepCost(
            expectedOverheadRows: topology.streamsWeights ? Self.overheadRowsFromDisk : Self.overheadRowsFromMemory)
        vocabularySize = model.vocabularySize
        contextTokensMax = min(model.contextTokensMax, topology.contextTokensMax ?? model.contextTokensMax)
        cacheTokensMax = topology.cacheTokensMax
    }

    /// Most sequences that decode in one step, of `decoding` in all.
    ///
    /// Each step on the ring gets an equal share, so that the streams spread over as many steps as can be worked on at
    /// once instead of all riding in one while the other shards idle. Where prompts wait, a quarter of the rows is
    /// theirs.
    func decodeRowsMax(decoding: Int, isAnyPrefilling: Bool) -> Int {
        let share = (decoding + stepsInFlightMax - 1) / stepsInFlightMax
        let reserved = isAnyPrefilling ? max(1, rowsMax / 4) : 0
        return max(1, min(share, rowsMax - reserved, WireLimits.stepRunsMax))
    }

    /// Most prompt rows in one step.
    /// - Parameter backlogRows: rows of all prompts that are being evaluated, with those already sent.
    func prefillRowsMax(backlogRows: Int, isAnyDecoding: Bool) -> Int {
        let rows: Int
        if isAnyDecoding {
            // All steps on the ring together hold one chunk, so a running stream is delayed by no more than that.
            rows = max(Self.prefillRowsBesideDecodeMax, Int(min(cost.overheadRows, Double(rowsMax)))) / stepsInFlightMax
        } else if stageCount == 1 {
            rows = rowsMax
        } else {
            // n chunks of P/n rows over S stages take (n + S − 1)(P/n + overhead), which is least here.
            let best = Double(backlogRows) * cost.overheadRows / Double(stageCount - 1)
            rows = Int(min(best.squareRoot(), Double(rowsMax)))
        }
        let tiles = max(1, (rows + Self.tileRows - 1) / Self.tileRows)
        return min(tiles * Self.tileRows, rowsMax)
    }
}
