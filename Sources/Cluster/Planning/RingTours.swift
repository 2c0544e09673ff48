// The cheapest way round some of the machines, for every choice of them.

/// Held and Karp's dynamic program: for every set of shards and every last one of it, the cheapest way from the API
/// through all shards of the set. Time n² 2ⁿ, memory n 2ⁿ numbers.
struct RingTours: Sendable {
    /// Costs of links; infinite where a link must not be used.
    struct Costs: Sendable {
        var between: [[Double]]
        var fromAPI: [Double]
        var toAPI: [Double]
    }

    let count: Int
    private let costs: Costs
    private let combine: CostCombination
    /// `[set, last]`, without the way back to the API.
    private let ways: [Double]

    /// - Parameter first: the only shard that a way may begin with; `nil` for any.
    init(_ costs: Costs, _ combine: CostCombination, first: Int? = nil) {
        let count = costs.fromAPI.count
        var ways = [Double](repeating: .infinity, count: count << count)
        for shard in 0..<count where first == nil || first == shard {
            ways[(1 << shard) * count + shard] = costs.fromAPI[shard]
        }
        ways.withUnsafeMutableBufferPointer { ways in
            for set in 1..<(1 << count) {
                for last in 0..<count where set & (1 << last) != 0 {
                    let way = ways[set * count + last]
                    guard way < .infinity else { continue }
                    for next in 0..<count where set & (1 << next) == 0 {
                        let index = (set | 1 << next) * count + next
                        ways[index] = min(ways[index], combine(way, costs.between[last][next]))
                    }
                }
            }
        }
        self.count = count
        self.costs = costs
        self.combine = combine
        self.ways = ways
    }

    /// Cost of the cheapest round from the API through all of `set` with `last` at the end, and back; infinite when
    /// there is none.
    func cost(_ set: Int, last: Int) -> Double { combine(ways[set * count + last], costs.toAPI[last]) }

    /// The shards of that round in order.
    func order(_ set: Int, last: Int) -> [Int] {
        var order = [last]
        var set = set
        var last = last
        while set != 1 << last {
            let rest = set & ~(1 << last)
            let way = ways[set * count + last]
            let before = (0..<count).filter { rest & (1 << $0) != 0 }
                .min { one, other in
                    distance(ways[rest * count + one], one, last, way)
                        < distance(ways[rest * count + other], other, last, way)
                }
            guard let before else { break }
            order.append(before)
            (set, last) = (rest, before)
        }
        return order.reversed()
    }

    /// How far the way over `before` is from the cheapest: zero for the one that made it.
    private func distance(_ way: Double, _ before: Int, _ last: Int, _ cheapest: Double) -> Double {
        abs(combine(way, costs.between[before][last]) - cheapest)
    }
}
