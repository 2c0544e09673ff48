// Chooses the next token from a row of logits.

internal import CKernels

/// Sampling as a pure function of logits, parameters, history and position. The semantics are vLLM's: bias and
/// penalties, then temperature, min-p, top-k, top-p, then a draw; log-probabilities are those of the untouched logits.
///
/// The same input gives the same bits on every machine: sums have a fixed order, exponentials are our own, the random
/// number comes from seed and position. Where tokens are equally likely the lower id goes first: in greedy choice, and
/// at the edge of top-k and top-p.
public enum Sampler {
    /// Tokens in which top-p's nucleus is looked for first: of the peaked distributions of a language model they nearly
    /// always hold 95 %.
    private static let nucleusGuess = 256

    /// Chooses a token.
    /// - Parameters:
    ///   - logits: `[vocabulary]`. Used as working memory; holds the same afterwards, save that NaN and +∞ are replaced
    ///   by what they count
    ///     as: impossible, and the largest number.
    ///   - history: the tokens before `position`.
    ///   - position: index of the chosen token in its sequence.
    public static func sample(
        logits: UnsafeMutableBufferPointer<Float>, parameters: SamplingParameters, history: TokenHistory, position: Int,
        scratch: inout SamplerScratch
    ) -> SampledToken {
        guard !logits.isEmpty else { return SampledToken(id: 0, logprob: SampledToken.logprobMin) }
        let row = UnsafeBufferPointer(logits)
        var summary = ck_summarize_logits(row.baseAddress, row.count)
        if !summary.log_sum_exp.isFinite {
            repair(logits)
            summary = ck_summarize_logits(row.baseAddress, row.count)
        }
        var chosen = summary.maximum_index
        if parameters.changesLogits {
            scratch.adjustments.apply(parameters, history, to: logits)
            TopSelection.largest(1, of: row, into: &scratch.candidates)
            if let likeliest = scratch.candidates.first {
                chosen = choose(row, parameters, likeliest: likeliest, position, &scratch)
            }
            scratch.adjustments.undo(on: logits)
        } else {
            let likeliest = Candidate(id: summary.maximum_index, logit: summary.maximum)
            chosen = choose(row, parameters, likeliest: likeliest, position, &scratch)
        }
        return report(chosen, row, summary, top: parameters.topLogprobs ?? 0, &scratch)
    }

    /// The log-probability of a token that is already known, as for the tokens of a prompt.
    /// - Parameters:
    ///   - target: the token; one outside the vocabulary is impossible.
    ///   - logits: `[vocabulary]`.
    ///   - top: how many alternatives to report.
    public static func logprob(of target: UInt32, logits: UnsafeBufferPointer<Float>, top: Int) -> SampledToken {
        var scratch = SamplerScratch()
        let summary = ck_summarize_logits(logits.baseAddress, logits.count)
        if summary.log_sum_exp.isFinite || logits.isEmpty {
            return report(target, logits, summary, top: top, &scratch)
        }
        var repaired = Array(logits)
        return repaired.withUnsafeMutableBufferPointer { row in
            repair(row)
            let row = UnsafeBufferPointer(row)
            return report(target, row, ck_summarize_logits(row.baseAddress, row.count), top: top, &scratch)
        }
    }

    /// Replaces what is no number. A row without any possible token becomes one in which all are equally likely.
    private static func repair(_ logits: UnsafeMutableBufferPointer<Float>) {
        for index in logits.indices { logits[index] = logits[index].asLogit }
        if logits.allSatisfy({ $0 == -.infinity }) { logits.update(repeating: 0) }
    }

    private static func report(
        _ id: UInt32, _ logits: UnsafeBufferPointer<Float>, _ summary: ck_logits_summary, top: Int,
        _ scratch: inout SamplerScratch
    ) -> SampledToken {
        func logprob(_ logit: Float) -> Float { max(logit - summary.log_sum_exp, SampledToken.logprobMin) }
        TopSelection.largest(min(top, logits.count), of: logits, into: &scratch.top)
        return SampledToken(
            id: id, logprob: id < logits.count ? logprob(logits[Int(id)]) : SampledToken.logprobMin,
            top: scratch.top.map { TokenLogprob(id: $0.id, logprob: logprob($0.logit)) })
    }

    // MARK: - Choice

    private static func choose(
        _ logits: UnsafeBufferPointer<Float>, _ parameters: SamplingParameters, likeliest: Candidate, _ position: Int,
        _ scratch: inout SamplerScratch
    ) -> UInt32 {
        guard !parameters.isGreedy else { return likeliest.id }
        let relative = RelativeWeights(
            maximum: likeliest.logit, inverseTemperature: 1 / parameters.temperature,
            minP: parameters.filtersMinP ? min(parameters.minP, 1) : 0)
        let random = RandomDraw.uniform(seed: parameters.seed, position: position)
        if parameters.topK > 0, parameters.topK < logits.count {
            TopSelection.largest(parameters.topK, of: logits, into: &scratch.candidates)
            var kept = weigh(relative, &scratch.candidates)
            if parameters.filtersTopP { kept = keep(parameters.topP, of: kept, &scratch.candidates) }
            return draw(random * kept, &scratch.candidates) ?? likeliest.id
        }
        let total = relative.sum(logits, blockSums: &scratch.blockSums)
        if parameters.filtersTopP {
            let kept = selectNucleus(parameters.topP, of: total, relative, logits, &scratch.candidates)
            return draw(random * kept, &scratch.candidates) ?? likeliest.id
        }
        return relative.token(at: random * total, in: logits, blockSums: scratch.blockSums) ?? likeliest.id
    }

    /// The likeliest tokens that together have `topP` of the weight `total` of all.
    /// - Returns: their weight.
    private static func selectNucleus(
        _ topP: Float, of total: Double, _ relative: RelativeWeights, _ logits: UnsafeBufferPointer<Float>,
        _ candidates: inout [Candidate]
    ) -> Double {
        TopSelection.largest(nucleusGuess, of: logits, into: &candidates)
        if weigh(relative, &candidates) < Double(topP) * total {
            candidates.removeAll(keepingCapacity: true)
            for (index, logit) in logits.enumerated() {
                let weight = relative.weight(of: logit)
                guard weight > 0 else { continue }
                candidates.append(Candidate(id: UInt32(truncatingIfNeeded: index), logit: logit, weight: weight))
            }
        }
        return keep(topP, of: total, &candidates)
    }

    /// Weighs candidates, which are sorted, and drops those without weight.
    /// - Returns: the sum.
    private static func weigh(_ relative: RelativeWeights, _ candidates: inout [Candidate]) -> Double {
        var total = 0.0
        for index in candidates.indices {
            let weight = relative.weight(of: candidates[index].logit)
            guard weight > 0 else {
                candidates.removeLast(candidates.count - index)
                break
            }
            candidates[index].weight = weight
            total += Double(weight)
        }
        return total
    }

    /// Drops the candidates after those that reach `topP` of `total`; the likeliest stays in any case.
    /// - Returns: the weight of those left.
    private static func keep(_ topP: Float, of total: Double, _ candidates: inout [Candidate]) -> Double {
        let enough = Double(topP) * total
        guard let last = WeightedSelection.first(in: &candidates, where: { $0 >= enough }) else { return 0 }
        candidates.removeLast(candidates.count - last.index - 1)
        return last.sum
    }

    /// The candidate at which the running sum of weights, the likeliest first, passes `target`.
    private static func draw(_ target: Double, _ candidates: inout [Candidate]) -> UInt32? {
        let drawn = WeightedSelection.first(in: &candidates) { $0 > target }
        return drawn.map { candidates[$0.index].id }
    }
}
