// Reads frames from a socket.

import Glibc
import Wire

/// Turns a socket's bytes into frames, with at most one copy of a payload: what lies in the buffer when its frame
/// begins.
///
/// Unchecked: one thread at a time uses it, which ``DeliveryTurns`` sees to where there are two.
final class FrameReceiver: @unchecked Sendable {
    /// Bytes read at once: a decode step of some streams arrives in one call; longer payloads are read straight to
    /// where they stay.
    private static let bufferBytes = 64 << 10
    /// Polls without sleeping between two looks at the clock and an offer to others to run.
    private static let spinsBetweenYields = 64

    private let socket: Socket
    private let spin: Duration
    private let silenceMax: Duration
    private let buffer: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0

    init(_ socket: Socket, spin: Duration, silenceMax: Duration) {
        self.socket = socket
        self.spin = spin
        buffer = .allocate(byteCount: Self.bufferBytes, alignment: 64)
        self.silenceMax = silenceMax
        socket.setReceiveTimeout(silenceMax)
    }

    deinit { buffer.deallocate() }

    /// Reads the next frame.
    /// - Parameters:
    ///   - messageBytesMax: the longest message to accept.
    ///   - isFirst: whether these are the connection's first bytes.
    ///   - deadline: when to give up whatever was heard; `nil` gives up after silence only.
    func next(messageBytesMax: Int, isFirst: Bool = false, deadline: MonotonicTime? = nil) throws(LinkError) -> Frame {
        let prefixBytes = WireLimits.lengthPrefixBytes
        try fill(to: prefixBytes, deadline)
        let messageBytes: Int
        do throws(WireError) {
            messageBytes = try FramePrefix.messageBytes(buffered, limit: messageBytesMax, isFirst: isFirst)
        } catch { throw .wire(error) }
        guard prefixBytes + messageBytes <= buffer.count else {
            start += prefixBytes
            return try nextLong(messageBytes, deadline)
        }
        try fill(to: prefixBytes + messageBytes, deadline)
        let message = UnsafeRawBufferPointer(rebasing: buffered[prefixBytes..<(prefixBytes + messageBytes)])
        start += prefixBytes + messageBytes
        return try Self.decoded { () throws(WireError) in try FrameCodec.decode(message) }.get()
    }

    /// Reads a message that the buffer cannot hold: its fields through the buffer, its payload straight into an array.
    private func nextLong(_ messageBytes: Int, _ deadline: MonotonicTime?) throws(LinkError) -> Frame {
        while true {
            switch PayloadPlacement(of: buffered, messageBytes: messageBytes) {
            case .unknown where buffered.count < buffer.count: try fill(to: buffered.count + 1, deadline)
            case .last(let fieldBytes, let offset):
                let fields = [UInt8](buffered[..<fieldBytes])
                start += offset
                let payload = try readArray(messageBytes - offset, deadline)
                return try fields.withUnsafeBytes { fields in
                    Self.decoded { () throws(WireError) in try FrameCodec.decode(fields: fields, payload: payload) }
                }.get()
            case .unknown, .whole:
                let message = try readArray(messageBytes, deadline)
                return try message.withUnsafeBytes { message in
                    Self.decoded { () throws(WireError) in try FrameCodec.decode(message) }
                }.get()
            }
        }
    }

    private var buffered: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[start..<end]) }

    /// Reads until the buffer holds `count` bytes, which must not be more than it can hold.
    private func fill(to count: Int, _ deadline: MonotonicTime?) throws(LinkError) {
        if start == end { (start, end) = (0, 0) }
        if start + count > buffer.count {
            buffer.copyMemory(from: buffered)
            (start, end) = (0, end - start)
        }
        while end - start < count {
            end += try receive(into: UnsafeMutableRawBufferPointer(rebasing: buffer[end...]), deadline)
        }
    }

    /// Takes `count` bytes from the buffer and the socket.
    private func readArray(_ count: Int, _ deadline: MonotonicTime?) throws(LinkError) -> [UInt8] {
        var failure: LinkError?
        let array = [UInt8](unsafeUninitializedCapacity: count) { target, filled in
            let target = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(target)[..<count])
            filled = min(end - start, count)
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<(start + filled)]))
            start += filled
            while filled < count {
                do throws(LinkError) {
                    filled += try receive(into: UnsafeMutableRawBufferPointer(rebasing: target[filled...]), deadline)
                } catch {
                    failure = error
                    return
                }
            }
        }
        if let failure { throw failure }
        return array
    }

    /// Receives some bytes, waiting for them.
    ///
    /// Only time spent here counts as the peer's silence: a daemon that computed for a minute has not listened, and
    /// what was said meanwhile is yet to be read.
    private func receive(
        into target: UnsafeMutableRawBufferPointer, _ deadline: MonotonicTime?
    ) throws(LinkError) -> Int {
        if spin > .zero, let count = try spinning(into: target) { return count }
        if let deadline, !socket.waitToReceive(until: deadline) { throw .noHello }
        guard let count = try received(socket.receiveBlocking(into: target)) else { throw .silent(silenceMax) }
        return count
    }

    /// Receives some bytes without sleeping, for as long as is allowed.
    private func spinning(into target: UnsafeMutableRawBufferPointer) throws(LinkError) -> Int? {
        let end = MonotonicTime.now() + spin
        repeat {
            for _ in 0..<Self.spinsBetweenYields {
                if let count = try received(socket.receive(into: target)) { return count }
            }
            sched_yield()
        } while MonotonicTime.now() < end
        return nil
    }

    private func received(_ transfer: Socket.Transfer) throws(LinkError) -> Int? {
        switch transfer {
        case .bytes(let count): return count
        case .wouldBlock: return nil
        case .closedByPeer: throw .closedByPeer
        case .failed(let code): throw .system(operation: "receiving", code: code)
        }
    }

    private static func decoded(_ decode: () throws(WireError) -> Frame) -> Result<Frame, LinkError> {
        Result(catching: decode).mapError(LinkError.wire)
    }
}
