// The summary of a row of logits.

import CKernels
import Glibc
import Testing

extension KernelTests {
    @Suite struct Logits {
        private func summary(_ logits: [Float]) -> ck_logits_summary { ck_summarize_logits(logits, logits.count) }

        @Test(arguments: [1, 2, 15, 16, 17, 1000, 151_936]) func summariesAreRight(count: Int) {
            var random = RandomSource(seed: 1)
            let logits = random.floats(count).map { $0 * 20 }
            let largest = logits.max()!
            let sum = logits.reduce(0.0) { $0 + Glibc.exp(Double($1) - Double(largest)) }
            expectSameEverywhere("\(count) logits") { _ in
                let summary = summary(logits)
                #expect(summary.maximum == largest)
                #expect(Int(summary.maximum_index) == logits.firstIndex(of: largest)!)
                expectClose(summary.log_sum_exp, Double(largest) + Glibc.log(sum), 2e-7)
                return [summary.maximum, Float(summary.maximum_index), summary.log_sum_exp]
            }
        }

        @Test func ofEqualMaximaTheFirstIsNamed() {
            var logits = [Float](repeating: -1, count: 100)
            for at in [97, 33, 50] { logits[at] = 2 }
            expectSameEverywhere("equal maxima") { _ in
                let summary = summary(logits)
                #expect(summary.maximum_index == 33)
                return [summary.log_sum_exp]
            }
        }

        @Test func excludedTokensCountForNothing() {
            var logits = [Float](repeating: -.infinity, count: 50)
            logits[20] = 3
            expectSameEverywhere("one logit left") { _ in
                let summary = summary(logits)
                #expect(summary.maximum == 3 && summary.maximum_index == 20 && summary.log_sum_exp == 3)
                return [summary.log_sum_exp]
            }
            expectSameEverywhere("no logit left") { _ in
                let summary = summary([Float](repeating: -.infinity, count: 50))
                #expect(summary.maximum == -.infinity && summary.log_sum_exp == -.infinity)
                return [summary.log_sum_exp]
            }
        }

        @Test func aNaNShows() {
            var logits = [Float](repeating: 1, count: 50)
            logits[7] = .nan
            expectSameEverywhere("a NaN") { _ in
                let summary = summary(logits)
                #expect(summary.log_sum_exp.isNaN)
                return [summary.maximum]
            }
        }
    }
}
