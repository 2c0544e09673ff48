// How the ring comes to serve, and what a user reads while it does not.

import Cluster
import Testing
import Wire

@testable import RingAPI

@Suite struct RingFormingTests {
    private let start =
        "waiting for the ring: the first shard, a:9000, is not connected yet; start it, or correct ring-api's -s"

    @Test func aRingIsProbedBegunAndReady() {
        var harness = EngineHarness()
        let reason = "the first shard, a:9000, is not connected yet; start it, or correct ring-api's -s"
        #expect(harness.reason == reason)
        harness.connect()
        #expect(harness.onRing.count == 1)
        #expect(harness.reason == "the first shard is connected; the ring has not answered yet")
        harness.deliverOne()
        guard case .begin(let begin)? = harness.onRing.first?.message else {
            Issue.record("no Begin was sent: \(harness.sent)")
            return
        }
        #expect(begin.modelFingerprint == EngineFixtures.fingerprint)
        #expect(begin.epoch == 1000 << 16 + 1)
        #expect(harness.status.state != .ready, "an epoch is open when every shard has heard of it")
        harness.deliverOne()
        #expect(harness.status.state == .ready)
        #expect(harness.status.shards.map(\.name) == ["a", "b"])
        #expect(harness.status.rounds == 1 && harness.status.stages == 2)
        #expect(harness.lines == [start, "ring complete: 2 shards: a layers 0–1; b layers 2–3"])
    }

    @Test func exactShardsGetFloatsWhateverIsAskedFor() {
        var exact = EngineFixtures.twoShards
        for index in exact.indices { exact[index].exact = true }
        for (shards, format) in [(EngineFixtures.twoShards, ActivationFormat.bf16), (exact, .f32)] {
            let harness = EngineHarness.ready(shards) { $0.activations = .bf16 }
            let begun = harness.sent.compactMap { message -> ActivationFormat? in
                if case .begin(let begin) = message { begin.activations } else { nil }
            }
            #expect(begun == [format])
        }
    }

    @Test func missingLayersAreNamedAndLookedForUntilTheyCome() {
        var harness = EngineHarness([EngineFixtures.twoShards[0]])
        harness.connect()
        harness.run()
        let missing = "layers 2–3 are held by no shard; start a ring-shard with -l 2-3"
        #expect(harness.reason == missing)
        harness.pass(.seconds(10))
        #expect(harness.lines == [start, "waiting for the ring: \(missing)"], "said once, however often it is probed")
        let probes = harness.sent.count
        // 0.1, 0.2, 0.4, 0.8, 1.6 and then every 2 s.
        #expect((7...10).contains(probes), "\(probes) probes in ten seconds")

        harness.shards = SimulatedShards(EngineFixtures.twoShards)
        harness.pass(.seconds(3))
        #expect(harness.status.state == .ready)
        #expect(harness.lines.last == "ring complete: 2 shards: a layers 0–1; b layers 2–3")
    }

    @Test func aShardThatIsGoneIsNamedWithWhenItWasHeard() {
        var harness = EngineHarness.ready()
        harness.shards.shards[1].isDown = true
        harness.pass(.seconds(14), tick: .seconds(1))
        let reason = "a cannot pass on: b:9000 is not connected; layers 2–3 were last held by b (b:9000), heard"
        #expect(harness.reason == "\(reason) 14 s ago")
        harness.pass(.seconds(186), tick: .seconds(1))
        #expect(harness.reason == "\(reason) 3 min ago")
        #expect(harness.lines.count == 3, "start, complete, and once that it is not: \(harness.lines)")
    }

    @Test func aShardThatCameBackWithoutItsLayersIsMissed() {
        var harness = EngineHarness.ready()
        harness.shards = SimulatedShards([EngineFixtures.twoShards[0], EngineFixtures.shard("c", [])])
        harness.pass(.seconds(5))
        #expect(
            harness.reason?.hasPrefix(
                """
                layers 2–3 are held by no shard; start a ring-shard with -l 2-3; \
                layers 2–3 were last held by b (b:9000), heard
                """) == true)
    }

    @Test func loadingShardsAreWaitedFor() {
        var harness = EngineHarness()
        harness.shards.shards[1].isLoading = true
        harness.connect()
        harness.pass(.seconds(3))
        #expect(harness.shards.shards[1].layersLoaded > 2)
        #expect(harness.reason?.hasPrefix("shard b is still loading its weights") == true)
        #expect(harness.lines.count == 2, "its progress is not a line each: \(harness.lines)")
        harness.shards.shards[1].isLoading = false
        // However long it took.
        harness.pass(.milliseconds(200))
        #expect(harness.status.state == .ready)
    }

    @Test func withoutAConnectionFromTheLastShardTheUserIsToldWhatItsNextMustBe() {
        var harness = EngineHarness()
        harness.perform { $0.outgoingConnected(at: $1) }
        harness.dropFrames()
        harness.shards.shards[1].swallows = true
        harness.pass(.seconds(11))
        #expect(
            harness.reason
                == "no shard is connected to this API; give the last ring-shard -n api:8080 and see that it runs")
    }

    @Test func aRingThatHangsIsNoticedWhileIdle() {
        var harness = EngineHarness.ready()
        harness.shards.shards[1].swallows = true
        harness.pass(.seconds(13))
        #expect(harness.reason == "the ring did not answer within 10 s; a shard or the network hangs")
        harness.shards.shards[1].swallows = false
        harness.pass(.seconds(15))
        #expect(harness.status.state == .ready)
    }

    @Test func whyTheFirstShardCannotBeReachedIsSaid() {
        var harness = EngineHarness()
        harness.perform { $0.outgoingLost(reason: "connection refused", at: $1) }
        let reason = "the first shard, a:9000, cannot be reached: connection refused"
        #expect(harness.reason == reason)
        harness.perform { $0.outgoingLost(reason: "connection refused", at: $1) }
        #expect(harness.lines == ["waiting for the ring: \(reason)"])
        harness.pass(.seconds(5))
        #expect(harness.sent.isEmpty, "there is nobody to probe")
        harness.connect()
        harness.run()
        #expect(harness.status.state == .ready)
    }

    @Test func anEpochThatShardsHaveSeenIsPassedOver() {
        var harness = EngineHarness()
        for index in harness.shards.shards.indices { harness.shards.shards[index].epoch = 600_000 << 16 }
        harness.connect()
        harness.pass(.seconds(30))
        #expect(harness.status.state == .ready)
        #expect(harness.status.epoch > 600_000 << 16)
    }

    @Test func aLateAnswerToAProbeCounts() {
        var harness = EngineHarness()
        harness.connect()
        let probe = harness.onRing
        harness.dropFrames()
        harness.shards.shards[0].swallows = true
        harness.pass(.seconds(11))
        harness.shards.shards[0].swallows = false
        #expect(harness.status.state != .ready)
        guard case .forward(let answer)? = probe.first.map({ harness.shards.handle($0) }) else { return }
        harness.perform { $0.receive(answer, on: EngineHarness.link, at: $1) }
        harness.run()
        #expect(harness.status.state == .ready)
    }

    @Test func anAnswerFromBeforeALinkChangedDoesNotCount() {
        var harness = EngineHarness()
        harness.connect()
        guard let probe = harness.onRing.first, case .forward(let answer) = harness.shards.handle(probe) else { return }
        harness.dropFrames()
        harness.perform { $0.outgoingLost(reason: "closed", at: $1) }
        harness.perform { $0.outgoingConnected(at: $1) }
        let sent = harness.sent.count
        harness.perform { $0.receive(answer, on: EngineHarness.link, at: $1) }
        #expect(harness.sent.count == sent)
    }

    @Test func aRingThatChangedGetsANewEpoch() throws {
        var harness = EngineHarness.ready()
        let before = harness.status.epoch
        harness.shards = SimulatedShards([EngineFixtures.shard("a", [0...2]), EngineFixtures.shard("b", [3...3])])
        harness.pass(.seconds(5))
        #expect(harness.status.state == .ready)
        #expect(harness.status.epoch > before)
        #expect(harness.lines.last == "ring complete: 2 shards: a layers 0–2; b layer 3")
    }

    @Test func descriptionsAreRefreshedWithoutANewEpoch() {
        var harness = EngineHarness.ready()
        let before = harness.status.epoch
        harness.shards.shards[0].description.residentBytes = 123
        harness.pass(.seconds(5))
        #expect(harness.status.epoch == before)
        #expect(harness.status.shards.first?.residentBytes == 123)
    }

    @Test func aShardMayConnectAnewBeforeItsOldConnectionIsFoundDead() {
        var harness = EngineHarness.ready()
        harness.perform { $0.outgoingLost(reason: "closed", at: $1) }
        harness.perform { $0.outgoingConnected(at: $1) }
        harness.dropFrames()
        harness.perform { $0.inboundConnected(5, at: $1) }
        harness.dropFrames()
        harness.perform { $0.inboundLost(EngineHarness.link, reason: "gone", at: $1) }
        harness.run()
        #expect(harness.status.state == .ready)
    }

    @Test func onlyTheLastShardsConnectionMatters() {
        var harness = EngineHarness.ready()
        harness.perform { $0.inboundConnected(5, at: $1) }
        harness.perform { $0.inboundLost(5, reason: "gone", at: $1) }
        #expect(harness.status.state == .ready)
        harness.perform { $0.inboundLost(EngineHarness.link, reason: "gone", at: $1) }
        #expect(harness.reason == "the last shard's connection to this API is lost: gone")
        harness.perform { $0.inboundConnected(6, at: $1) }
        harness.run()
        #expect(harness.status.state == .ready)
    }
}
