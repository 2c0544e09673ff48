// The sampler against its plain definition, and where it is decided by hand.

import Glibc
import Testing

@testable import Sampling

@Suite struct SamplerTests {
    /// Random parameters over random logits: the token drawn is the one the definition draws with the same random
    /// number.
    @Test(arguments: 1...8) func drawsWhatTheDefinitionDraws(seed: UInt64) {
        var random = SplitMix(state: seed)
        var scratch = SamplerScratch()
        var compared = 0
        for _ in 0..<60 {
            let count = [3, 8, 50, 400, 1500].randomElement(using: &random) ?? 8
            let spread = Float.random(in: 0.3...4, using: &random)
            var logits = (0..<count).map { _ in random.logit(spread: spread) }
            var history = TokenHistory(promptCount: 3)
            history.append(contentsOf: (0..<8).map { _ in UInt32.random(in: 0..<UInt32(count), using: &random) })
            let parameters = parameters {
                $0.temperature = Float.random(in: 0.2...2, using: &random)
                $0.topK = Bool.random(using: &random) ? Int.random(in: 1...count + 2, using: &random) : 0
                $0.topP = Bool.random(using: &random) ? Float.random(in: 0.05...1, using: &random) : 1
                $0.minP = Bool.random(using: &random) ? Float.random(in: 0...0.3, using: &random) : 0
                $0.seed = random.next()
                if Bool.random(using: &random) {
                    $0.presencePenalty = Float.random(in: -2...2, using: &random)
                    $0.frequencyPenalty = Float.random(in: -2...2, using: &random)
                    $0.repetitionPenalty = Float.random(in: 0.5...2, using: &random)
                    $0.logitBias = [(0, 1.5), (UInt32(count) + 5, 3), (0, 0.25)]
                    $0.bannedTokens = [2, UInt32(count)]
                }
            }
            let before = logits
            let reference = ReferenceSampler(logits, parameters, history)
            for position in 0..<4 {
                let sampled = logits.withUnsafeMutableBufferPointer {
                    Sampler.sample(
                        logits: $0, parameters: parameters, history: history, position: position, scratch: &scratch)
                }
                #expect(logits == before)
                let uniform = RandomDraw.uniform(seed: parameters.seed, position: position)
                guard let expected = reference.token(at: uniform) else { continue }
                #expect(Int(sampled.id) == expected, "\(parameters)")
                compared += 1
            }
        }
        #expect(compared > 200)
    }

    /// Pearson's statistic over 10,000 draws. The draws are fixed, so it cannot fail by bad luck; with 19 degrees of
    /// freedom a sound sampler exceeds 43.8 once in a thousand.
    @Test(arguments: [
        (Float(1), 0, Float(1), Float(0)), (0.7, 12, 1, 0), (1.5, 0, 0.8, 0), (1, 0, 1, 0.1), (0.9, 15, 0.9, 0.02),
    ])
    func frequenciesFollowTheDistribution(temperature: Float, topK: Int, topP: Float, minP: Float) {
        var random = SplitMix(state: 5)
        let logits = (0..<20).map { _ in random.logit(spread: 1) }
        let parameters = parameters {
            $0.temperature = temperature
            $0.topK = topK
            $0.topP = topP
            $0.minP = minP
            $0.seed = 99
        }
        let draws = 10_000
        var counts: [Int: Int] = [:]
        for position in 0..<draws { counts[Int(sample(logits, parameters, position: position).id), default: 0] += 1 }
        var statistic = 0.0
        for (id, probability) in ReferenceSampler(logits, parameters).distribution {
            let expected = probability * Double(draws)
            let difference = Double(counts.removeValue(forKey: id) ?? 0) - expected
            statistic += difference * difference / expected
        }
        #expect(counts.isEmpty, "drew tokens that were filtered out")
        #expect(statistic < 43.8)
    }

    @Test func greedyTakesTheLikeliestAndOfEqualsTheLowest() {
        #expect(sample([1, 3, 2, 3], SamplingParameters()).id == 1)
        #expect(sample([5, 5, 5], SamplingParameters()).id == 0)
        #expect(sample([1, 3, 2, 3], parameters { $0.temperature = 9e-6 }).id == 1)
        #expect(sample([1, 3, 2, 3], parameters { $0.temperature = .nan }).id == 1)
        #expect(sample([1, 3, 2, 3], parameters { $0.temperature = -1 }).id == 1)
        #expect(sample([1, 3, 2, 3], parameters { $0.bannedTokens = [1] }).id == 3)
        #expect(sample([1, 3, 2, 3], parameters { $0.logitBias = [(2, 1.5)] }).id == 2)
        #expect(sample([1, 3, 2, 3], parameters { $0.logitBias = [(1, -.infinity), (3, -.infinity)] }).id == 2)
    }

    /// Every token that many positions can draw.
    private func support(_ logits: [Float], _ change: (inout SamplingParameters) -> Void) -> Set<UInt32> {
        let parameters = parameters {
            $0.temperature = 1
            change(&$0)
        }
        return Set((0..<300).map { sample(logits, parameters, position: $0).id })
    }

    @Test func topPKeepsTheTokenThatReachesIt() {
        let uniform = [Float](repeating: 2, count: 4)
        #expect(support(uniform) { $0.topP = 0.5 } == [0, 1])
        #expect(support(uniform) { $0.topP = 0.500001 } == [0, 1, 2])
        #expect(support(uniform) { $0.topP = 0.25 } == [0])
        #expect(support(uniform) { $0.topP = 0 } == [0])
        #expect(support(uniform) { $0.topP = -1 } == [0])
        #expect(support(uniform) { $0.topP = 1 } == [0, 1, 2, 3])
        #expect(support(uniform) { $0.topP = .nan } == [0, 1, 2, 3])
        #expect(support(uniform) { $0.topP = 0.9999999 } == [0, 1, 2, 3])
        // One token has more than top-p wants.
        #expect(support([10, 0, 0]) { $0.topP = 0.5 } == [0])
    }

    /// Top-p counts probability among what top-k and min-p left.
    @Test func topPComesAfterTheOtherFilters() {
        let logits: [Float] = [2, 2, 2, 2, 0, 0, 0, 0]
        #expect(support(logits) { ($0.topK, $0.topP) = (2, 0.5) } == [0])
        #expect(support(logits) { ($0.topK, $0.topP) = (3, 0.6) } == [0, 1])
        #expect(support(logits) { ($0.minP, $0.topP) = (0.5, 0.75) } == [0, 1, 2])
        #expect(support(logits) { ($0.minP, $0.topK, $0.topP) = (0.5, 6, 0.5) } == [0, 1])
    }

    /// A distribution so flat that its nucleus is most of the vocabulary: the first, small selection does not suffice.
    @Test func topPOfAFlatDistributionIsExact() {
        var random = SplitMix(state: 3)
        let logits = (0..<3000).map { _ in random.logit(spread: 0.05) }
        let parameters = parameters { ($0.temperature, $0.topP, $0.seed) = (1, 0.9, 7) }
        let reference = ReferenceSampler(logits, parameters)
        #expect(reference.distribution.count > 2000)
        for position in 0..<60 {
            let uniform = RandomDraw.uniform(seed: 7, position: position)
            guard let expected = reference.token(at: uniform) else { continue }
            #expect(Int(sample(logits, parameters, position: position).id) == expected)
        }
    }

    @Test func topKKeepsExactlyThatManyOfEquals() {
        #expect(support([1, 2, 2, 2]) { $0.topK = 2 } == [1, 2])
        #expect(support([1, 2, 2, 2]) { $0.topK = 1 } == [1])
        #expect(support([1, 2, 2, 2]) { $0.topK = 4 } == [0, 1, 2, 3])
        #expect(support([1, 2, 2, 2]) { $0.topK = -1 } == [0, 1, 2, 3])
        #expect(support([1, 2, 2, 2]) { $0.topK = .max } == [0, 1, 2, 3])
    }

    @Test func minPIsRelativeToTheLikeliest() {
        let logits: [Float] = [0, -0.692, -1.385, -2.079]  // 1, and a little above 1/2, 1/4 and 1/8
        #expect(support(logits) { $0.minP = 0.5 } == [0, 1])
        #expect(support(logits) { $0.minP = 0.25 } == [0, 1, 2])
        #expect(support(logits) { $0.minP = 1 } == [0])
        #expect(support(logits) { $0.minP = 7 } == [0])
        #expect(support([1, 3, 3]) { $0.minP = 1 } == [1, 2])
        #expect(support(logits) { $0.minP = .nan } == [0, 1, 2, 3])
        // Temperature first: at 2 the ratio 0.25 becomes 0.5.
        #expect(support(logits) { ($0.temperature, $0.minP) = (2, 0.5) } == [0, 1, 2])
    }

    @Test func biasComesBeforePenaltiesAndPenaltiesCountOutputOnly() {
        var history = TokenHistory(promptCount: 1)
        history.append(contentsOf: [0, 1, 1])
        // Token 0 is prompt alone: presence and frequency leave it alone.
        #expect(
            sample([1, 0.9], parameters { ($0.presencePenalty, $0.frequencyPenalty) = (1, 1) }, history: history).id
                == 0)
        #expect(sample([1, 1.5, 0], parameters { $0.frequencyPenalty = 0.2 }, history: history).id == 1)
        #expect(sample([1, 1.5, 0], parameters { $0.frequencyPenalty = 0.3 }, history: history).id == 0)
        #expect(sample([1, 1.5, 0], parameters { $0.presencePenalty = 0.6 }, history: history).id == 0)
        // Repetition concerns the prompt too, and multiplies what is negative.
        #expect(sample([1, 1, 0.6], parameters { $0.repetitionPenalty = 2 }, history: history).id == 2)
        #expect(sample([-1, -1, -1.5], parameters { $0.repetitionPenalty = 2 }, history: history).id == 2)
        // 0.5 + 1, halved, against 0.9; were the bias added afterwards, token 0 would win.
        #expect(
            sample(
                [0.5, -9, 0.9], parameters { ($0.repetitionPenalty, $0.logitBias) = (2, [(0, 1)]) }, history: history
            ).id == 2)
    }

    @Test func logprobsAreThoseOfTheModelsOwnLogits() {
        var random = SplitMix(state: 8)
        let logits = (0..<700).map { _ in random.logit(spread: 3) }
        let maximum = logits.map(Double.init).max() ?? 0
        let logSum = maximum + log(logits.reduce(0.0) { $0 + exp(Double($1) - maximum) })
        let order = logits.indices.sorted { (logits[$0], $1) > (logits[$1], $0) }
        let parameters = parameters {
            $0.temperature = 3
            $0.bannedTokens = [UInt32(order[0])]
            $0.logitBias = [(UInt32(order[1]), -4)]
            $0.topLogprobs = 20
        }
        for position in 0..<20 {
            let sampled = sample(logits, parameters, position: position)
            #expect(sampled.top.map { Int($0.id) } == Array(order.prefix(20)))
            #expect(abs(Double(sampled.logprob) - (Double(logits[Int(sampled.id)]) - logSum)) < 2e-6)
            for token in sampled.top {
                #expect(abs(Double(token.logprob) - (Double(logits[Int(token.id)]) - logSum)) < 2e-6)
            }
            let known = logits.withUnsafeBufferPointer { Sampler.logprob(of: sampled.id, logits: $0, top: 20) }
            #expect(known == sampled)
        }
        #expect(sample(logits, SamplingParameters()).top.isEmpty)
    }

    @Test func equalAlternativesAreOrderedById() {
        let logits = [Float](repeating: 1, count: 1000)
        let top = sample(logits, parameters { $0.topLogprobs = 3 }).top
        #expect(top.map(\.id) == [0, 1, 2])
        #expect(sample([1, 2], parameters { $0.topLogprobs = 20 }).top.map(\.id) == [1, 0])
    }

    private static let brokenRows: [[Float]] = [
        [.nan, 1, 2], [.infinity, 1, .infinity], [-.infinity, -.infinity, 3], [.nan, .nan], [-.infinity, -.infinity],
        [.infinity, .nan, -.infinity], [.greatestFiniteMagnitude, -.greatestFiniteMagnitude], [0],
    ]

    /// Whatever a broken model delivers, a possible token comes out and every log-probability is finite.
    @Test(arguments: brokenRows)
    func brokenLogitsAreSurvived(logits: [Float]) {
        for temperature in [0, 1] as [Float] {
            for (topK, topP, minP) in [(0, 1, 0), (1, 1, 0), (0, 0.5, 0), (0, 1, 0.5)] as [(Int, Float, Float)] {
                let parameters = parameters {
                    ($0.temperature, $0.topK, $0.topP, $0.minP, $0.topLogprobs) = (temperature, topK, topP, minP, 5)
                }
                let sampled = sample(logits, parameters)
                let possible = logits.indices.filter { !logits[$0].isNaN && logits[$0] > -.infinity }
                #expect(possible.isEmpty ? Int(sampled.id) < logits.count : possible.contains(Int(sampled.id)))
                #expect(sampled.logprob.isFinite && sampled.top.allSatisfy { $0.logprob.isFinite })
                let known = logits.withUnsafeBufferPointer { Sampler.logprob(of: 9, logits: $0, top: 5) }
                #expect(known.logprob == SampledToken.logprobMin && known.top == sampled.top)
            }
        }
    }

    @Test func everythingBannedOrNothingThereIsSurvived() {
        #expect(sample([1, 2], parameters { ($0.temperature, $0.bannedTokens) = (1, [0, 1]) }).id == 1)
        #expect(sample([], SamplingParameters()) == SampledToken(id: 0, logprob: SampledToken.logprobMin))
        let empty = UnsafeBufferPointer<Float>(start: nil, count: 0)
        #expect(Sampler.logprob(of: 0, logits: empty, top: 3).logprob == SampledToken.logprobMin)
        #expect(
            sample([1, 2], parameters { ($0.temperature, $0.logitBias) = (1, [(0, .nan), (1, .infinity)]) }).id == 1)
    }

    /// Neither what the scratch was used for nor what else was sampled matters.
    @Test func theSameInputDrawsTheSameToken() {
        var random = SplitMix(state: 21)
        var logits = (0..<500).map { _ in random.logit(spread: 2) }
        let parameters = parameters { ($0.temperature, $0.topP, $0.seed, $0.topLogprobs) = (1, 0.95, 4, 2) }
        let fresh = (0..<50).map { sample(logits, parameters, position: $0) }
        var scratch = SamplerScratch()
        let reused = (0..<50).reversed().map { position in
            logits.withUnsafeMutableBufferPointer {
                Sampler.sample(
                    logits: $0, parameters: parameters, history: TokenHistory(), position: position, scratch: &scratch)
            }
        }
        #expect(fresh == reused.reversed())
        #expect(Set(fresh.map(\.id)).count > 10)
        var otherSeed = parameters
        otherSeed.seed = 5
        #expect((0..<50).map { sample(logits, otherSeed, position: $0) } != fresh)
    }
}
