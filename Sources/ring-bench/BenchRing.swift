// Real shard processes in a ring, and decode steps sent round it as the API would.

import Logging
import RingTransport
import Synchronization
import Wire

/// Owns shard processes and the two links that close the ring through this program.
final class BenchRing: Sendable {
    struct Times {
        /// Microseconds of each step, from sending it to receiving its result.
        var roundTrips: [Double] = []
        /// Of these, in layers, over all shards.
        var computes: [Double] = []
        /// Bytes of activations that a step carries between shards.
        var payloadBytes = 0
    }

    private let processes: [ShardProcess]
    private let outgoing: OutgoingLink
    private let inbound: InboundLinks
    private let listener: PortListener
    private let arrivals: Arrivals
    private let hiddenSize: Int
    private let vocabularySize: Int
    private let lastStepID = Mutex<UInt64>(0)
    private let lastProbeID = Mutex<UInt64>(0)
    private let lastSequenceID = Mutex<UInt64>(1000)

    /// The ring must be complete within this time: a large model has to be read first.
    private static let startTimeout: Duration = .seconds(600)
    /// A step that takes longer is lost.
    private static let stepTimeout: Duration = .seconds(60)
    private static let epoch: UInt64 = 1
    /// Tokens in the cache when decoding begins.
    static let promptTokens = 32
    /// Rows of a prompt in a step: what `ring-api` sends by default.
    static let chunkRows = 512

    /// - Parameter flags: more flags of every shard.
    init(model: String, card: BenchModel, shardCount: Int, threads: Int, flags: [String] = []) throws {
        var logger = Logger(label: "ring-bench")
        logger.logLevel = .error
        hiddenSize = card.hiddenSize
        vocabularySize = card.vocabularySize
        let hello = Hello(softwareVersion: "ring-bench", name: "ring-bench", role: .api)
        let arrivals = Arrivals()
        let inbound = InboundLinks(as: hello, logger: logger) { frame, _ in arrivals.put(frame) }
        listener = try PortListener(
            on: RingAddress(host: "127.0.0.1", port: 0), logger: logger, onRing: { inbound.accept($0) })
        try listener.start()

        let ports = try (0..<shardCount).map { _ in try ShardProcess.freePort() }
        let cuts = card.cut(into: shardCount)
        let last = listener.address.port
        processes = try ports.indices.map { index in
            try ShardProcess(
                model: model, port: ports[index], layers: cuts[index],
                next: index + 1 < ports.count ? ports[index + 1] : last, threads: threads, flags: flags)
        }
        outgoing = OutgoingLink(to: RingAddress(host: "127.0.0.1", port: ports[0]), as: hello, logger: logger) {
            arrivals.put(Frame(.failure($0)))
        }
        try outgoing.start()
        self.inbound = inbound
        self.arrivals = arrivals
    }

    func stop() {
        outgoing.close()
        listener.close()
        inbound.close()
        for process in processes { process.stop() }
    }

    /// Times `steps` decode steps of one sequence, each sent when the one before has come back, by the thread that
    /// received it, as the API does.
    /// - Parameter warmUp: steps before the clock starts; the first reads the prompt.
    func decode(steps: Int, warmUp: Int) throws -> Times {
        let sequence = newSequence()
        defer { forget(sequence) }
        let prompt = (0..<Self.promptTokens).map { UInt32($0 * 7 % vocabularySize) }
        let stream = Mutex(Stream(sequence, tokens: prompt))
        let first = try stream.withLock { try send([$0.nextRun]) }
        stream.withLock { $0.sentAt = first }
        arrivals.answer { [self] frame, received in
            guard case .result(let result) = frame.message else { return false }
            return stream.withLock { stream in
                guard stream.take(result, at: received), stream.steps < steps + warmUp,
                    let sent = try? send([stream.nextRun])
                else { return false }
                stream.sentAt = sent
                return true
            }
        }
        defer { arrivals.answer(nil) }
        _ = try awaitResult(within: Self.stepTimeout * (steps + warmUp))
        return try stream.withLock { stream in
            guard stream.steps == steps + warmUp else { throw BenchError("a result without a token") }
            return Times(
                roundTrips: Array(stream.roundTrips.dropFirst(warmUp)),
                computes: Array(stream.computes.dropFirst(warmUp)),
                payloadBytes: hiddenSize * ActivationFormat.f32.bytesPerElement)
        }
    }

    /// A sequence that decodes.
    private struct Stream {
        let sequenceID: UInt64
        var tokens: [UInt32]
        var sentAt = ContinuousClock.now
        private var position = UInt32(0)
        private(set) var roundTrips: [Double] = []
        private(set) var computes: [Double] = []

        init(_ sequenceID: UInt64, tokens: [UInt32]) {
            self.sequenceID = sequenceID
            self.tokens = tokens
        }

        var steps: Int { roundTrips.count }

        var nextRun: SequenceRun {
            var sampling = Sampling()
            sampling.temperature = 0
            return SequenceRun(
                sequenceID: sequenceID, position: position, tokens: tokens, sampling: sampling,
                promptCount: UInt32(BenchRing.promptTokens))
        }

        /// - Returns: whether the result brought a token.
        mutating func take(_ result: StepResult, at received: ContinuousClock.Instant) -> Bool {
            guard let token = result.runs.first?.sampled.first?.token else { return false }
            roundTrips.append(sentAt.duration(to: received).microseconds)
            computes.append(Double(result.computeNanoseconds) / 1000)
            position += UInt32(tokens.count)
            // Steps of one length, whatever the model's context: the cache is cut back before it is full.
            if position > 512 { position = UInt32(BenchRing.promptTokens) }
            tokens = [token]
            return true
        }
    }

    /// Milliseconds in layers of a step of `rows` rows, least of `steps`: a prompt's first chunk that wants no token.
    func chunkMilliseconds(rows: Int, steps: Int) throws -> Double {
        let tokens = (0..<rows).map { UInt32($0 * 7 % vocabularySize) }
        let run = SequenceRun(sequenceID: 1, position: 0, tokens: tokens, promptCount: UInt32(rows + 1))
        return try leastMilliseconds(of: steps) { _ in [run] }
    }

    /// Milliseconds in layers and sampling of a step in which `streams` sequences decode, least of `steps`.
    func decodeMilliseconds(streams: Int, steps: Int) throws -> Double {
        var sampling = Sampling()
        sampling.temperature = 0
        return try leastMilliseconds(of: steps) { step in
            (0..<streams).map { stream in
                SequenceRun(
                    sequenceID: UInt64(stream + 2), position: UInt32(step),
                    tokens: [UInt32((stream * 31 + step * 7) % self.vocabularySize)], sampling: sampling,
                    promptCount: 1)
            }
        }
    }

    private func leastMilliseconds(of steps: Int, _ runs: (Int) -> [SequenceRun]) throws -> Double {
        var least = Double.infinity
        for step in 0..<steps {
            _ = try send(runs(step))
            least = min(least, Double(try awaitResult(within: Self.stepTimeout).computeNanoseconds) / 1e6)
        }
        return least
    }

    /// Seconds from sending a prompt's first chunk to the token after it; its chunks follow each other.
    func prefill(tokens count: Int) throws -> Double {
        let sequence = newSequence()
        defer { forget(sequence) }
        var sampling = Sampling()
        sampling.temperature = 0
        let tokens = (0..<count).map { UInt32($0 * 7 % vocabularySize) }
        let begun = ContinuousClock.now
        var ended = begun
        var waiting = 0
        for first in stride(from: 0, to: count, by: Self.chunkRows) {
            if waiting == WireLimits.stepsInFlightMax {
                _ = try awaitResult(within: Self.stepTimeout)
                waiting -= 1
            }
            let last = min(first + Self.chunkRows, count)
            _ = try send([
                SequenceRun(
                    sequenceID: sequence, position: UInt32(first), tokens: Array(tokens[first..<last]),
                    sampling: last == count ? sampling : nil, promptCount: UInt32(count))
            ])
            waiting += 1
        }
        while waiting > 0 {
            ended = try awaitResultAndMoment(within: Self.stepTimeout).1
            waiting -= 1
        }
        return begun.duration(to: ended).seconds
    }

    /// The tokens that follow a prompt, likeliest each.
    func greedy(prompt: [Int], tokens count: Int) throws -> [Int] {
        let sequence = newSequence()
        defer { forget(sequence) }
        var stream = Stream(sequence, tokens: prompt.map { UInt32($0) })
        var chosen: [Int] = []
        while chosen.count < count {
            _ = try send([stream.nextRun])
            guard stream.take(try awaitResult(within: Self.stepTimeout), at: .now) else {
                throw BenchError("a result without a token")
            }
            chosen.append(Int(stream.tokens[0]))
        }
        return chosen
    }

    private func newSequence() -> UInt64 {
        lastSequenceID.withLock { id in
            id += 1
            return id
        }
    }

    /// A ring that broke has forgotten already.
    private func forget(_ sequence: UInt64) {
        try? outgoing.send(Frame(.forget(Forget(epoch: Self.epoch, sequenceIDs: [sequence]))))
    }

    /// Sends a step.
    /// - Returns: when.
    private func send(_ runs: [SequenceRun]) throws -> ContinuousClock.Instant {
        let stepID = lastStepID.withLock { id in
            id += 1
            return id
        }
        let sent = ContinuousClock.now
        try outgoing.send(Frame(.step(Step(epoch: Self.epoch, stepID: stepID, runs: runs))))
        return sent
    }

    /// Waits for every shard, and opens an epoch.
    func begin() throws {
        let epoch = Self.epoch
        let deadline = ContinuousClock.now + Self.startTimeout
        while ContinuousClock.now < deadline {
            if let dead = processes.first(where: { !$0.isRunning }) { throw BenchError("\(dead.command) ended") }
            if let shards = probe(within: .milliseconds(500)) {
                try outgoing.send(
                    Frame(.begin(Begin(epoch: epoch, modelFingerprint: shards[0].modelFingerprint, activations: .f32))))
                return try awaitBegin(epoch)
            }
            arrivals.pause(.milliseconds(5))
        }
        throw BenchError("the ring did not come up within \(Self.startTimeout)")
    }

    /// How the shards describe themselves now, with what their last pass has read.
    func shards() throws -> [ShardDescription] {
        guard let shards = probe(within: Self.stepTimeout) else { throw BenchError("the shards do not answer") }
        return shards
    }

    /// - Returns: every shard in ring order; `nil` when they did not answer in time.
    private func probe(within duration: Duration) -> [ShardDescription]? {
        let id = lastProbeID.withLock { id in
            id += 1
            return id
        }
        guard (try? outgoing.send(Frame(.probe(Probe(probeID: id))))) != nil else { return nil }
        let deadline = ContinuousClock.now + duration
        while let (frame, _) = arrivals.take(until: deadline) {
            if case .probe(let probe) = frame.message, probe.probeID == id {
                return probe.shards.count == processes.count ? probe.shards : nil
            }
            if case .failure(let failure) = frame.message, failure.probeID == id { return nil }
        }
        return nil
    }

    private func awaitBegin(_ epoch: UInt64) throws {
        let deadline = ContinuousClock.now + Self.stepTimeout
        while let (frame, _) = arrivals.take(until: deadline) {
            if case .begin(let begin) = frame.message, begin.epoch == epoch { return }
            if case .failure(let failure) = frame.message, failure.epoch == epoch { throw BenchError(failure.reason) }
        }
        throw BenchError("the epoch's beginning did not come back")
    }

    private func awaitResult(within time: Duration) throws -> StepResult {
        try awaitResultAndMoment(within: time).0
    }

    private func awaitResultAndMoment(within time: Duration) throws -> (StepResult, ContinuousClock.Instant) {
        let deadline = ContinuousClock.now + time
        while let (frame, received) = arrivals.take(until: deadline) {
            if case .result(let result) = frame.message { return (result, received) }
            if case .failure(let failure) = frame.message, failure.stepID > 0 { throw BenchError(failure.reason) }
        }
        throw BenchError("a step was lost")
    }
}
