// What makes a ring complete, how a step travels it, and what a user reads when it is not.

@testable import Cluster
import Testing
import Wire

@Suite struct RingTopologyTests {
    private static let fingerprint = [UInt8](repeating: 0xAB, count: WireLimits.fingerprintBytes)

    private static func shard(
        _ name: String, _ layers: ClosedRange<UInt32>..., change: (inout ShardDescription) -> Void = { _ in }
    ) -> ShardDescription {
        var shard = ShardDescription()
        shard.name = name
        shard.softwareVersion = "1.0"
        shard.address = "\(name):9000"
        shard.nextAddress = "next-of-\(name):9000"
        shard.modelFingerprint = fingerprint
        shard.layerCount = 36
        shard.layers = layers
        change(&shard)
        return shard
    }

    private func topology(_ shards: [ShardDescription], layerCount: Int = 36) throws(RingProblem) -> RingTopology {
        try RingTopology(
            shards: shards,
            expecting: .init(
                modelFingerprint: Self.fingerprint, layerCount: layerCount, softwareVersion: "1.0",
                ringAddress: "api:8080"))
    }

    // MARK: Complete rings

    @Test func twoShardsMakeAPlainPipeline() throws {
        let ring = try topology([Self.shard("a", 0...17), Self.shard("b", 18...35)])
        #expect(ring.visits == [.init(shard: 0, layers: 0...17), .init(shard: 1, layers: 18...35)])
        #expect(ring.rounds == 1)
        #expect(ring.hopCount == 3)
        #expect(ring.stageCount == 2)
    }

    @Test func alternatingLayersTakeSeveralRounds() throws {
        let ring = try topology([Self.shard("a", 0...8, 18...26), Self.shard("b", 9...17, 27...35)])
        #expect(ring.visits.map(\.shard) == [0, 1, 0, 1])
        #expect(ring.visits.map(\.layers) == [0...8, 9...17, 18...26, 27...35])
        #expect(ring.rounds == 2)
        #expect(ring.hopCount == 6)
        #expect(ring.stageCount == 2)
    }

    @Test func shardsInTheWrongOrderStillCoverTheModel() throws {
        let ring = try topology([Self.shard("b", 18...35), Self.shard("a", 0...17)])
        #expect(ring.rounds == 2)
        #expect(ring.visits.map(\.shard) == [1, 0])
    }

    @Test func rangesThatTouchAreOneVisit() throws {
        let ring = try topology([Self.shard("a", 0...3, 4...35)])
        #expect(ring.visits == [.init(shard: 0, layers: 0...35)])
        #expect(ring.rounds == 1)
    }

    @Test func aShardWithoutLayersIsOnlyAHop() throws {
        let ring = try topology([Self.shard("a", 0...35), Self.shard("relay")])
        #expect(ring.stageCount == 1)
        #expect(ring.hopCount == 3)
    }

    @Test func theSmallestContextHolds() throws {
        let ring = try topology([
            Self.shard("a", 0...17) { $0.contextTokensMax = 4096 },
            Self.shard("b", 18...35) { $0.contextTokensMax = 2048 },
        ])
        #expect(ring.contextTokensMax == 2048)
        #expect(try topology([Self.shard("a", 0...35)]).contextTokensMax == nil)
    }

    @Test func aWindowSmallerThanTheLayersStreams() throws {
        #expect(try topology([Self.shard("a", 0...35) { $0.windowLayers = 2 }]).streamsWeights)
        #expect(try !topology([Self.shard("a", 0...35) { $0.windowLayers = 36 }]).streamsWeights)
    }

    @Test func countersDoNotMakeAnotherRing() throws {
        let ring = try topology([Self.shard("a", 0...35)])
        #expect(ring.isSameRing(as: try topology([Self.shard("a", 0...35) { $0.residentBytes = 7 }])))
        #expect(!ring.isSameRing(as: try topology([Self.shard("b", 0...35)])))
        #expect(!ring.isSameRing(as: try topology([Self.shard("a", 0...35) { $0.exact = true }])))
    }

    // MARK: Incomplete rings

    static let problems: [(shards: [ShardDescription], reason: String)] = [
        (
            [],
            """
            the ring has no shard: ring-api's -s leads back to ring-api (api:8080); give it the HOST:PORT of \
            the first ring-shard
            """
        ),
        ([shard("a", 0...17)], "layers 18–35 are held by no shard; start a ring-shard with -l 18-35"),
        (
            [shard("a", 1...6, 8...17), shard("b", 20...35)],
            "layers 0, 7 and 18–19 are held by no shard; start a ring-shard with -l 0,7,18-19"
        ),
        ([shard("a", 0...34)], "layer 35 is held by no shard; start a ring-shard with -l 35"),
        (
            [shard("a", 0...7), shard("b", 7...35)],
            "layer 7 is held by both a and b; leave it out of the -l of one"
        ),
        (
            [shard("a", 0...20), shard("b", 18...35), shard("c", 19...35)],
            "layers 18–20 are held by both a and b; leave them out of the -l of one"
        ),
        ([shard("a", 0...35, 3...4)], "shard a names layers 3–4 twice; correct its -l"),
        (
            [shard("a", 0...40) { $0.layerCount = 36 }],
            "shard a holds layer 40, but the model's layers are 0–35; correct its -l"
        ),
        (
            [shard("a", 0...17), shard("b", 18...35) { $0.modelFingerprint = [1, 0xC] }],
            """
            shard b has loaded another model (fingerprint 010c, the API's is abababababababababababababababab); \
            give every daemon the same -m
            """
        ),
        (
            [shard("a", 0...35) { $0.layerCount = 40 }],
            "shard a counts 40 layers in the model and the API 36; give every daemon the same -m"
        ),
        (
            [shard("a", 0...17), shard("b", 18...35) { $0.exact = true }],
            "shard b computes with --exact and shard a without; start all shards with it or all without it"
        ),
        (
            [shard("a", 0...17) { $0.exact = true }, shard("b", 18...35)],
            "shard a computes with --exact and shard b without; start all shards with it or all without it"
        ),
        (
            [shard("a", 0...17), shard("b", 18...35) { $0.softwareVersion = "0.9" }],
            "shard b runs version 0.9 and the API 1.0; install the same version everywhere"
        ),
        (
            [shard("a", 0...17), shard("b", 18...35) { $0.nextAddress = "a:9000" }, shard("a", 0...17)],
            "shard b's next is a:9000, which is shard a again; the last shard's -n must be the API, api:8080"
        ),
        (
            [shard("box", 0...20), shard("box", 18...35) { $0.address = "other:9000" }],
            "layers 18–20 are held by both box (box:9000) and box (other:9000); leave them out of the -l of one"
        ),
    ]

    @Test(arguments: problems.indices) func aRingThatCannotServeSaysWhy(index: Int) {
        let expected = Self.problems[index]
        #expect { try topology(expected.shards) } throws: { error in
            #expect((error as? RingProblem)?.reason == expected.reason)
            return error is RingProblem
        }
    }

    @Test func endlessRoundsAreRefused() {
        // Even layers on the second shard and odd ones on the first: a round a layer.
        let even = Self.shard("even") {
            $0.layers = (0..<512).map { UInt32($0 * 2)...UInt32($0 * 2) }
            $0.layerCount = 1024
        }
        let odd = Self.shard("odd") {
            $0.layers = (0..<512).map { UInt32($0 * 2 + 1)...UInt32($0 * 2 + 1) }
            $0.layerCount = 1024
        }
        #expect(throws: RingProblem.tooManyHops(rounds: 513, shards: 2)) {
            try topology([odd, even], layerCount: 1024)
        }
    }
}
