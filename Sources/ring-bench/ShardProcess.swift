// A ring-shard process beside this program.

/// Started at once, ended by ``stop()``.
final class ShardProcess: Sendable {
    private let process: DaemonProcess

    init(
        model: String, port: UInt16, layers: ClosedRange<Int>, next: UInt16, threads: Int, flags: [String] = []
    ) throws {
        process = try DaemonProcess(
            "ring-shard",
            [
                "-m", model, "-p", "\(port)", "-l", "\(layers.lowerBound)-\(layers.upperBound)",
                "-n", "127.0.0.1:\(next)", "--host", "127.0.0.1", "--threads", "\(threads)", "--log-level", "error",
            ] + flags)
    }

    var command: String { process.command }
    var isRunning: Bool { process.isRunning }

    /// Processor time that it has used.
    var processorSeconds: Double { process.processorSeconds }

    func stop() { process.stop() }

    /// A loopback port that was free a moment ago.
    static func freePort() throws -> UInt16 { try DaemonProcess.freePort() }
}
