// The sampler's definition, written down plainly in double precision.

import Glibc

@testable import Sampling

/// Everything sorted, nothing fast.
struct ReferenceSampler {
    /// Token and probability after all filters: descending where top-k or top-p sort them, by id otherwise.
    let distribution: [(id: Int, probability: Double)]

    init(_ raw: [Float], _ parameters: SamplingParameters, _ history: TokenHistory = TokenHistory()) {
        var logits = raw.map(Double.init)
        for (token, bias) in parameters.logitBias where token < logits.count { logits[Int(token)] += Double(bias) }
        let prompt = Set(history.tokens.prefix(history.promptCount))
        let output = history.tokens.dropFirst(history.promptCount)
        for id in logits.indices {
            let token = UInt32(id)
            let generated = output.filter { $0 == token }.count
            if prompt.contains(token) || generated > 0 {
                let penalty = Double(parameters.repetitionPenalty)
                logits[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty
            }
            logits[id] -= Double(parameters.frequencyPenalty) * Double(generated)
            logits[id] -= generated > 0 ? Double(parameters.presencePenalty) : 0
            if parameters.bannedTokens.contains(token) { logits[id] = -.infinity }
        }
        let order = logits.indices.sorted { (logits[$0], $1) > (logits[$1], $0) }
        guard parameters.temperature >= SamplingParameters.greedyTemperatureMax else {
            distribution = [(order[0], 1)]
            return
        }
        let maximum = logits[order[0]]
        var tokens = order.map { (id: $0, weight: exp((logits[$0] - maximum) / Double(parameters.temperature))) }
        tokens.removeAll { $0.weight < Double(parameters.minP) }
        if parameters.topK > 0 { tokens = Array(tokens.prefix(parameters.topK)) }
        if parameters.topP < 1 {
            let total = tokens.reduce(0) { $0 + $1.weight }
            var before = 0.0
            var kept = 0
            while kept < tokens.count, kept == 0 || before < Double(parameters.topP) * total {
                before += tokens[kept].weight
                kept += 1
            }
            tokens = Array(tokens.prefix(kept))
        }
        let total = tokens.reduce(0) { $0 + $1.weight }
        let sorts = (parameters.topK > 0 && parameters.topK < raw.count) || parameters.topP < 1
        if !sorts { tokens.sort { $0.id < $1.id } }
        distribution = tokens.map { ($0.id, $0.weight / total) }
    }

    /// The token at which the running sum passes `random`; `nil` where that is too close to call in single precision.
    func token(at random: Double) -> Int? {
        var passed = 0.0
        for (id, probability) in distribution {
            if abs(passed - random) < 1e-6 && passed > 0 { return nil }
            passed += probability
            if abs(passed - random) < 1e-6 && passed < 1 - 1e-9 { return nil }
            if passed > random { return id }
        }
        return distribution.last?.id
    }
}

/// Random numbers from one seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Roughly bell-shaped around 0, as logits are.
    mutating func logit(spread: Float) -> Float {
        (0..<4).reduce(Float(0)) { sum, _ in sum + Float.random(in: -1...1, using: &self) } * spread
    }
}

/// Samples from a copy of `logits`.
func sample(
    _ logits: [Float], _ parameters: SamplingParameters, history: TokenHistory = TokenHistory(), position: Int = 0
) -> SampledToken {
    var logits = logits
    var scratch = SamplerScratch()
    return logits.withUnsafeMutableBufferPointer {
        Sampler.sample(logits: $0, parameters: parameters, history: history, position: position, scratch: &scratch)
    }
}

func parameters(_ change: (inout SamplingParameters) -> Void) -> SamplingParameters {
    var parameters = SamplingParameters()
    change(&parameters)
    return parameters
}
