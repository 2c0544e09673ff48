// One row of the table: what ring did, what its peer did, what the machine allows, and the goal.

/// Ratio and fraction say how good ours is: above 1 is faster than the peer, 1 is at the machine's limit.
struct BenchRow: Encodable, Equatable {
    enum Better: String, Encodable {
        case higher, lower
    }

    /// What was measured, to the last parameter.
    let name: String
    let unit: String
    var better = Better.higher
    let ours: Samples
    /// Where another program, or another set-up of ring, does the same: measured in the same run, round by round.
    var peer: Samples?
    /// The peer, with its version where it is another program.
    var peerName: String?
    /// The best that this machine allows, measured in the same run.
    var limit: Double?
    /// What the limit was computed from.
    var limitName: String?
    var goal: Goal?
    /// How ours was driven, and what else a reader must know.
    var note: String?

    /// What the row should reach.
    struct Goal: Encodable, Equatable {
        var ratio: Double?
        var fraction: Double?
        /// At most, in the row's unit, for what is no rate.
        var most: Double?
    }

    /// Ours to the peer's: the median of the rounds' ratios, because what disturbs a machine lasts longer than a round.
    var ratio: Double? {
        guard let peer, !peer.values.isEmpty else { return nil }
        guard peer.values.count == ours.values.count else { return quotient(ours.median, peer.median) }
        return zip(ours.values, peer.values).map { quotient($0, $1) }.median
    }

    /// The lowest and the highest of the rounds' ratios.
    var ratioSpread: ClosedRange<Double>? {
        guard let peer, !peer.values.isEmpty, peer.values.count == ours.values.count else { return nil }
        let ratios = zip(ours.values, peer.values).map { quotient($0, $1) }
        return (ratios.min() ?? 0)...(ratios.max() ?? 0)
    }

    /// Of the limit, from the median.
    var fraction: Double? {
        limit.map { quotient(ours.median, $0) }
    }

    /// `nil` without a goal.
    var reachesGoal: Bool? {
        guard let goal else { return nil }
        if let wanted = goal.ratio, (ratio ?? 0) < wanted { return false }
        if let wanted = goal.fraction, (fraction ?? 0) < wanted { return false }
        if let most = goal.most, ours.median > most { return false }
        return true
    }

    private func quotient(_ ours: Double, _ theirs: Double) -> Double {
        let (above, below) = better == .higher ? (ours, theirs) : (theirs, ours)
        return below > 0 ? above / below : 0
    }

    private enum CodingKeys: CodingKey {
        case name, unit, better, ours, peer, peerName, ratio, limit, limitName, fraction, goal, reachesGoal, note
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(unit, forKey: .unit)
        try container.encode(better, forKey: .better)
        try container.encode(ours, forKey: .ours)
        try container.encodeIfPresent(peer, forKey: .peer)
        try container.encodeIfPresent(peerName, forKey: .peerName)
        try container.encodeIfPresent(ratio, forKey: .ratio)
        try container.encodeIfPresent(limit, forKey: .limit)
        try container.encodeIfPresent(limitName, forKey: .limitName)
        try container.encodeIfPresent(fraction, forKey: .fraction)
        try container.encodeIfPresent(goal, forKey: .goal)
        try container.encodeIfPresent(reachesGoal, forKey: .reachesGoal)
        try container.encodeIfPresent(note, forKey: .note)
    }
}
