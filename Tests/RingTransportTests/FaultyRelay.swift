// A relay between two daemons that does to their bytes what networks do.

import Glibc
import Testing

@testable import RingTransport

/// Passes bytes both ways between whoever connects and a target, until told to misbehave.
final class FaultyRelay: Sendable {
    private struct State {
        var connections: [[Socket]] = []
        var threads: [LinkThread] = []
        var isFrozen = false
        var flips: [Int: UInt8] = [:]
        var isClosed = false
    }

    let address: RingAddress
    private let listener: PortListener
    private let state = Monitor(State())

    /// - Parameter target: where bytes are passed to.
    init(to target: RingAddress) throws {
        let pass = Monitor<(@Sendable (AcceptedConnection) -> Void)?>(nil)
        listener = try PortListener(on: .loopback, logger: CapturedLog.logger().0) { connection in
            pass.withLock { $0 }?(connection)
        }
        address = listener.address
        pass.withLock { $0 = { [weak self] connection in self?.relay(connection, to: target) } }
        try listener.start()
    }

    /// Breaks the connections there are; new ones work.
    func cut() {
        for socket in state.withLock({ $0.connections }).joined() { socket.shutdown() }
    }

    /// Passes nothing on any more, while the connections stay open; or passes again.
    func freeze(_ isFrozen: Bool = true) {
        state.withLock { $0.isFrozen = isFrozen }
        state.signal()
    }

    /// Flips bits of a byte of the forward stream of each connection to come.
    func flip(_ bits: UInt8, ofForwardByte index: Int) {
        state.withLock { $0.flips[index] = bits }
    }

    func close() {
        listener.close()
        let (sockets, threads) = state.withLock { state in
            state.isClosed = true
            return (state.connections.joined(), state.threads)
        }
        state.signal()
        for socket in sockets { socket.shutdown() }
        for thread in threads { thread.join() }
    }

    private func relay(_ connection: AcceptedConnection, to target: RingAddress) {
        guard let descriptor = connection.takeDescriptor() else { return }
        let upstream = Socket(descriptor: descriptor)
        guard let downstream = try? Dialer().dial(target, timeout: .seconds(5)) else { return }
        state.withLock { state in
            state.connections.append([upstream, downstream])
            let flips = state.flips
            let forward = try? LinkThread(name: "relay") { [self] in copy(from: upstream, to: downstream, flips) }
            let backward = try? LinkThread(name: "relay") { [self] in copy(from: downstream, to: upstream, [:]) }
            state.threads += [forward, backward].compactMap { $0 }
        }
    }

    private func copy(from source: Socket, to target: Socket, _ flips: [Int: UInt8]) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var position = 0
        while true {
            _ = source.waitToReceive(until: .now() + .seconds(60))
            let isOver = state.withLock(until: nil) { $0.isClosed ? true : $0.isFrozen ? nil : false }
            guard isOver == false, case .bytes(let count) = buffer.withUnsafeMutableBytes({ source.receive(into: $0) })
            else { break }
            for (index, bits) in flips where (position..<(position + count)).contains(index) {
                buffer[index - position] ^= bits
            }
            position += count
            guard pass(buffer[..<count], to: target) else { break }
        }
        source.shutdown()
        target.shutdown()
    }

    private func pass(_ bytes: ArraySlice<UInt8>, to target: Socket) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let transfer = rest.withUnsafeBytes { target.send($0, UnsafeRawBufferPointer(start: nil, count: 0)) }
            switch transfer {
            case .bytes(let count): rest = rest.dropFirst(count)
            case .wouldBlock:
                var poll = pollfd(fd: target.descriptor, events: Int16(POLLOUT), revents: 0)
                _ = Glibc.poll(&poll, 1, 1000)
            case .closedByPeer, .failed: return false
            }
        }
        return true
    }
}
