// One connection of a link, from its first byte to its last.

import Glibc
import Synchronization
import Wire

/// A socket with what writes to it, and a thread that sends heartbeats and empties the queue.
final class LinkConnection: Sendable {
    let socket: Socket
    let sender: FrameSender
    private let wakeUp: WakeUp
    private let isClosed = Atomic(false)
    private let service = Mutex<LinkThread?>(nil)

    init(_ socket: Socket, configuration: LinkConfiguration) throws(LinkError) {
        self.socket = socket
        wakeUp = try WakeUp()
        sender = FrameSender(socket, wakeUp: wakeUp, configuration: configuration)
    }

    /// Starts the thread that writes.
    func start(name: String) throws(LinkError) {
        let thread = try LinkThread(name: name) { [self] in serve() }
        service.withLock { $0 = thread }
    }

    /// Encodes and sends a message or frame.
    func send(_ frame: Frame) throws(LinkError) {
        let encoded: EncodedFrame
        do throws(WireError) { encoded = try FrameCodec.encode(frame) } catch { throw .wire(error) }
        try sender.send(encoded)
    }

    /// Stops all that goes on over the connection; threads that read or wait return with `error`.
    func stop(_ error: LinkError) {
        sender.fail(error)
        socket.shutdown()
        isClosed.store(true, ordering: .releasing)
        wakeUp.signal()
    }

    /// Returns when the thread that writes has ended; after ``stop(_:)``.
    func join() {
        service.withLock { $0 }?.join()
    }

    /// Lets the peer read what was sent last: a socket closed with bytes unread would discard it.
    /// - Parameter limit: how long to wait for the peer to close its side.
    func linger(_ limit: Duration) {
        socket.shutdownSending()
        let deadline = MonotonicTime.now() + limit
        withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { scratch in
            while MonotonicTime.now() < deadline, socket.waitToReceive(until: deadline) {
                guard case .bytes = socket.receive(into: scratch) else { return }
            }
        }
    }

    private func serve() {
        var heartbeats: UInt64 = 0
        do throws(LinkError) {
            while !isClosed.load(ordering: .acquiring) {
                let isWaiting = try sender.flush()
                switch sender.heartbeatAction() {
                case .send:
                    heartbeats += 1
                    try send(Frame(.heartbeat(Heartbeat(sequenceNumber: heartbeats))))
                case .wait(let until): wait(until: until, forRoom: isWaiting)
                }
            }
        } catch {
            // The thread that reads ends the connection and says why.
            stop(error)
        }
    }

    private func wait(until deadline: MonotonicTime, forRoom: Bool) {
        var polls = (
            pollfd(fd: wakeUp.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: socket.descriptor, events: Int16(POLLOUT), revents: 0)
        )
        withUnsafeMutablePointer(to: &polls) { pointer in
            pointer.withMemoryRebound(to: pollfd.self, capacity: 2) {
                _ = poll($0, forRoom ? 2 : 1, deadline.pollMilliseconds(from: .now()))
            }
        }
        wakeUp.clear()
    }
}
