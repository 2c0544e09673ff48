// Wakes a thread that polls.

import CLinux
import Glibc

/// An event descriptor: signaling it makes it readable.
final class WakeUp: Sendable {
    let descriptor: Int32

    /// - Throws: ``LinkError/system(operation:code:)`` when there are no descriptors left.
    init() throws(LinkError) {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard descriptor >= 0 else { throw .system(operation: "making an event descriptor", code: errno) }
    }

    deinit { _ = Glibc.close(descriptor) }

    func signal() {
        eventfd_write(descriptor, 1)
    }

    /// Makes it unreadable until the next signal.
    func clear() {
        var count: eventfd_t = 0
        eventfd_read(descriptor, &count)
    }
}
