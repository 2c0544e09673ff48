// Time that only goes forward, as a value, so that what depends on time can be tested without waiting.

import Glibc

/// A moment of the system's monotonic clock.
struct MonotonicTime: Comparable, Hashable, Sendable {
    var nanoseconds: Int64

    static func now() -> MonotonicTime {
        var time = Glibc.timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    static func < (left: MonotonicTime, right: MonotonicTime) -> Bool { left.nanoseconds < right.nanoseconds }

    static func + (time: MonotonicTime, duration: Duration) -> MonotonicTime {
        let (seconds, attoseconds) = duration.components
        let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        // Centuries from now are as good as never.
        guard !overflow else { return MonotonicTime(nanoseconds: .max) }
        let (sum, tooLate) = time.nanoseconds.addingReportingOverflow(nanoseconds + attoseconds / 1_000_000_000)
        return MonotonicTime(nanoseconds: tooLate ? .max : sum)
    }

    static func - (later: MonotonicTime, earlier: MonotonicTime) -> Duration {
        .nanoseconds(later.nanoseconds - earlier.nanoseconds)
    }

    /// Milliseconds from `now` until this moment for `poll`, rounded up so that it is not woken just before; 0 when
    /// it has passed.
    func pollMilliseconds(from now: MonotonicTime) -> Int32 {
        guard self > now else { return 0 }
        let milliseconds = (nanoseconds - now.nanoseconds - 1) / 1_000_000 + 1
        return Int32(clamping: milliseconds)
    }

    var timespec: Glibc.timespec {
        Glibc.timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    }
}
