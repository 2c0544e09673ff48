// A bare socket that plays a neighbor, so that tests can say anything at any time.

import Glibc
import Testing
import Wire

@testable import RingTransport

/// One end of a connection, driven by the test step by step; blocks for at most half a minute.
final class RawPeer: Sendable {
    private let descriptor: Int32

    fileprivate init(descriptor: Int32) {
        self.descriptor = descriptor
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { _ = Glibc.close(descriptor) }

    /// Connects to a listener on this machine.
    static func connect(to address: RingAddress) throws -> RawPeer {
        let candidate = try #require(try SocketAddress.resolve(address).first)
        let descriptor = socket(candidate.family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let peer = RawPeer(descriptor: descriptor)
        try #require(candidate.withPointer { Glibc.connect(descriptor, $0, $1) } == 0, "\(SystemError.text(errno))")
        return peer
    }

    /// The descriptor of an accepted connection, which may have been made nonblocking.
    static func over(_ connection: AcceptedConnection) throws -> RawPeer {
        let descriptor = try #require(connection.takeDescriptor())
        _ = fcntl(descriptor, F_SETFL, 0)
        return RawPeer(descriptor: descriptor)
    }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            try #require(count > 0, "\(SystemError.text(errno))")
            sent += count
        }
    }

    func send(_ frame: Frame) throws {
        let encoded = try FrameCodec.encode(frame)
        try send(encoded.head + encoded.payload)
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Bytes that arrive, at most `count`; fewer when the other end closes.
    func receive(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let received = bytes.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress.map { $0 + filled }, count - filled, 0)
            }
            if received < 0 && errno == ECONNRESET { break }
            try #require(received >= 0, "\(SystemError.text(errno))")
            if received == 0 { break }
            filled += received
        }
        return Array(bytes.prefix(filled))
    }

    /// The next frame; `nil` when the other end closed.
    func receiveFrame() throws -> Frame? {
        let prefix = try receive(4)
        guard prefix.count == 4 else { return nil }
        let length = prefix.reduce(0) { $0 << 8 | Int($1) }
        let message = try receive(length)
        guard message.count == length else { return nil }
        return try message.withUnsafeBytes { try FrameCodec.decode($0) }
    }

    /// The next frame that is no heartbeat; `nil` when the other end closed.
    func receiveFrameBesideHeartbeats() throws -> Frame? {
        while let frame = try receiveFrame() {
            if case .heartbeat = frame.message { continue }
            return frame
        }
        return nil
    }

    /// The message of the next frame that is no heartbeat; `nil` when the other end closed.
    func receiveMessage() throws -> Message? { try receiveFrameBesideHeartbeats()?.message }

    /// Everything until the other end closes.
    func receiveToEnd() throws -> String {
        String(decoding: try receive(1 << 20), as: UTF8.self)
    }

    /// Introduces itself as the side that connected, and reads the answer.
    func introduce(as hello: Hello) throws -> Hello {
        try send(Frame(.hello(hello)))
        return try answeredHello()
    }

    private func answeredHello() throws -> Hello {
        guard case .hello(let answer) = try receiveMessage() else { throw UnexpectedFrame() }
        return answer
    }

    /// Answers the introduction of the side that connected.
    func answer(as hello: Hello) throws -> Hello {
        let theirs = try answeredHello()
        try send(Frame(.hello(hello)))
        return theirs
    }

    struct UnexpectedFrame: Error {}
}

/// A listening socket that hands each connection to the test as a ``RawPeer``.
final class RawListener: Sendable {
    let address: RingAddress
    private let listener: PortListener
    private let connections: EventLog<RawPeer>

    init() throws {
        let connections = EventLog<RawPeer>()
        self.connections = connections
        listener = try PortListener(on: .loopback, logger: CapturedLog.logger().0) { connection in
            if let peer = try? RawPeer.over(connection) { connections.append(peer) }
        }
        try listener.start()
        address = listener.address
    }

    /// The connection with this number, counted from 0.
    func connection(_ index: Int) throws -> RawPeer {
        try connections.wait(count: index + 1)[index]
    }

    func close() { listener.close() }
}

extension RingAddress {
    /// Any free port of this machine.
    static let loopback = RingAddress(host: "127.0.0.1", port: 0)
}

extension Hello {
    static func shard(_ name: String, version: UInt32 = WireLimits.protocolVersion) -> Hello {
        Hello(protocolVersion: version, softwareVersion: "test", name: name, role: .shard)
    }
}

extension Frame {
    /// A step with a payload of `payloadBytes` bytes (a multiple of 4) whose contents depend on `stepID`.
    static func step(_ stepID: UInt64, payloadBytes: Int = 0) -> Frame {
        let run = SequenceRun(sequenceID: 1, position: 0, tokens: [1], promptCount: 1)
        let columns = payloadBytes / 4
        // At most 65,536 columns; more bytes take more rows.
        let rows = max(1, columns / 16384)
        var step = Step(epoch: 1, stepID: stepID, runs: [run])
        step.runs[0].tokens = Array(repeating: 7, count: rows)
        guard payloadBytes > 0 else { return Frame(.step(step)) }
        step.nextLayer = 1
        step.hiddenSize = UInt32(columns / rows)
        let payload = [UInt8](unsafeUninitializedCapacity: rows * (columns / rows) * 4) { target, count in
            for index in target.indices { target[index] = UInt8(truncatingIfNeeded: index &* 31 &+ Int(stepID)) }
            count = target.count
        }
        step.checksum = Checksum.xxh3(of: payload)
        return Frame(.step(step), payload: payload)
    }

    /// The step's number, if this is one.
    var stepID: UInt64? {
        if case .step(let step) = message { step.stepID } else { nil }
    }
}
