// How many rows ride in a step, chosen so that every shard works and nobody waits long.

import Cluster
import Wire

/// The sizes of steps on one ring. Results do not depend on them, only speed and delay do.
struct PackingPolicy: Equatable, Sendable {
    /// Rows that are expected to take as long as the part of a step that does not depend on its rows, before
    /// ``StepCost`` has measured it. That part is reading the weights: from memory, some 2 bytes a weight at 28 GB/s
    /// against 2 operations a weight and row at 200 GFLOP/s, which makes 7.
    static let overheadRowsFromMemory = 8
    /// The same for weights that are read from disk on each pass, at 0.8 GB/s.
    static let overheadRowsFromDisk = 256
    /// What prompts may add to the time between two tokens of a stream, as a multiple of what a step takes without
    /// them. The prompt then waits half as long again as it would alone, as the steps without it are needed anyway.
    static let delayBesideDecode = 2.0
    /// Prompts may always add this much: twenty tokens a second are more than anyone reads.
    static let delayBesideDecodeNanoseconds = 50e6
    /// Chunks of prompts that have the ring to themselves take at most this many times the part of a step that does not
    /// depend on rows, which is then 3 % of the time. Larger ones would only delay who comes next.
    static let chunkOverheadsMax = 32.0
    /// Kernels work on tiles of rows: such chunks are multiples of this.
    static let tileRows = 16
    /// Below so many rows each costs noticeably more, whatever the overhead: unpacked weights serve too few.
    static let chunkRowsMin = 3 * tileRows
    /// The wire's room in a frame for everything but its payload.
    static let headerBytesMax = WireLimits.frameBytesMax - WireLimits.payloadBytesMax

    /// Shards that hold layers.
    var stageCount: Int
    /// Times a step goes round the ring.
    var rounds: Int
    /// Steps on the ring at the same time while sequences decode.
    var stepsInFlightMax: Int
    /// The same while there are only prompts to evaluate: one more, so that a shard that is done with a step finds the
    /// next already there.
    var prefillStepsInFlightMax: Int
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
        prefillStepsInFlightMax = min(max(1, limits.stepsInFlight ?? stageCount + 1), WireLimits.stepsInFlightMax)
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

    /// Most steps on the ring at the same time.
    func stepsInFlightMax(isAnyDecoding: Bool) -> Int {
        isAnyDecoding ? stepsInFlightMax : prefillStepsInFlightMax
    }

    /// Most prompt rows in one step.
    /// - Parameters:
    ///   - promptRows: rows of all prompts that are being evaluated, with those already sent.
    ///   - decodeRows: rows of the step that decode.
    ///   - isAnyDecoding: whether any sequence decodes, in this step or another.
    func prefillRowsMax(promptRows: Int, decodeRows: Int, isAnyDecoding: Bool) -> Int {
        guard !isAnyDecoding else { return besideDecodeRowsMax(decodeRows: decodeRows) }
        var rows = cost.overheadRows * Self.chunkOverheadsMax
        if stageCount > 1 {
            // n chunks of P/n rows over S stages take (n + S − 1)(P/n + overhead), which is least here.
            rows = min(rows, (Double(promptRows) * cost.overheadRows / Double(stageCount - 1)).squareRoot())
        }
        rows = min(max(rows, Double(Self.chunkRowsMin)), Double(rowsMax))
        return min((Int(rows) + Self.tileRows - 1) / Self.tileRows * Self.tileRows, rowsMax)
    }

    /// As many as no stream's token comes later for than ``delayBesideDecode`` allows.
    ///
    /// A stream waits for the rows in its own step and, on each shard, for those in the steps before it: with all steps
    /// alike this costs nothing, as the shards work side by side; at worst, when the prompt has just come, each step
    /// before it adds what its rows take on one shard.
    private func besideDecodeRowsMax(decodeRows: Int) -> Int {
        var rows = Self.delayBesideDecode * (cost.overheadRows + Double(decodeRows))
        if cost.isMeasured { rows = max(rows, Self.delayBesideDecodeNanoseconds / cost.perRow) }
        rows /= 1 + Double(stepsInFlightMax - 1) / Double(stageCount)
        return max(1, Int(min(rows, Double(rowsMax))))
    }
}
