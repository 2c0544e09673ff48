// From the last hidden states of a step to the tokens its sequences go on with.

import Models
import Sampling
import Tensors
import Wire

/// Chooses tokens and looks up log-probabilities. Not thread-safe.
final class StepSampler {
    /// Rows whose logits are in memory at a time: 32 rows of the largest vocabularies take some 30 MB.
    static let rowsMax = 32

    private let vocabularySize: Int
    private var scratch = SamplerScratch()

    init(vocabularySize: Int) {
        self.vocabularySize = vocabularySize
    }

    /// A row whose logits are wanted, and what for.
    private enum Want {
        /// - Parameter draft: the guess for the token that is sampled here, if there is one.
        case sample(run: Int, draft: UInt32?)
        case promptLogprob(run: Int, target: UInt32)
    }

    /// - Parameters:
    ///   - hidden: after the last layer, `[row, hidden]`, rows in the order of the runs' tokens.
    ///   - sessions: one for each run.
    func results(
        for step: Step, _ hidden: Tensor, head: OutputHead, sessions: [Session], compute: Compute
    ) throws -> [RunResult] {
        var wants: [(row: Int, want: Want)] = []
        var results: [RunResult] = []
        var firstRow = 0
        for (index, run) in step.runs.enumerated() {
            sessions[index].remember(run)
            let settledCount = run.tokens.count - run.draftCount
            results.append(RunResult(sequenceID: run.sequenceID, position: run.position + UInt32(settledCount)))
            if let prompt = run.promptLogprobs {
                let targets = run.tokens.dropFirst() + (prompt.nextToken.map { [$0] } ?? [])
                for (offset, target) in targets.enumerated() {
                    wants.append((firstRow + offset, .promptLogprob(run: index, target: target)))
                }
            }
            if run.sampling != nil {
                for offset in settledCount..<run.tokens.count {
                    wants.append((firstRow + offset - 1, .sample(run: index, draft: run.tokens[offset])))
                }
                wants.append((firstRow + run.tokens.count - 1, .sample(run: index, draft: nil)))
            }
            firstRow += run.tokens.count
        }
        // Runs whose next draft has turned out wrong: their other rows are of no use.
        var isOver = [Bool](repeating: false, count: step.runs.count)
        var remaining = wants[...]
        while !remaining.isEmpty {
            let slice = remaining.prefix(Self.rowsMax)
            let mark = compute.arena.mark()
            defer { compute.arena.release(to: mark) }
            let logits = try head.logits(hidden, rows: slice.map(\.row))
            for (row, (_, want)) in slice.enumerated() {
                switch want {
                case .promptLogprob(let run, let target):
                    let top = Int(step.runs[run].promptLogprobs?.top ?? 0)
                    let choice = Sampler.logprob(of: target, logits: UnsafeBufferPointer(logits[row]), top: top)
                    results[run].prompt.append(TokenChoice(choice))
                case .sample(let run, let draft):
                    guard !isOver[run], let sampling = step.runs[run].sampling else { continue }
                    let choice = sample(logits[row], sampling, after: sessions[run], for: &results[run])
                    if choice.id == draft {
                        sessions[run].history.append(choice.id)
                    } else {
                        isOver[run] = true
                    }
                }
            }
            remaining = remaining.dropFirst(slice.count)
            // Drafts that are already known to be wrong cost no more logits.
            remaining.removeAll { if case .sample(let run, _) = $0.want { isOver[run] } else { false } }
        }
        return results
    }

    /// Samples the token after those that `session` knows.
    private func sample(
        _ logits: UnsafeMutableBufferPointer<Float>, _ sampling: Wire.Sampling, after session: Session,
        for result: inout RunResult
    ) -> SampledToken {
        let choice = Sampler.sample(
            logits: logits, parameters: SamplingParameters(sampling), history: session.history,
            position: Int(result.position) + result.sampled.count, scratch: &scratch)
        result.sampled.append(TokenChoice(choice))
        return choice
    }
}

extension TokenChoice {
    init(_ sampled: SampledToken) {
        self.init(
            token: sampled.id, logprob: sampled.logprob,
            top: sampled.top.map { Wire.TokenLogprob(token: $0.id, logprob: $0.logprob) })
    }
}

extension SamplingParameters {
    init(_ sampling: Wire.Sampling) {
        self.init()
        temperature = sampling.temperature
        topK = Int(sampling.topK)
        topP = sampling.topP
        minP = sampling.minP
        seed = sampling.seed
        presencePenalty = sampling.presencePenalty
        frequencyPenalty = sampling.frequencyPenalty
        repetitionPenalty = sampling.repetitionPenalty
        topLogprobs = Int(sampling.topLogprobs)
        logitBias = sampling.logitBias.map { (token: $0.token, bias: $0.bias) }
        bannedTokens = sampling.bannedTokens
    }
}
