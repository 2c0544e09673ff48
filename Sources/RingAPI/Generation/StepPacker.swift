// A step in the making, within the wire's limits.

import Wire

/// Collects runs until a frame is full.
struct StepPacker {
    private let policy: PackingPolicy
    private(set) var runs: [SequenceRun] = []
    private(set) var records: [StepRecord.Run] = []
    private(set) var size = StepSize()
    private var headerBytes = 0

    var rows: Int { size.rows }

    init(policy: PackingPolicy) {
        self.policy = policy
    }

    /// Whether at least one row of `sequence` still fits.
    func hasRoom(for sequence: SequenceState) -> Bool {
        rows < policy.rowsMax && runs.count < WireLimits.stepRunsMax
            && headerBytes + Self.headerBytes(of: sequence.sampling) <= PackingPolicy.headerBytesMax / 2
    }

    mutating func append(_ run: SequenceRun, attempt: Int) {
        runs.append(run)
        records.append(StepRecord.Run(run, attempt: attempt))
        size.add(rows: run.tokens.count, after: Int(run.position))
        headerBytes += Self.headerBytes(of: run.sampling)
    }

    /// Lets guesses ride with a run.
    mutating func add(drafts: [UInt32], toRun index: Int) {
        size.add(rows: drafts.count, after: Int(runs[index].position) + runs[index].tokens.count)
        runs[index].tokens += drafts
        runs[index].draftCount = drafts.count
        records[index].drafts = drafts
    }

    /// Bytes that a run takes in a frame beside its tokens, at most. The tokens themselves, of 5 bytes at most, have
    /// the other half of the room: 4,096 of them take 20 KiB.
    private static func headerBytes(of sampling: Sampling?) -> Int {
        128 + (sampling.map { $0.logitBias.count * 16 + $0.bannedTokens.count * 6 } ?? 0)
    }
}
