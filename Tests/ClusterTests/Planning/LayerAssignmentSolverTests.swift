// Plans against trying all of them, and what users expect of plans.

import Testing

@testable import Cluster

@Suite struct LayerAssignmentSolverTests {
    // MARK: Against every plan

    @Test(arguments: 0..<150)
    func nothingIsFasterThanThePlanOfOneRequest(seed: UInt64) throws {
        try expectOptimal(seed, .latency)
    }

    @Test(arguments: 0..<100)
    func nothingIsFasterThanThePlanOfManyRequests(seed: UInt64) throws {
        try expectOptimal(seed, .throughput(rowsPerStep: 4))
    }

    private func expectOptimal(_ seed: UInt64, _ objective: PlanningObjective) throws {
        var random = SplitMix(seed: seed)
        let shardCount = random.pick(1...4)
        let (model, cluster) = Self.randomCase(&random, shardCount: shardCount, layerCount: random.pick(1...7))
        let oracle = ExhaustivePlan(model: model, cluster: cluster, objective: objective)
        let least = oracle.leastSeconds(roundsMax: LayerAssignmentSolver.roundsMax)
        let solver = LayerAssignmentSolver(model, on: cluster, for: objective)
        guard let least else {
            #expect(throws: PlanningProblem.self) { try solver.solve() }
            return
        }
        let plan = try solver.solve()
        let seconds =
            objective == .latency ? plan.secondsPerToken : Double(objective.rowsPerStep) / plan.tokensPerSecond
        #expect(abs(seconds - least) <= 1e-9 * least, "\(seconds) instead of \(least): \(plan)")
        let counts = plan.stages.map(\.layerCount)
        let again = oracle.seconds(plan.stages.map(\.shard), counts, plan.rounds)
        #expect(try abs(#require(again) - seconds) <= 1e-9 * seconds, "the plan does not cost what it says")
        Self.expectWhole(plan, model)
    }

    @Test func layersThatDifferAreDividedByWhatEachCosts() throws {
        // The first three layers weigh as much as the other nine.
        let heavy = Self.layer(megabytes: 300)
        let light = Self.layer(megabytes: 100)
        let model = Self.model([heavy, heavy, heavy] + Array(repeating: light, count: 9))
        let cluster = ClusterProfile(
            shards: [Self.shard("one"), Self.shard("two")],
            link: LinkProfile(roundTripSeconds: 1e-4, bytesPerSecond: 1e8))
        let plan = try LayerAssignmentSolver(model, on: cluster, for: .throughput(rowsPerStep: 1)).solve()
        #expect(plan.stages.map(\.layers) == [[0..<3], [3..<12]])
        Self.expectWhole(plan, model)
    }

    // MARK: Who takes part

    @Test func aModelThatFitsTheFastestMachineStaysThere() throws {
        let model = Self.model(Array(repeating: Self.layer(megabytes: 100), count: 20))
        var slow = Self.shard("slow")
        slow.weightBytesPerSecond = 4e9
        let cluster = ClusterProfile(
            shards: [slow, Self.shard("fast")], link: LinkProfile(roundTripSeconds: 4e-3, bytesPerSecond: 1e7))
        let plan = try LayerAssignmentSolver(model, on: cluster, for: .latency).solve()
        #expect(plan.stages.map(\.shard) == [1])
        #expect(plan.leftOut.map(\.shard) == [0])
        guard case .wouldSlow(let seconds)? = plan.leftOut.first?.reason else {
            Issue.record("\(plan.leftOut)")
            return
        }
        #expect(seconds > plan.secondsPerToken)
    }

    @Test func memoryThatOneMachineLacksIsTakenFromAnother() throws {
        let model = Self.model(Array(repeating: Self.layer(megabytes: 100), count: 20))
        var small = Self.shard("small")
        small.memoryBytes = 1_500_000_000
        var diskless = Self.shard("diskless")
        diskless.memoryBytes = 1_300_000_000
        diskless.diskBytesPerSecond = 0
        let cluster = ClusterProfile(
            shards: [small, diskless], link: LinkProfile(roundTripSeconds: 2e-4, bytesPerSecond: 1e8))
        let plan = try LayerAssignmentSolver(model, on: cluster, for: .latency).solve()
        #expect(Set(plan.stages.map(\.shard)) == [0, 1])
        #expect(plan.stages.allSatisfy { $0.readBytes == 0 && $0.memoryBytes <= cluster.shards[$0.shard].memoryBytes })
    }

    @Test func theWayRoundAvoidsTheSlowLink() throws {
        let model = Self.model(Array(repeating: Self.layer(megabytes: 500), count: 12))
        var shard = Self.shard("")
        shard.memoryBytes = 2_700_000_000
        shard.diskBytesPerSecond = 0
        let near = LinkProfile(roundTripSeconds: 2e-4, bytesPerSecond: 1e8)
        let far = LinkProfile(roundTripSeconds: 2e-2, bytesPerSecond: 1e7)
        var cluster = ClusterProfile(shards: [shard, shard, shard], link: near)
        for index in [0, 1] { cluster.links[index][1 - index] = far }
        let plan = try LayerAssignmentSolver(model, on: cluster, for: .latency).solve()
        #expect(plan.stages.count == 3)
        #expect(plan.stages[1].shard == 2, "0 and 1 should not follow each other: \(plan.stages.map(\.shard))")
    }

    @Test func moreRoundsAreChosenOnlyWhereDisksNeedTheTime() throws {
        let model = Self.model(Array(repeating: Self.layer(megabytes: 100), count: 24))
        var reading = Self.shard("reading")
        reading.memoryBytes = 900_000_000
        let link = LinkProfile(roundTripSeconds: 2e-4, bytesPerSecond: 1e8)
        let streamed = try LayerAssignmentSolver(
            model, on: ClusterProfile(shards: [reading, reading], link: link), for: .latency
        ).solve()
        #expect(streamed.rounds > 1)
        #expect(streamed.stages.allSatisfy { $0.layers.count == streamed.rounds })
        Self.expectWhole(streamed, model)
        let resident = try LayerAssignmentSolver(
            model, on: ClusterProfile(shards: [Self.shard("one"), Self.shard("two")], link: link), for: .latency
        ).solve()
        #expect(resident.rounds == 1)
    }

    @Test func oneMoreMachineBringsWhatAPlanWithItSays() throws {
        let model = Self.model(Array(repeating: Self.layer(megabytes: 100), count: 16))
        let cluster = ClusterProfile(
            shards: [Self.shard("only")], link: LinkProfile(roundTripSeconds: 1e-4, bytesPerSecond: 1e9))
        let solver = LayerAssignmentSolver(model, on: cluster, for: .throughput(rowsPerStep: 1))
        let plan = try solver.solve()
        let more = try #require(solver.solveWithOneMore(than: plan))
        #expect(more.stages.map(\.layerCount) == [8, 8])
        #expect(more.tokensPerSecond > 1.9 * plan.tokensPerSecond)
    }

    // MARK: Published clusters

    /// prima.cpp's home cluster: RAM and VRAM that its table says are free, its disks, the bandwidth that these
    /// processors and graphics cards are sold with, and Wi-Fi between them.
    private static let homeCluster = ClusterProfile(
        shards: [
            device("Mac M1", gibibytes: 2.4, bandwidth: 68e9, disk: 0.72e9),
            device("Laptop", gibibytes: 4.1 + 8, bandwidth: 448e9, disk: 2.98e9),
            device("Desktop", gibibytes: 9.7 + 11, bandwidth: 616e9, disk: 3.17e9),
            device("Mate40Pro", gibibytes: 1.9, bandwidth: 44e9, disk: 1.37e9),
        ], link: LinkProfile(roundTripSeconds: 4e-3, bytesPerSecond: 40e6))

    private static func device(_ name: String, gibibytes: Double, bandwidth: Double, disk: Double) -> ShardProfile {
        ShardProfile(
            name: name, memoryBytes: Int(gibibytes * Double(1 << 30)), weightBytesPerSecond: bandwidth,
            operationsPerSecond: 10 * bandwidth, diskBytesPerSecond: disk, visitSeconds: 1e-4)
    }

    @Test func anEightBillionModelStaysOnTheDesktopOfPrimasCluster() throws {
        // Llama 3 8B at 4.5 bits: prima.cpp's device selection divides it 0:0:32:0.
        let model = Self.llama(layers: 32, layerBytes: 122_683_392, hidden: 4096, vocabulary: 128_256)
        let plan = try LayerAssignmentSolver(model, on: Self.homeCluster, for: .latency).solve()
        #expect(plan.stages.map { Self.homeCluster.shards[$0.shard].name } == ["Desktop"])
        #expect(plan.stages[0].readBytes == 0)
    }

    @Test func aSeventyBillionModelIsSpreadOverPrimasClusterByMemoryAndDisk() throws {
        let model = Self.llama(layers: 80, layerBytes: 481_296_384, hidden: 8192, vocabulary: 128_256)
        let plan = try LayerAssignmentSolver(model, on: Self.homeCluster, for: .latency).solve()
        Self.expectWhole(plan, model)
        let read = Dictionary(uniqueKeysWithValues: plan.stages.map { ($0.shard, $0.readBytes) })
        // What does not fit the memories comes from the fast disks, not from the slow one.
        #expect(read[2, default: 0] > read[0, default: 0])
        #expect(read[1, default: 0] > read[0, default: 0])
        let oracle = ExhaustivePlan(model: model, cluster: Self.homeCluster, objective: .latency)
        let desktopAlone = try #require(oracle.seconds([2], [80], 1))
        let equalSplit = try #require(oracle.seconds([0, 1, 2, 3], [20, 20, 20, 20], 1))
        #expect(plan.secondsPerToken < desktopAlone)
        #expect(plan.secondsPerToken < equalSplit)
    }

    // MARK: Wrong inputs

    @Test func withoutShardsThereIsNoPlan() {
        let model = Self.model([Self.layer(megabytes: 100)])
        let cluster = ClusterProfile(shards: [], link: LinkProfile(roundTripSeconds: 0, bytesPerSecond: 1))
        #expect(throws: PlanningProblem.noShards) {
            try LayerAssignmentSolver(model, on: cluster, for: .latency).solve()
        }
    }

    @Test func aModelThatIsTooLargeSaysByHowMuch() throws {
        var model = Self.model(Array(repeating: Self.layer(megabytes: 100), count: 20))
        model.contextTokens = 100_000
        var small = Self.shard("small")
        small.memoryBytes = 3_000_000_000
        var cluster = ClusterProfile(
            shards: [small], link: LinkProfile(roundTripSeconds: 1e-4, bytesPerSecond: 1e8))
        func problem() -> PlanningProblem? {
            do {
                _ = try LayerAssignmentSolver(model, on: cluster, for: .latency).solve()
                return nil
            } catch { return error }
        }
        guard case .tooLittleMemory(let missing, 100_000, let fit?)? = problem() else {
            Issue.record("\(String(describing: problem()))")
            return
        }
        // Exactly that much more, or exactly that context, suffices.
        model.contextTokens = fit
        #expect(problem() == nil)
        model.contextTokens = fit + 1
        #expect(problem() != nil)
        model.contextTokens = 100_000
        cluster.shards[0].memoryBytes += missing
        #expect(problem() == nil)
        cluster.shards[0].memoryBytes -= 1
        #expect(problem() != nil)
        cluster.shards[0].memoryBytes = 50_000_000
        #expect(problem()?.reason.contains("even with one layer in memory at a time") == true)
    }

    // MARK: Cases

    private static func layer(megabytes: Int) -> LayerDemand {
        LayerDemand(
            weightBytes: megabytes * 1_000_000, activeBytes: megabytes * 1_000_000,
            operations: Double(megabytes) * 4e6, cacheBytesPerToken: 4096)
    }

    private static func model(_ layers: [LayerDemand]) -> ModelDemand {
        ModelDemand(
            layers: layers, embeddingBytes: 50_000_000, headBytes: 50_000_000, headOperations: 2e8, isHeadTied: true,
            rowBytes: 8192, contextTokens: 4096, overheadBytes: 100_000_000)
    }

    private static func shard(_ name: String) -> ShardProfile {
        ShardProfile(
            name: name, memoryBytes: 16_000_000_000, weightBytesPerSecond: 20e9, operationsPerSecond: 200e9,
            diskBytesPerSecond: 2e9, visitSeconds: 5e-5)
    }

    private static func llama(layers: Int, layerBytes: Int, hidden: Int, vocabulary: Int) -> ModelDemand {
        let layer = LayerDemand(
            weightBytes: layerBytes, activeBytes: layerBytes, operations: Double(layerBytes) / 4.5 * 16,
            cacheBytesPerToken: 4096)
        let ends = vocabulary * hidden * 9 / 16
        return ModelDemand(
            layers: Array(repeating: layer, count: layers), embeddingBytes: ends, headBytes: ends,
            headOperations: Double(2 * vocabulary * hidden), isHeadTied: false, rowBytes: 4 * hidden,
            contextTokens: 1024, overheadBytes: 200_000_000)
    }

    private static func randomCase(
        _ random: inout SplitMix, shardCount: Int, layerCount: Int
    ) -> (ModelDemand, ClusterProfile) {
        let weightBytes = random.pick(50...200)
        let layer = LayerDemand(
            weightBytes: weightBytes, activeBytes: random.pick(10...weightBytes),
            operations: Double(random.pick(100...800)), cacheBytesPerToken: random.pick(0...4))
        let isHeadTied = random.pick(0...1) == 1
        let embeddingBytes = random.pick(0...150)
        let model = ModelDemand(
            layers: Array(repeating: layer, count: layerCount), embeddingBytes: embeddingBytes,
            headBytes: isHeadTied ? embeddingBytes : random.pick(0...150),
            headOperations: Double(random.pick(0...500)), isHeadTied: isHeadTied, rowBytes: random.pick(1...20),
            contextTokens: random.pick(1...10),
            overheadBytes: random.pick(0...50))
        func link() -> LinkProfile {
            LinkProfile(
                roundTripSeconds: Double(random.pick(0...40)) / 100, bytesPerSecond: Double(random.pick(20...400)))
        }
        let shards = (0..<shardCount).map {
            ShardProfile(
                name: "\($0)", memoryBytes: random.pick(100...1000),
                weightBytesPerSecond: Double(random.pick(100...1000)),
                operationsPerSecond: Double(random.pick(200...4000)),
                diskBytesPerSecond: Double(random.pick(0...3) == 0 ? 0 : random.pick(20...400)),
                visitSeconds: Double(random.pick(0...5)) / 100)
        }
        let links = shards.map { _ in shards.map { _ in link() } }
        let cluster = ClusterProfile(
            shards: shards, links: links, linksFromAPI: shards.map { _ in link() },
            linksToAPI: shards.map { _ in link() })
        return (model, cluster)
    }

    /// Every layer once, in order, in the ring's order within each round.
    private static func expectWhole(_ plan: LayerAssignment, _ model: ModelDemand) {
        let runs = (0..<plan.rounds).flatMap { round in plan.stages.map { $0.layers[round] } }
        #expect(runs.flatMap { Array($0) } == Array(model.layers.indices))
        #expect(runs.allSatisfy { !$0.isEmpty })
    }
}

/// Steele, Lea and Flood's SplitMix64.
private struct SplitMix {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func pick(_ range: ClosedRange<Int>) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return range.lowerBound + Int((mixed ^ (mixed >> 31)) % UInt64(range.count))
    }
}
