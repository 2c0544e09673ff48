// State behind a lock that threads can wait on.

internal import Glibc

/// A mutex, a condition and the state they guard. The standard library's Mutex has no condition to wait on.
///
/// Unchecked: the state is only touched under the mutex.
final class Monitor<State>: @unchecked Sendable {
    private var state: State
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init(_ state: State) {
        self.state = state
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        // With default attributes neither can fail on Linux.
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func withLock<R>(_ body: (inout State) throws -> R) rethrows -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }

    /// Tries `attempt` under the lock until it returns something, waiting for ``wakeAll()`` after each failure.
    func wait<R>(for attempt: (inout State) throws -> R?) rethrows -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = try attempt(&state) { return result }
            pthread_cond_wait(condition, mutex)
        }
    }

    /// Lets all who wait try again.
    func wakeAll() {
        pthread_cond_broadcast(condition)
    }
}
