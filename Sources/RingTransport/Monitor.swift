// A value that threads share, and wait on.

import Glibc

/// A value behind a lock, with waiting for it to become what a thread needs.
///
/// Unchecked: the state is touched only while the mutex is held.
final class Monitor<State>: @unchecked Sendable {
    private var state: State
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init(_ state: State) {
        self.state = state
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        condition.deallocate()
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` with the lock held.
    func withLock<Result, Failure: Error>(_ body: (inout State) throws(Failure) -> Result) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }

    /// Runs `body` with the lock held, again after each ``signal()``, until it returns something; `nil` when the
    /// deadline comes first.
    /// - Parameter deadline: `nil` waits as long as it takes.
    func withLock<Result, Failure: Error>(
        until deadline: MonotonicTime?, _ body: (inout State) throws(Failure) -> Result?
    ) throws(Failure) -> Result? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = try body(&state) { return result }
            if let deadline {
                var time = deadline.timespec
                if pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { return try body(&state) }
            } else {
                pthread_cond_wait(condition, mutex)
            }
        }
    }

    /// Wakes the threads that wait, to look again.
    func signal() {
        pthread_cond_broadcast(condition)
    }
}
