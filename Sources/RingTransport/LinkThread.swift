// Threads of links and listeners.

import CLinux
import Glibc

/// A thread that runs one function.
final class LinkThread: Sendable {
    private enum Joining {
        case none, underWay, done
    }

    private let thread: pthread_t
    private let joining = Monitor(Joining.none)

    /// Starts a thread.
    /// - Parameter name: at most 15 bytes are shown by the system.
    /// - Throws: ``LinkError/system(operation:code:)`` when the system has no thread to give.
    init(name: String, _ body: @escaping @Sendable () -> Void) throws(LinkError) {
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
                clinux_name_thread(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw .system(operation: "starting a thread", code: code)
        }
        self.thread = thread
    }

    deinit {
        // Nobody waits for it any more: it ends by itself.
        if joining.withLock({ $0 == .none }) { pthread_detach(thread) }
    }

    /// Whether the calling thread is this one.
    var isCurrent: Bool { pthread_equal(thread, pthread_self()) != 0 }

    /// Returns when the thread has ended; at once when called from the thread itself.
    func join() {
        guard !isCurrent else { return }
        let isFirst = joining.withLock { joining in
            guard joining == .none else { return false }
            joining = .underWay
            return true
        }
        if isFirst {
            pthread_join(thread, nil)
            joining.withLock { $0 = .done }
            joining.signal()
        } else {
            // The first caller is waiting for the same thread.
            joining.withLock(until: nil) { $0 == .done ? () : nil }
        }
    }

    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}
