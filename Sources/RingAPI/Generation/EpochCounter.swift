// Numbers for epochs, larger than any before them, over restarts too.

/// Counts epochs up from the time of day at which the process started.
///
/// Shards refuse an epoch that is not larger than their own, so a restarted API must begin beyond where it was;
/// counting from the clock needs no file. The low 16 bits leave room for as many epochs within the first millisecond.
struct EpochCounter: Equatable, Sendable {
    private static let bitsBelowMilliseconds: UInt64 = 16
    /// How far the first leap goes. Each next goes twice as far: 22 of them make up for a clock set back by a month.
    private static let leapFirst: UInt64 = 1000 << bitsBelowMilliseconds
    /// Leaps no longer grow beyond 12 days, so that the counter cannot overflow.
    private static let leapMax: UInt64 = leapFirst << 20

    /// The latest epoch given out.
    private(set) var latest: UInt64
    private var leap = leapFirst

    init(wallClockMilliseconds: UInt64) {
        // 47 bits of milliseconds last some 4,000 years.
        latest = (wallClockMilliseconds & ((1 << 47) - 1)) << Self.bitsBelowMilliseconds
    }

    mutating func next() -> UInt64 {
        latest += 1
        return latest
    }

    /// A shard has seen larger epochs, because the clock went back since: moves ahead, further each time.
    mutating func leapAhead() {
        latest += leap
        leap = min(leap * 2, Self.leapMax)
    }
}
