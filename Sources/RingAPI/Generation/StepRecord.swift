// What a step on the ring carries, remembered until its result comes.

import Wire

/// A step on the ring.
struct StepRecord: Equatable, Sendable {
    /// A run of the step.
    struct Run: Equatable, Sendable {
        var sequenceID: UInt64
        /// First token and the one after the last.
        var position: Int
        var end: Int
        /// The sequence's attempt when the run was packed.
        var attempt: Int
        /// The sequence whose cache it begins with.
        var parentID: UInt64?
        var wantsToken: Bool
        /// Tokens guessed to follow.
        var drafts: [UInt32]
        /// Prompt log-probabilities that must come back.
        var promptChoices: Int

        init(_ run: SequenceRun, attempt: Int) {
            sequenceID = run.sequenceID
            position = Int(run.position)
            end = position + run.settledTokens.count
            drafts = Array(run.drafts)
            self.attempt = attempt
            parentID = run.parentID
            wantsToken = run.sampling != nil
            promptChoices = run.promptLogprobs.map { run.tokens.count - ($0.nextToken == nil ? 1 : 0) } ?? 0
        }

        var wantsAnswer: Bool { wantsToken || promptChoices > 0 }
    }

    var stepID: UInt64
    var runs: [Run]

    /// Tokens over all runs, drafts included.
    var rowCount: Int { size.rows }
    var size: StepSize {
        runs.reduce(into: StepSize()) { $0.add(rows: $1.end - $1.position + $1.drafts.count, after: $1.position) }
    }
    /// Whether each run has one token, beside drafts.
    var isDecoding: Bool { runs.allSatisfy { $0.end - $0.position == 1 && $0.wantsToken } }

    func carries(_ sequenceID: UInt64) -> Bool { runs.contains { $0.sequenceID == sequenceID } }

    /// Whether the shards must know a sequence for it.
    func needs(_ sequenceID: UInt64) -> Bool {
        runs.contains { $0.sequenceID == sequenceID || $0.parentID == sequenceID }
    }

    /// Pairs each run with its result. Runs that want nothing may have none.
    /// - Throws: ``Mismatch`` when the results answer something else than was asked.
    func matched(with results: [RunResult], vocabularySize: Int) throws(Mismatch) -> [RunResult?] {
        var remaining = results[...]
        var matched: [RunResult?] = []
        matched.reserveCapacity(runs.count)
        for run in runs {
            guard let result = remaining.first, result.sequenceID == run.sequenceID else {
                guard !run.wantsAnswer else { throw .missing(run.sequenceID) }
                matched.append(nil)
                continue
            }
            remaining.removeFirst()
            guard Int(result.position) == run.end else { throw .position(Int(result.position), expected: run.end) }
            guard result.sampled.isEmpty != run.wantsToken else {
                throw run.wantsToken ? .missing(run.sequenceID) : .unasked(run.sequenceID)
            }
            // Only after a draft that was right comes another token.
            guard run.drafts.starts(with: result.sampled.dropLast().map(\.token)) else {
                throw .drafts(run.sequenceID)
            }
            if let token = result.sampled.last?.token, Int(token) >= vocabularySize { throw .unknownToken(token) }
            guard result.prompt.count == run.promptChoices else {
                throw .promptChoices(result.prompt.count, expected: run.promptChoices)
            }
            matched.append(result)
        }
        if let extra = remaining.first { throw .unasked(extra.sequenceID) }
        return matched
    }

    /// How a result fails to answer its step.
    enum Mismatch: Error, Equatable {
        case missing(UInt64)
        case unasked(UInt64)
        case position(Int, expected: Int)
        case promptChoices(Int, expected: Int)
        case drafts(UInt64)
        case unknownToken(UInt32)

        var reason: String {
            switch self {
            case .missing(let sequence): "no answer for sequence \(sequence)"
            case .unasked(let sequence): "an answer nobody asked for, sequence \(sequence)"
            case .position(let position, let expected): "position \(position) instead of \(expected)"
            case .promptChoices(let count, let expected): "\(count) log-probabilities instead of \(expected)"
            case .drafts(let sequence): "tokens that do not continue the drafts of sequence \(sequence)"
            case .unknownToken(let token): "token \(token), which the model does not have"
            }
        }
    }
}
