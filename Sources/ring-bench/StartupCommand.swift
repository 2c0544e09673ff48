// How long daemons take from their start until they serve.

import ArgumentParser
import FoundationEssentials
import Glibc

struct StartupCommand: BenchJob {
    static let configuration = CommandConfiguration(
        commandName: "startup", abstract: "From the start of the daemons until they serve, beside reading the weights.")

    @OptionGroup var options: BenchOptions

    @Option(help: ArgumentHelp("4, 8 or bf16: models that one shard loads.", valueName: "format"))
    var bits: [BenchFormat] = BenchFormat.allCases

    @Option(help: ArgumentHelp("Model of the ring of two shards and the API.", valueName: "dir"))
    var demo = "examples/model"

    /// Ready in at most this many times the time of reading the weights once.
    private static let readingsMax = 1.2

    func measure(into report: BenchReport) async throws {
        for format in bits { try measureShard(format, report) }
        let milliseconds = try (0..<options.rounds).map { _ in try DemoRing.millisecondsToServe(demo) }
        var row = BenchRow(
            name: "start of two shards and the API, example model", unit: "ms", better: .lower,
            ours: Samples(milliseconds))
        row.goal = BenchRow.Goal(most: 1000)
        row.note = "all three processes started at once, until GET /health says ok"
        report.add(row)
    }

    private func measureShard(_ format: BenchFormat, _ report: BenchReport) throws {
        let model = options.models + "/" + format.directory
        let file = model + "/model.safetensors"
        let card = try BenchModel.read(model)
        let bytes = Double(try card.weightBytes(of: model))
        var fromDisk: [Double] = []
        var reading: [Double] = []
        var fromCache: [Double] = []
        for _ in 0..<options.rounds {
            try Self.dropFromPageCache(file)
            reading.append(bytes / (try DiskRate.bytesPerSecond(of: file, depth: 4)) * 1000)
            try Self.dropFromPageCache(file)
            fromDisk.append(try Self.milliseconds(model, card))
            fromCache.append(try Self.milliseconds(model, card))
        }
        var row = BenchRow(
            name: "start of one shard, \(format.name), from the disk", unit: "ms", better: .lower,
            ours: Samples(fromDisk))
        row.limit = reading.median
        row.limitName = "bytes of the weights ÷ disk read rate, O_DIRECT, 4 at a time"
        row.goal = BenchRow.Goal(fraction: 1 / Self.readingsMax)
        row.note = "from the start of the process until it has taken up an epoch; weights not in the page cache"
        report.add(row)
        report.add(
            BenchRow(
                name: "start of one shard, \(format.name), from the page cache", unit: "ms", better: .lower,
                ours: Samples(fromCache)))
    }

    private static func milliseconds(_ model: String, _ card: BenchModel) throws -> Double {
        let begun = ContinuousClock.now
        let ring = try BenchRing(model: model, card: card, shardCount: 1, threads: 1)
        defer { ring.stop() }
        try ring.begin()
        return begun.duration(to: .now).microseconds / 1000
    }

    private static func dropFromPageCache(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw BenchError("\(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        let status = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        guard status == 0 else { throw BenchError("\(path): \(String(cString: strerror(status)))") }
    }
}

/// The ring of `make demo`.
private enum DemoRing {
    /// The ring must serve within this time.
    private static let timeout: Duration = .seconds(60)

    static func millisecondsToServe(_ model: String) throws -> Double {
        let card = try BenchModel.read(model)
        let cuts = card.cut(into: 2)
        let ports = try (0..<3).map { _ in try DaemonProcess.freePort() }
        let api = ports[2]
        let begun = ContinuousClock.now
        let shards = try cuts.indices.map { index in
            try ShardProcess(
                model: model, port: ports[index], layers: cuts[index], next: ports[index + 1], threads: 1)
        }
        defer { for shard in shards { shard.stop() } }
        let server = try DaemonProcess(
            "ring-api",
            [
                "-m", model, "-a", "127.0.0.1:\(api)", "-s", "127.0.0.1:\(ports[0])", "--log-level", "error",
            ])
        defer { server.stop() }
        while !isHealthy(api) {
            guard server.isRunning, shards.allSatisfy(\.isRunning) else { throw BenchError("a daemon ended") }
            guard begun.duration(to: .now) < timeout else { throw BenchError("the ring did not come up") }
            usleep(2000)
        }
        return begun.duration(to: .now).microseconds / 1000
    }

    /// Whether GET /health says that the ring serves.
    private static func isHealthy(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        let request = Array("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
        guard isConnected, send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            return false
        }
        // The status line is enough: 503 until the ring is complete.
        let wanted = Array("HTTP/1.1 200".utf8)
        var answer = [UInt8](repeating: 0, count: wanted.count)
        return recv(descriptor, &answer, answer.count, Int32(MSG_WAITALL)) == wanted.count && answer == wanted
    }
}
