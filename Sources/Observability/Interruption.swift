// Ctrl-C while something long goes on that can be continued later.

import Glibc
import Synchronization

/// Whether SIGINT or SIGTERM arrived in ``watched(_:)``. For work before ``Daemon/run(_:logger:)``, which looks after
/// signals itself: the work asks now and then, leaves what it has in order, and ends.
public enum Interruption {
    private static let signal = Atomic<Int32>(0)

    public static var isAsked: Bool { signal.load(ordering: .relaxed) != 0 }

    /// Runs `body`, during which signals are noted and do nothing else. Afterwards they do again what they do by
    /// default; one that was noted does it then, so that the program ends as if it had not been noted.
    public static func watched<R>(_ body: () throws -> R) rethrows -> R {
        // Made before a handler could be the first to touch it.
        signal.store(0, ordering: .relaxed)
        for number in [SIGINT, SIGTERM] { Glibc.signal(number) { Interruption.signal.store($0, ordering: .relaxed) } }
        defer {
            for number in [SIGINT, SIGTERM] { Glibc.signal(number, SIG_DFL) }
            let noted = signal.load(ordering: .relaxed)
            if noted != 0 { endBy(noted) }
        }
        return try body()
    }

    /// Worker threads of the runtime block signals, so the one that is to end the program is let through first.
    private static func endBy(_ number: Int32) {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, number)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        raise(number)
    }
}
