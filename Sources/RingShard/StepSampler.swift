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
        case sample(run: Int)
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
            results.append(
                RunResult(
                    sequenceID: run.sequenceID, position: run.position + UInt32(run.tokens.count), sampled: nil))
            if let prompt = run.promptLogprobs {
                let targets = run.tokens.dropFirst() + (prompt.nextToken.map { [$0] } ?? [])
                for (offset, target) in targets.enumerated() {
                    wants.append((firstRow + offset, .promptLogprob(run: index, target: target)))
                }
            }
            if run.sampling != nil { wants.append((firstRow + run.tokens.count - 1, .sample(run: index))) }
            firstRow += run.tokens.count
        }
        for begin in stride(from: 0, to: wants.count, by: Self.rowsMax) {
            let slice = wants[begin..<min(begin + Self.rowsMax, wants.count)]
            let mark = compute.arena.mark()
            defer { compute.arena.release(to: mark) }
            let logits = try head.logits(hidden, rows: slice.map(\.row))
            for (row, (_, want)) in slice.enumerated() {
                answer(want, step, logits[row], sessions, &results)
            }
        }
        return results
    }

    private func answer(
        _ want: Want, _ step: Step, _ logits: UnsafeMutableBufferPointer<Float>, _ sessions: [Session],
        _ results: inout [RunResult]
    ) {
        switch want {
        case .promptLogprob(let run, let target):
            let top = Int(step.runs[run].promptLogprobs?.top ?? 0)
            let choice = Sampler.logprob(of: target, logits: UnsafeBufferPointer(logits), top: top)
            results[run].prompt.append(TokenChoice(choice))
        case .sample(let run):
            guard let sampling = step.runs[run].sampling else { return }
            let position = Int(results[run].position)
            let choice = Sampler.sample(
                logits: logits, parameters: SamplingParameters(sampling), history: sessions[run].history,
                position: position, scratch: &scratch)
            results[run].sampled = TokenChoice(choice)
        }
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
