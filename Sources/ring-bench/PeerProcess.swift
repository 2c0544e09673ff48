// The peer: llama.cpp in a Python process that does what it is told, a line of JSON at a time.

import FoundationEssentials
import Glibc
import Synchronization

final class PeerProcess: Sendable {
    private let identifier: pid_t
    private let input: Int32
    private let output: Int32
    private let rest = Mutex<[UInt8]>([])

    /// What the script may be asked for; see tools/bench/peer.py.
    enum Request: Encodable {
        case load(model: String, threads: Int, context: Int)
        case prefill(tokens: Int)
        case decode(tokens: Int, prompt: Int)
        case greedy(prompt: [Int], tokens: Int)
        /// For `tell` alone, with a cache in float32 if `isFloat`.
        case loadForTelling(model: String, threads: Int, context: Int, isFloat: Bool)
        case tell(text: [Int])

        private enum CodingKeys: String, CodingKey {
            case name = "do"
            case model, threads, context, tokens, prompt, telling, text
            case isFloat = "float"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            switch self {
            case .load(let model, let threads, let context):
                try container.encode("load", forKey: .name)
                try container.encode(model, forKey: .model)
                try container.encode(threads, forKey: .threads)
                try container.encode(context, forKey: .context)
            case .prefill(let tokens):
                try container.encode("prefill", forKey: .name)
                try container.encode(tokens, forKey: .tokens)
            case .decode(let tokens, let prompt):
                try container.encode("decode", forKey: .name)
                try container.encode(tokens, forKey: .tokens)
                try container.encode(prompt, forKey: .prompt)
            case .greedy(let prompt, let tokens):
                try container.encode("greedy", forKey: .name)
                try container.encode(prompt, forKey: .prompt)
                try container.encode(tokens, forKey: .tokens)
            case .loadForTelling(let model, let threads, let context, let isFloat):
                try Self.load(model: model, threads: threads, context: context).encode(to: encoder)
                try container.encode(true, forKey: .telling)
                try container.encode(isFloat, forKey: .isFloat)
            case .tell(let text):
                try container.encode("tell", forKey: .name)
                try container.encode(text, forKey: .text)
            }
        }
    }

    struct Answer: Decodable {
        var error: String?
        var seconds: Double?
        var tokens: [Int]?
        var logProbabilities: [Double]?
        var version: String?
    }

    /// The longest that one request may take.
    private static let timeoutMilliseconds: Int32 = 600_000
    /// The longest answer: a few thousand tokens.
    private static let answerBytesMax = 1 << 20

    init(python: String, script: String) throws {
        let requests = try Self.pipe()
        let answers = try Self.pipe()
        defer {
            close(requests[0])
            close(answers[1])
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, requests[0], 0)
        posix_spawn_file_actions_adddup2(&actions, answers[1], 1)
        var argv = [strdup(python), strdup(script), nil]
        defer { for argument in argv { free(argument) } }
        var identifier = pid_t()
        let status = posix_spawnp(&identifier, python, &actions, nil, &argv, environ)
        input = requests[1]
        output = answers[0]
        self.identifier = identifier
        guard status == 0 else {
            throw BenchError("\(python) cannot be started: \(String(cString: strerror(status)))")
        }
        // A peer that ended shows as an error of write, not as a signal.
        signal(SIGPIPE, SIG_IGN)
    }

    /// The ends to read and to write, neither for other programs that this one starts.
    private static func pipe() throws -> [Int32] {
        var ends: [Int32] = [0, 0]
        guard Glibc.pipe(&ends) == 0 else { throw BenchError("no pipe: \(String(cString: strerror(errno)))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return ends
    }

    func stop() {
        close(input)
        close(output)
        waitpid(identifier, nil, 0)
    }

    @discardableResult
    func ask(_ request: Request) throws -> Answer {
        let line = try JSONEncoder().encode(request) + [UInt8(ascii: "\n")]
        let written = line.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
        guard written == line.count else { throw BenchError("the peer's process ended") }
        let answer = try JSONDecoder().decode(Answer.self, from: Data(readLine()))
        if let error = answer.error { throw BenchError("the peer: \(error)") }
        return answer
    }

    /// Seconds that the request took, by the peer's own clock.
    func seconds(_ request: Request) throws -> Double {
        guard let seconds = try ask(request).seconds, seconds > 0 else { throw BenchError("the peer told no time") }
        return seconds
    }

    private func readLine() throws -> [UInt8] {
        try rest.withLock { rest in
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    defer { rest.removeFirst(end + 1) }
                    return Array(rest[..<end])
                }
                var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
                guard rest.count < Self.answerBytesMax, poll(&waiting, 1, Self.timeoutMilliseconds) > 0 else {
                    throw BenchError("the peer did not answer")
                }
                let count = read(output, &buffer, buffer.count)
                guard count > 0 else { throw BenchError("the peer's process ended; its own message is above") }
                rest += buffer[..<count]
            }
        }
    }
}
