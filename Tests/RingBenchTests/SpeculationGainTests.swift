// What drafts are worth, counted in steps and rows instead of seconds: the same on every machine and every run.

import FoundationEssentials
import Testing

@testable import RingAPI
@testable import ring_bench

/// The texts that `ring-bench speculation` measures, on a machine whose steps take what they took on two cores of an
/// EPYC for a 4-bit model of Qwen3-0.6B's shape.
@Suite struct SpeculationGainTests {
    /// Milliseconds of a step by its rows; panels begin at the fourth.
    private static let measured: [(rows: Int, milliseconds: Double)] = [
        (1, 11.8), (2, 14.1), (3, 15.3), (4, 22.9), (6, 27.2), (8, 31.6), (12, 40.0), (16, 49.1), (32, 100), (64, 184),
    ]

    private func milliseconds(_ rows: Int) -> Double {
        let above = Self.measured.firstIndex { $0.rows >= rows } ?? Self.measured.count - 1
        guard above > 0 else { return Self.measured[0].milliseconds }
        let (low, high) = (Self.measured[above - 1], Self.measured[above])
        let slope = (high.milliseconds - low.milliseconds) / Double(high.rows - low.rows)
        return low.milliseconds + slope * Double(rows - low.rows)
    }

    private func text(_ name: String) throws -> Dictation {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try Dictation.read(
            name, in: root.appending(path: "tools/bench/texts").path(), vocabularySize: 151_936)
    }

    /// The time without drafts over the time with them.
    /// - Parameters:
    ///   - lap: milliseconds of a step outside the layers.
    ///   - disturbance: how much longer a step may seem than it is.
    private func gain(_ text: Dictation, lap: Double = 0, disturbance: Double = 0, seed: UInt64 = 1) -> Double {
        var speculation = Speculation(mode: .auto)
        var drafter = Drafter()
        var numbers = DrawnNumbers(state: seed)
        drafter.read(text.prompt)
        var position = 0
        var elapsed = 0.0
        func hear(_ count: Int) {
            for token in text.answer[position..<position + count] {
                drafter.follow(token, common: &speculation.confidence)
            }
            position += count
        }
        hear(1)
        while position < text.answer.count {
            let room = text.answer.count - position
            let count =
                speculation.counts(
                    for: [(drafter: drafter, countMax: room - 1)], rows: 1, rowsMax: 512, areOthersWaiting: false
                ).first ?? 0
            let guesses = drafter.guesses(count)
            let right = zip(guesses, text.answer[position...]).prefix { $0 == $1 }.count
            let step = milliseconds(1 + count)
            elapsed += step + lap
            let seen = step * (1 + disturbance * numbers.fraction())
            speculation.observe(
                rows: 1 + count, roundTrip: .microseconds(Int((seen + lap) * 1000)),
                computing: .microseconds(Int(seen * 1000)))
            hear(right + 1)
        }
        return (milliseconds(1) + lap) * Double(text.answer.count - 1) / elapsed
    }

    @Test(arguments: ["edit", "summarise"]) func answersThatCopyGain(name: String) throws {
        let text = try text(name)
        #expect(gain(text) >= 1.8)
        #expect(gain(text, lap: 20) >= 2.4)
        // A pass over the disk.
        #expect(gain(text, lap: 150) >= 4)
    }

    @Test(arguments: ["explain", "list"]) func otherAnswersLoseNothing(name: String) throws {
        let text = try text(name)
        for seed in 1...5 as ClosedRange<UInt64> {
            #expect(gain(text, disturbance: 0.6, seed: seed) >= 0.97)
        }
    }

    @Test(arguments: [2, 4, 8, 16, 50]) func tokensThatFollowFromNothingLoseNothing(kinds: Int) throws {
        let text = try Dictation.noise(of: kinds, tokens: 256, vocabularySize: 151_936)
        for seed in 1...5 as ClosedRange<UInt64> {
            #expect(gain(text, disturbance: 0.6, seed: seed) >= 0.97)
            #expect(gain(text, lap: 20, disturbance: 0.6, seed: seed) >= 0.97)
        }
    }
}

/// Numbers that are the same on every run.
private struct DrawnNumbers {
    var state: UInt64

    mutating func fraction() -> Double {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Double(state >> 40) / Double(1 << 24)
    }
}
