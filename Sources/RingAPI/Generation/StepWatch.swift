// How long steps are on the ring, and which of them will not come back.

/// Watches the steps on the ring by the clock and by probes.
///
/// Frames keep their order on the ring, so when a probe comes back, each step sent before it has come back too, has
/// failed, or, in a ring of several rounds, has gone at least one round further. A step that does none of this was lost
/// with a shard that died.
struct StepWatch {
    private struct Watched {
        var stepID: UInt64
        var sentAt: Duration
        /// Probes that went round the ring behind the step.
        var laps = 0
        var isNoticed = false
    }

    private var watched: [Watched] = []
    /// The probe on its way, and the latest step before it.
    private var probe: (probeID: UInt64, behind: UInt64)?

    var isEmpty: Bool { watched.isEmpty }

    mutating func sent(_ stepID: UInt64, at now: Duration) {
        watched.append(Watched(stepID: stepID, sentAt: now))
    }

    /// - Returns: how long the step was on the ring.
    mutating func ended(_ stepID: UInt64, at now: Duration) -> Duration? {
        guard let index = watched.firstIndex(where: { $0.stepID == stepID }) else { return nil }
        return now - watched.remove(at: index).sentAt
    }

    mutating func clear() {
        watched.removeAll()
        probe = nil
    }

    mutating func probeSent(_ probeID: UInt64) {
        probe = watched.last.map { (probeID, $0.stepID) }
    }

    /// - Returns: a step that can no longer come back.
    mutating func probeReturned(_ probeID: UInt64, rounds: Int) -> UInt64? {
        guard let probe, probe.probeID == probeID else { return nil }
        self.probe = nil
        for index in watched.indices where watched[index].stepID <= probe.behind { watched[index].laps += 1 }
        // One lap more than the rounds, because a failure takes another way back and may come later than the probe.
        return watched.first { $0.laps > rounds }?.stepID
    }

    /// Steps on the ring for longer than `duration` that have not been named before.
    mutating func notice(olderThan duration: Duration, at now: Duration) -> [UInt64] {
        var noticed: [UInt64] = []
        for index in watched.indices where !watched[index].isNoticed && now - watched[index].sentAt >= duration {
            watched[index].isNoticed = true
            noticed.append(watched[index].stepID)
        }
        return noticed
    }

    /// The oldest step, if it is on the ring for longer than `deadline`.
    func overdue(_ deadline: Duration, at now: Duration) -> UInt64? {
        watched.first { now - $0.sentAt >= deadline }?.stepID
    }
}
