// The engine against shards that die, hang, lose frames and come back, all drawn from one seed.

import Testing
import Wire

@testable import RingAPI

@Suite struct RingEngineSimulationTests {
    private struct Fate {
        var request: GenerationRequest
        var isCancelled = false
    }

    @Test(arguments: 0..<16) func noTokenIsWrongAndNoClientHangs(seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        let descriptions = EngineFixtures.rings[Int(seed % 4)]
        var harness = EngineHarness.ready(descriptions) {
            $0.limits.sequencesActiveMax = 6
            $0.limits.waitingMax = 4
            $0.limits.rowsPerStepMax = 48
        }
        var fates: [UInt64: Fate] = [:]
        var breaks = 0

        for _ in 0..<4000 {
            switch Int.random(in: 0..<1000, using: &numbers) {
            case 0..<40:
                let request = EngineFixtures.request(
                    prompt: Int.random(in: 1...120, using: &numbers),
                    salt: UInt32.random(in: 0..<4, using: &numbers),
                    tokensMax: Int.random(in: 0...30, using: &numbers),
                    promptLogprobs: Bool.random(using: &numbers) ? 1 : nil)
                if let id = try? harness.admit(request) { fates[id] = Fate(request: request) }
            case 40..<46:
                let open = fates.filter { harness.failures[$0.key] == nil && !$0.value.isCancelled }.keys
                guard let id = open.sorted().randomElement(using: &numbers) else { continue }
                fates[id]?.isCancelled = true
                harness.perform { $0.cancel(id, at: $1) }
            case 46..<52:
                breaks += 1
                let shard = descriptions.indices.randomElement(using: &numbers) ?? 0
                switch Int.random(in: 0..<4, using: &numbers) {
                case 0: harness.shards.shards[shard].restart()
                case 1: harness.shards.shards[shard].isDown = true
                case 2: harness.shards.shards[shard].swallows = true
                default:
                    harness.dropFrames()
                    harness.perform { $0.outgoingLost(reason: "closed", at: $1) }
                    harness.perform { $0.outgoingConnected(at: $1) }
                }
            case 52..<60:
                for shard in descriptions.indices where harness.shards.shards[shard].isBroken {
                    harness.shards.shards[shard].restart()
                }
            case 60..<64: harness.pass(.milliseconds(Int64.random(in: 100...3000, using: &numbers)))
            case 64: harness.pass(.seconds(Int64.random(in: 20...40, using: &numbers)))
            case 65..<70:
                let shard = descriptions.indices.randomElement(using: &numbers) ?? 0
                guard let id = fates.keys.sorted().suffix(6).randomElement(using: &numbers) else { continue }
                let kind = [FailureKind.memory, .compute, .gap, .checksum].randomElement(using: &numbers) ?? .memory
                harness.shards.shards[shard].refuses = (id, kind)
            default: harness.deliverOne()
            }
        }
        for shard in descriptions.indices where harness.shards.shards[shard].isBroken {
            harness.shards.shards[shard].restart()
        }
        harness.pass(.seconds(400), tick: .seconds(1))

        #expect(harness.engine.isIdle, "every sequence has ended")
        #expect(harness.shards.held.count <= harness.status.prefixesKept, "shards hold no other than what is kept")
        #expect(harness.engine.metrics.prefixHits > 0)
        var whole = 0
        for (id, fate) in fates {
            let expected = SimulatedModel.expectedEvents(of: fate.request, contextTokensMax: 4096)
            let got = (harness.events[id] ?? []).map(\.plain)
            #expect(got == Array(expected.prefix(got.count)), "sequence \(id) got a wrong token")
            if got.count == expected.count { whole += 1 }
            let isEnded = got.count == expected.count || harness.failures[id] != nil || fate.isCancelled
            #expect(isEnded, "sequence \(id) hangs")
            if let failure = harness.failures[id] {
                let isKnown = failure.reason.hasSuffix("refuses") || failure.reason.contains("not whole again")
                #expect(isKnown, "\(failure.reason)")
            }
        }
        #expect(whole > 10 && breaks > 3)
    }
}

extension SimulatedShards.Shard {
    fileprivate var isBroken: Bool { isDown || swallows }
}
