// What the standard mode's rounding costs: how much more surprised it is by a text than the exact mode.

import Foundation
import Models
import Tensors
import Testing

@Suite struct RoundingLossTests {
    /// The mean divergence of the next token's distribution is the logarithm of what a text that the exact model writes
    /// gains in perplexity when the standard mode reads it. Some 0.01 % where only the cache is rounded, 0.1 % where
    /// rows are rounded to bf16, 0.2 % where they are rounded to 8 bits, up to twice that where experts are chosen by
    /// them, and 1.4 % where heads come out of a narrow latent as well: these models are of random weights, far less
    /// sure of themselves than trained ones.
    @Test(arguments: TestCheckpoint.own + TestCheckpoint.reference)
    func standardModeIsHardlyMoreSurprised(_ checkpoint: TestCheckpoint) throws {
        let loaded = try LoadedModel(directory: checkpoint.directory)
        let tokens = BatchInvarianceTests.tokens
        let exact = try Bench(loaded, .exact, threads: 2).logits(tokens, chunk: tokens.count)

        let standard = try Bench(loaded, .standard, threads: 2).logits(tokens, chunk: tokens.count)

        let divergences = zip(exact, standard).map { Self.divergence(of: $1, from: $0) }
        let mean = divergences.reduce(0, +) / Double(divergences.count)
        #expect(exp(mean) - 1 <= checkpoint.perplexityGainMax, "\(exp(mean) - 1)")
        // And it is in use, in every model.
        #expect(mean > 0)
    }

    /// Kullback–Leibler, in nats.
    private static func divergence(of logits: [Float], from reference: [Float]) -> Double {
        let (p, q) = (logProbabilities(reference), logProbabilities(logits))
        return zip(p, q).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
    }

    private static func logProbabilities(_ logits: [Float]) -> [Double] {
        let sum = log(logits.reduce(0) { $0 + exp(Double($1)) })
        return logits.map { Double($0) - sum }
    }
}
