// Divides a model over machines: who takes part, in which order, with which layers, in how many rounds.

import Wire

/// Finds the plan that is expected to be fastest.
///
/// The search is exact where all layers of the model are alike. What a set of machines costs falls into two parts that
/// do not depend on each other: how the layers are shared (``LayerShares``) and the way round (``RingTours``). Both are
/// solved for all sets at once; they leave out only that the first machine also holds the embedding, and that what is
/// read from disk must be read within a round, so together they are a lower bound, and sets are looked at in the order
/// of it until none can be better than the best found. Where layers differ, the ``candidatesMax`` best by mean layers
/// are divided with the true ones.
public struct LayerAssignmentSolver: Sendable {
    /// Machines that a plan is searched for; of more, the fastest.
    public static let shardsMax = 16
    /// Times that a step may go round. More are tried as long as one of two more makes the plan faster.
    public static let roundsMax = 8
    /// Sets of machines that are looked at closely.
    static let candidatesMax = 64

    public let model: ModelDemand
    public let cluster: ClusterProfile
    public let objective: PlanningObjective

    private let costs: StageCostModel
    private let areLayersAlike: Bool
    private var combine: CostCombination { CostCombination(objective) }
    private var layerCount: Int { model.layers.count }

    /// - Precondition: the model has a layer.
    public init(_ model: ModelDemand, on cluster: ClusterProfile, for objective: PlanningObjective) {
        precondition(!model.layers.isEmpty)
        self.model = model
        self.cluster = cluster
        self.objective = objective
        costs = StageCostModel(model, objective)
        areLayersAlike = model.layers.allSatisfy { $0 == model.layers[0] }
    }

    public func solve() throws(PlanningProblem) -> LayerAssignment {
        guard !cluster.shards.isEmpty else { throw .noShards }
        // The fastest, should there be too many.
        let members = cluster.shards.indices
            .sorted { cluster.shards[$0].weightBytesPerSecond > cluster.shards[$1].weightBytesPerSecond }
            .prefix(Self.shardsMax).sorted()
        guard let first = search(members, rounds: 1) else { throw MemoryShortage(costs, cluster).problem }
        var best = first
        // Further rounds give disks time to read while other machines work; without reading they only cost.
        if objective == .latency, first.assignment.stages.contains(where: { $0.readBytes > 0 }) {
            var worse = 0
            for rounds in 2...Self.roundsMax where rounds * (members.count + 1) <= Int(WireLimits.hopsMax) {
                guard worse < 2, let other = search(members, rounds: rounds) else { break }
                if other.assignment.secondsPerToken < best.assignment.secondsPerToken {
                    (best, worse) = (other, 0)
                } else {
                    worse += 1
                }
            }
        }
        best.assignment.leftOut = leftOut(of: best, members)
        return best.assignment
    }

    /// The plan with one more machine like the fastest that takes part; `nil` where it could not be planned for.
    public func solveWithOneMore(than assignment: LayerAssignment) -> LayerAssignment? {
        let fastest = assignment.stages.map(\.shard)
            .max { cluster.shards[$0].weightBytesPerSecond < cluster.shards[$1].weightBytesPerSecond }
        guard let fastest, cluster.shards.count < Self.shardsMax else { return nil }
        return try? LayerAssignmentSolver(model, on: cluster.doubling(fastest), for: objective).solve()
    }

    // MARK: Search

    private struct Found {
        var assignment: LayerAssignment
        /// For each member, the least that any set with it can cost, as far as was looked at.
        var boundWith: [Double]
    }

    /// A set of members with the one that is last in the ring.
    private struct Candidate {
        var bound: Double
        var set: Int
        var last: Int
    }

    private func search(_ members: [Int], rounds: Int) -> Found? {
        let links = linkCosts(members, rounds: rounds)
        let tours = RingTours(links, combine)
        let (candidates, boundWith) = self.candidates(members, rounds: rounds, tours)
        var best: LayerAssignment?
        var toursByFirst: [Int: RingTours] = [:]
        func consider(_ order: [Int]) {
            guard let assignment = assignment(order.map { members[$0] }, rounds: rounds) else { return }
            if best.map({ cost(of: assignment) < cost(of: $0) }) ?? true { best = assignment }
        }
        /// Sums of the same numbers in another order differ in their last bits.
        func isBest(_ bound: Double) -> Bool { best.map { bound >= cost(of: $0) * (1 - 1e-9) } ?? false }
        for candidate in candidates {
            if areLayersAlike && isBest(candidate.bound) { break }
            let order = tours.order(candidate.set, last: candidate.last)
            consider(order)
            // The bound leaves the embedding out: where it is felt, another way round may be better.
            guard order.count > 2, !isBest(candidate.bound), isEmbeddingFelt(members[order[0]], rounds: rounds) else {
                continue
            }
            for first in order.dropLast() where first != order[0] {
                let tours = toursByFirst[first] ?? RingTours(links, combine, first: first)
                toursByFirst[first] = tours
                consider(tours.order(candidate.set, last: candidate.last))
            }
        }
        return best.map { Found(assignment: $0, boundWith: boundWith) }
    }

    /// What is made least: seconds per token of one request, or of the slowest part.
    private func cost(of assignment: LayerAssignment) -> Double {
        switch objective {
        case .latency: assignment.secondsPerToken
        case .throughput(let rows): Double(rows) / assignment.tokensPerSecond
        }
    }

    /// The sets that can hold the model with the least lower bounds, best first, and for each member the least of a set
    /// with it.
    private func candidates(
        _ members: [Int], rounds: Int, _ tours: RingTours
    ) -> (best: [Candidate], boundWith: [Double]) {
        func stages(_ ends: Ends) -> [[Double]] {
            members.map { member in
                (0...layerCount).map { layers in
                    layers == 0
                        ? .infinity
                        : costs.cost(cluster.shards[member], costs.meanLoad(layers), ends: ends, rounds: rounds)?
                            .seconds ?? .infinity
                }
            }
        }
        let shares = LayerShares(stages: stages([]), layerCount: layerCount, combine)
        let last = stages(.last)
        let alone = stages([.first, .last])
        var best: [Candidate] = []
        var boundWith = [Double](repeating: .infinity, count: members.count)
        for set in 1..<(1 << members.count) where set.nonzeroBitCount <= layerCount {
            var least = Double.infinity
            for member in members.indices where set & (1 << member) != 0 {
                let others = set & ~(1 << member)
                let stage = others == 0 ? alone[member][layerCount] : shares.cost(others, with: last[member])
                let bound = combine(stage, tours.cost(set, last: member))
                least = min(least, bound)
                guard bound < (best.count < Self.candidatesMax ? .infinity : best[best.count - 1].bound) else {
                    continue
                }
                // Of equal ones the earlier stays before: the same cluster always gives the same plan.
                let place = best.firstIndex { $0.bound > bound } ?? best.count
                best.insert(Candidate(bound: bound, set: set, last: member), at: place)
                if best.count > Self.candidatesMax { best.removeLast() }
            }
            for member in members.indices where set & (1 << member) != 0 {
                boundWith[member] = min(boundWith[member], least)
            }
        }
        return (best, boundWith)
    }

    /// Whether the embedding can change what `shard`'s layers cost.
    private func isEmbeddingFelt(_ shard: Int, rounds: Int) -> Bool {
        (1...layerCount).contains { layers in
            let load = costs.meanLoad(layers)
            let shard = cluster.shards[shard]
            return costs.cost(shard, load, ends: [], rounds: rounds)?.seconds
                != costs.cost(shard, load, ends: .first, rounds: rounds)?.seconds
        }
    }

    // MARK: Links

    /// Seconds of each link for a step, in all rounds.
    private func linkCosts(_ members: [Int], rounds: Int) -> RingTours.Costs {
        RingTours.Costs(
            between: members.map { one in members.map { cost(cluster.links[one][$0], rounds: rounds) } },
            fromAPI: members.map { cost(cluster.linksFromAPI[$0], rounds: rounds) },
            toAPI: members.map { cost(cluster.linksToAPI[$0], rounds: rounds) })
    }

    /// One request waits for each link; of many, each keeps it busy for its own transmission only.
    private func cost(_ link: LinkProfile, rounds: Int) -> Double {
        let bytes = model.rowBytes * objective.rowsPerStep
        return Double(rounds)
            * (objective == .latency ? link.seconds(bytes: bytes) : link.transmissionSeconds(bytes: bytes))
    }

    /// From the API through `order` and back: one link more than there are shards.
    private func links(_ order: [Int]) -> [LinkProfile] {
        [cluster.linksFromAPI[order[0]]] + zip(order, order.dropFirst()).map { cluster.links[$0][$1] }
            + [cluster.linksToAPI[order[order.count - 1]]]
    }

    // MARK: Plans

    /// The best division over these shards in this order.
    private func assignment(_ order: [Int], rounds: Int) -> LayerAssignment? {
        let links = links(order)
        let outside = links.map { cost($0, rounds: rounds) }.reduce(0) { combine($0, $1) }
        // In several rounds a machine's layers lie apart, so only their number is chosen.
        let stages = StageTable(
            costs, order.map { cluster.shards[$0] }, rounds: rounds, byNumber: rounds > 1 || areLayersAlike)
        guard let split = LayerSplit(stages, outsideSeconds: outside, combine) else { return nil }
        let runs = rounds == 1 ? split.runs.map { [$0] } : Self.runs(split.runs.map(\.count), rounds)
        return assignment(order, runs, links, rounds: rounds)
    }

    /// For each machine its run of layers in each round, as equal as can be.
    private static func runs(_ counts: [Int], _ rounds: Int) -> [[Range<Int>]] {
        var runs = [[Range<Int>]](repeating: [], count: counts.count)
        var next = 0
        for round in 0..<rounds {
            for (machine, count) in counts.enumerated() {
                let size = (round + 1) * count / rounds - round * count / rounds
                runs[machine].append(next..<(next + size))
                next += size
            }
        }
        return runs
    }

    /// What a division costs with the true layers; `nil` when it does not fit.
    private func assignment(
        _ order: [Int], _ runs: [[Range<Int>]], _ links: [LinkProfile], rounds: Int
    ) -> LayerAssignment? {
        let bytes = model.rowBytes * objective.rowsPerStep
        var stages: [LayerAssignment.Stage] = []
        var readSeconds = 0.0
        for (index, shard) in order.enumerated() {
            let load = costs.load(runs[index].joined())
            let ends = Ends(index, of: order.count)
            guard let cost = costs.cost(cluster.shards[shard], load, ends: ends, rounds: rounds) else { return nil }
            readSeconds = max(readSeconds, cost.readSeconds)
            stages.append(
                LayerAssignment.Stage(
                    shard: shard, layers: runs[index], windowLayers: cost.windowLayers, memoryBytes: cost.memoryBytes,
                    readBytes: cost.readBytes, seconds: cost.seconds, bound: cost.bound,
                    linkSeconds: Double(rounds) * links[index].seconds(bytes: bytes)))
        }
        let lastLinkSeconds = Double(rounds) * links[order.count].seconds(bytes: bytes)
        let lap = stages.reduce(lastLinkSeconds) { $0 + $1.seconds + $1.linkSeconds }
        let secondsPerToken = max(lap, readSeconds)
        let tokensPerSecond: Double
        switch objective {
        case .latency:
            tokensPerSecond = 1 / secondsPerToken
        case .throughput(let rows):
            let busiestLink = links.map { cost($0, rounds: rounds) }.max() ?? 0
            let slowest = stages.reduce(max(busiestLink, readSeconds)) { max($0, $1.seconds) }
            tokensPerSecond = Double(rows) / slowest
        }
        return LayerAssignment(
            objective: objective, rounds: rounds, stages: stages, lastLinkSeconds: lastLinkSeconds,
            secondsPerToken: secondsPerToken, tokensPerSecond: tokensPerSecond, leftOut: [])
    }

    // MARK: Left out

    private func leftOut(of found: Found, _ members: [Int]) -> [LayerAssignment.LeftOut] {
        let used = Set(found.assignment.stages.map(\.shard))
        return cluster.shards.indices.filter { !used.contains($0) }.map { shard in
            guard let member = members.firstIndex(of: shard) else {
                return LayerAssignment.LeftOut(shard: shard, reason: .tooManyMachines(max: Self.shardsMax))
            }
            let bound = found.boundWith[member]
            guard bound < .infinity else {
                let one = costs.meanLoad(1)
                let needed = model.overheadBytes + one.weightBytes + one.cacheBytes
                return LayerAssignment.LeftOut(
                    shard: shard,
                    reason: .tooLittleMemory(missingBytes: max(0, needed - cluster.shards[shard].memoryBytes)))
            }
            return LayerAssignment.LeftOut(shard: shard, reason: .wouldSlow(secondsPerToken: bound))
        }
    }
}
