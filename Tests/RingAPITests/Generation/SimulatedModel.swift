// A model that is a hash function, with shards' caches that check what they are sent.

import Wire

@testable import RingAPI

/// Answers steps as a shard with all layers would. A token depends on every token before it and on the seed, so a
/// wrong, missing or repeated position shows in all tokens that follow.
struct SimulatedModel {
    static let vocabularySize: UInt32 = 1000

    /// Tokens of each sequence whose cache is held.
    private(set) var caches: [UInt64: [UInt32]] = [:]

    static func token(after tokens: ArraySlice<UInt32>, seed: UInt64) -> UInt32 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ seed
        for token in tokens { hash = (hash ^ UInt64(token) &+ 0x9e37) &* 0x0000_0100_0000_01b3 }
        return UInt32(truncatingIfNeeded: (hash ^ (hash >> 29)) % UInt64(vocabularySize))
    }

    /// The choice for `next` after `tokens`; the log-probability names the position, which tests check the order by.
    static func choice(_ next: UInt32, after count: Int, top: UInt32) -> TokenChoice {
        TokenChoice(
            token: next, logprob: -Float(count), top: (0..<top).map { TokenLogprob(token: $0, logprob: -Float(count)) })
    }

    /// What a generation must give, computed without steps.
    static func expectedEvents(of request: GenerationRequest, contextTokensMax: Int) -> [GenerationEvent] {
        var log = request.prompt
        let choices = request.promptLogprobs.map { top in
            (1..<log.count).map { choice(log[$0], after: $0, top: UInt32(top)) }
        }
        var events: [GenerationEvent] = [.prompt(choices: choices ?? [])]
        guard request.tokensMax > 0 else { return events + [.finished(.length)] }
        while true {
            let next = token(after: log[...], seed: request.sampling.seed)
            if request.stopTokens.contains(next) { return events + [.finished(.stopToken(next))] }
            events.append(.token(choice(next, after: log.count, top: request.sampling.topLogprobs)))
            log.append(next)
            if log.count - request.prompt.count == request.tokensMax || log.count == contextTokensMax {
                return events + [.finished(.length)]
            }
        }
    }

    /// Takes a step's rows into the caches.
    mutating func apply(_ step: Step) throws(Failure) {
        for run in step.runs {
            var cache = caches[run.sequenceID] ?? []
            if cache.count < Int(run.position), let parent = run.parentID.flatMap({ caches[$0] }) {
                cache = Array(parent.prefix(Int(run.position)))
            }
            guard Int(run.position) <= cache.count, !run.tokens.isEmpty else {
                throw Failure(
                    kind: .gap, reason: "sequence \(run.sequenceID) has \(cache.count) tokens, not \(run.position)",
                    shard: "b", epoch: step.epoch, stepID: step.stepID, sequenceID: run.sequenceID)
            }
            caches[run.sequenceID] = cache.prefix(Int(run.position)) + run.tokens
        }
    }

    /// The result of a step whose rows were taken in.
    func result(of step: Step) -> StepResult {
        StepResult(
            epoch: step.epoch, stepID: step.stepID,
            runs: step.runs.map { run in
                let cache = caches[run.sequenceID] ?? []
                let end = Int(run.position) + run.tokens.count
                let sampled = run.sampling.map {
                    Self.choice(Self.token(after: cache[..<end], seed: $0.seed), after: end, top: $0.topLogprobs)
                }
                let prompt = run.promptLogprobs.map { wanted in
                    let following = run.tokens.dropFirst() + (wanted.nextToken.map { [$0] } ?? [])
                    return following.enumerated().map {
                        Self.choice($1, after: Int(run.position) + $0 + 1, top: wanted.top)
                    }
                }
                return RunResult(
                    sequenceID: run.sequenceID, position: UInt32(end), sampled: sampled, prompt: prompt ?? [])
            })
    }

    mutating func answer(_ step: Step) throws(Failure) -> StepResult {
        try apply(step)
        return result(of: step)
    }

    mutating func forget(_ ids: [UInt64]) {
        for id in ids { caches[id] = nil }
    }

    mutating func forgetAll() {
        caches = [:]
    }
}

extension GenerationEvent {
    /// The same, whatever was taken from other sequences' caches.
    var plain: GenerationEvent {
        if case .prompt(let choices, _) = self { .prompt(choices: choices) } else { self }
    }
}

/// A generator of numbers that is the same on every run.
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
