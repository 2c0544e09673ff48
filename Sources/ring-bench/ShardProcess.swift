// A ring-shard process beside this program.

import Glibc
import Synchronization

/// Started at once, ended by ``stop()``.
final class ShardProcess: Sendable {
    let command: String
    private let identifier: pid_t
    private let ended = Mutex(false)

    init(
        model: String, port: UInt16, layers: ClosedRange<Int>, next: UInt16, threads: Int, flags: [String] = []
    ) throws {
        let program = try Self.programBesideThisOne("ring-shard")
        let arguments =
            [
                program, "-m", model, "-p", "\(port)", "-l", "\(layers.lowerBound)-\(layers.upperBound)",
                "-n", "127.0.0.1:\(next)", "--host", "127.0.0.1", "--threads", "\(threads)", "--log-level", "error",
            ] + flags
        command = arguments.joined(separator: " ")
        var argv = arguments.map { strdup($0) } + [nil]
        defer { for argument in argv { free(argument) } }
        var identifier = pid_t()
        let status = posix_spawn(&identifier, program, nil, nil, &argv, environ)
        guard status == 0 else {
            throw BenchError("\(program) cannot be started: \(String(cString: strerror(status)))")
        }
        self.identifier = identifier
    }

    var isRunning: Bool {
        ended.withLock { ended in
            if !ended { ended = waitpid(identifier, nil, WNOHANG) != 0 }
            return !ended
        }
    }

    /// Processor time that it has used.
    var processorSeconds: Double {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(identifier, &clock) == 0, clock_gettime(clock, &time) == 0 else { return 0 }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    func stop() {
        ended.withLock { ended in
            guard !ended else { return }
            kill(identifier, SIGTERM)
            waitpid(identifier, nil, 0)
            ended = true
        }
    }

    private static func programBesideThisOne(_ name: String) throws -> String {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        let own = String(decoding: path.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = own.lastIndex(of: "/") else { throw BenchError("cannot tell where this program lies") }
        let program = own[...slash] + name
        guard access(String(program), X_OK) == 0 else { throw BenchError("\(program) is missing; run make build") }
        return String(program)
    }

    /// A loopback port that was free a moment ago.
    static func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw BenchError("no socket: \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard bound else { throw BenchError("no free port: \(String(cString: strerror(errno)))") }
        return UInt16(bigEndian: address.sin_port)
    }
}
