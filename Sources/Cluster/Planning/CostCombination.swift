// How the costs of parts make up the cost of the whole.

enum CostCombination: Sendable {
    /// Each part is waited for, one after the other.
    case sum
    /// The parts work at the same time, and the slowest holds up the others.
    case slowest

    init(_ objective: PlanningObjective) {
        switch objective {
        case .latency: self = .sum
        case .throughput: self = .slowest
        }
    }

    @inline(__always)
    func callAsFunction(_ one: Double, _ other: Double) -> Double {
        switch self {
        case .sum: one + other
        case .slowest: max(one, other)
        }
    }
}
