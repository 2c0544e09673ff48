// A thread of our own, outside Swift's pool.

internal import Glibc

/// A POSIX thread: blocking reads must not take a thread of Swift's cooperative pool.
///
/// Unchecked: the handle is an integer, used once, to join.
package final class BackgroundThread: @unchecked Sendable {
    private final class Body {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private let handle: pthread_t

    /// Starts a thread that runs `run` once.
    /// - Throws: when the system starts no thread.
    package init(_ run: @escaping @Sendable () -> Void) throws(CheckpointError) {
        let body = Unmanaged.passRetained(Body(run))
        var handle = pthread_t()
        let result = pthread_create(
            &handle, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, body.toOpaque())
        guard result == 0 else {
            body.release()
            throw CheckpointError(.unreadable, "cannot start the thread that loads layers: \(systemMessage(result))")
        }
        self.handle = handle
    }

    /// Waits until it has ended. To be called once.
    package func join() {
        pthread_join(handle, nil)
    }
}
