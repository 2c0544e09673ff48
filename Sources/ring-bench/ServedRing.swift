// A whole ring as ring-api runs it, without HTTP and text: token ids in, the moments of tokens out.

import Cluster
import Logging
import Observability
import RingAPI
import RingTransport
import Weights
import Wire

/// Owns shard processes and the coordinator that schedules steps over them.
final class ServedRing: Sendable {
    /// When a generation was asked for, and when each of its tokens came.
    struct Timeline: Sendable {
        var asked: ContinuousClock.Instant
        var tokens: [ContinuousClock.Instant] = []
        /// What was generated.
        var text: [UInt32] = []

        /// Seconds until the first token.
        var firstToken: Double { tokens.first.map { asked.duration(to: $0).seconds } ?? .infinity }
        /// Seconds between two tokens, in order.
        var gaps: [Double] { zip(tokens, tokens.dropFirst()).map { $0.duration(to: $1).seconds } }
    }

    let processes: [ShardProcess]
    let coordinator: RingCoordinator
    private let links: RingLinks
    private let listener: PortListener
    private let clock: Task<Void, any Error>
    private let vocabularySize: Int

    /// The ring must be complete within this time: a large model has to be read first.
    private static let startTimeout: Duration = .seconds(600)

    /// Starts the shards; ``whenReady()`` waits for them.
    /// - Parameters:
    ///   - cut: the layers of each shard, in ring order.
    ///   - flags: more flags of every shard.
    init(
        model directory: String, cut: [ClosedRange<Int>], threads: Int, flags: [String] = [],
        limits: SchedulerLimits = SchedulerLimits()
    ) throws {
        var logger = Logger(label: "ring-bench")
        logger.logLevel = .error
        let model = try ServedModel(directory: directory)
        vocabularySize = model.card.vocabularySize
        let ports = try cut.map { _ in try ShardProcess.freePort() }
        let first = RingAddress(host: "127.0.0.1", port: ports[0])
        let shape = ModelShape(
            hiddenSize: model.card.hiddenSize, vocabularySize: model.card.vocabularySize,
            contextTokensMax: model.card.contextTokensMax)
        coordinator = RingCoordinator(
            RingConfiguration(
                expectation: RingTopology.Expectation(
                    modelFingerprint: model.fingerprint.bytes, layerCount: model.card.layerCount,
                    softwareVersion: Software.version, ringAddress: "ring-bench"),
                model: shape, firstShard: "\(first)", limits: limits), logger: logger)
        let hello = Hello(softwareVersion: Software.version, name: "ring-bench", role: .api)
        let links = RingLinks(coordinator, to: LinkTarget(first), as: hello, logger: logger)
        self.links = links
        listener = try PortListener(
            on: RingAddress(host: "127.0.0.1", port: 0), logger: logger, onRing: { links.accept($0) })
        try listener.start()
        let last = listener.address.port
        processes = try ports.indices.map { index in
            try ShardProcess(
                model: directory, port: ports[index], layers: cut[index],
                next: index + 1 < ports.count ? ports[index + 1] : last, threads: threads, flags: flags)
        }
        try links.start()
        clock = Task { [coordinator] in try await coordinator.run() }
    }

    /// Returns when the ring is complete.
    func whenReady() async throws {
        let deadline = ContinuousClock.now + Self.startTimeout
        while coordinator.status().state != .ready {
            if let dead = processes.first(where: { !$0.isRunning }) { throw BenchError("\(dead.command) ended") }
            guard ContinuousClock.now < deadline else {
                throw BenchError("the ring did not come up within \(Self.startTimeout)")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    func stop() {
        clock.cancel()
        links.close()
        listener.close()
        for process in processes { process.stop() }
    }

    /// Generates after a prompt of tokens that no other `salt` has.
    func generate(promptTokens: Int, tokens: Int, salt: Int) async throws -> Timeline {
        try await generate(after: prompt(tokens: promptTokens, salt: salt), tokens: tokens)
    }

    /// As many tokens as another `salt` does not have.
    func prompt(tokens: Int, salt: Int) -> [UInt32] {
        (0..<tokens).map { UInt32(($0 * 7919 + salt * 104_729 + 11) % vocabularySize) }
    }

    /// Generates after `prompt`.
    func generate(after prompt: [UInt32], tokens: Int) async throws -> Timeline {
        var sampling = Sampling()
        sampling.temperature = 0
        var timeline = Timeline(asked: .now)
        let events = try coordinator.generate(
            GenerationRequest(
                requestID: "bench", prompt: prompt, sampling: sampling, tokensMax: tokens, stopTokens: []))
        for try await event in events {
            guard case .token(let choice) = event else { continue }
            timeline.tokens.append(.now)
            timeline.text.append(choice.token)
        }
        return timeline
    }

    /// How likely each token of a text is after those before it, from the second on, with the likeliest in its place.
    func tell(_ tokens: [UInt32]) async throws -> [TokenChoice] {
        let events = try coordinator.generate(
            GenerationRequest(
                requestID: "text", prompt: tokens, sampling: Sampling(), tokensMax: 0, stopTokens: [],
                promptLogprobs: 1))
        for try await event in events {
            if case .prompt(let choices, _) = event { return choices }
        }
        throw BenchError("the ring ended without the log-probabilities of a text")
    }

    /// Generates several at the same time.
    func generate(streams: Int, promptTokens: Int, tokens: Int, salt: Int) async throws -> [Timeline] {
        try await withThrowingTaskGroup { group in
            for stream in 0..<streams {
                group.addTask { [self] in
                    try await generate(promptTokens: promptTokens, tokens: tokens, salt: salt + stream)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }
}

extension [ServedRing.Timeline] {
    /// Tokens a second over all streams while every one of them was decoding.
    var tokensPerSecond: Double {
        guard let begun = compactMap(\.tokens.first).max(), let ended = compactMap(\.tokens.last).min(), begun < ended
        else { return 0 }
        let count = flatMap(\.tokens).count { $0 > begun && $0 <= ended }
        return Double(count) / begun.duration(to: ended).seconds
    }
}

extension Duration {
    var seconds: Double { microseconds / 1e6 }
}
