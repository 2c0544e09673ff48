// What a shard does with each frame, apart from sockets and threads.

public import Logging
public import Wire

/// The one relay rule: a step whose next layer is held here is applied and passed on; every other frame is passed on
/// untouched.
///
/// Not thread-safe: frames are given to it one at a time.
public final class ShardNode {
    /// Passes a frame to the next daemon; throws the sentence that says why it cannot.
    public typealias Forward = (Frame) throws(NextUnreachable) -> Void

    public struct NextUnreachable: Error, Equatable, Sendable {
        public var reason: String

        public init(reason: String) {
            self.reason = reason
        }
    }

    private let name: String
    private let runtime: any StepRuntime
    private let modelFingerprint: [UInt8]
    private let logger: Logger
    private var epoch: UInt64 = 0
    /// What the log said last of why the ring does not form: the API asks every few seconds and meets the same again.
    private var obstacle: String?

    public init(name: String, modelFingerprint: [UInt8], runtime: any StepRuntime, logger: Logger) {
        self.name = name
        self.modelFingerprint = modelFingerprint
        self.runtime = runtime
        self.logger = logger
    }

    /// Handles a frame that came from upstream.
    /// - Returns: a failure to send back upstream, if something went wrong.
    public func receive(_ frame: Frame, forward: Forward) -> Failure? {
        do {
            switch frame.message {
            case .probe(let probe): try receive(probe, forward)
            case .begin(let begin): try receive(begin, forward)
            case .step(let step): try receive(step, payload: frame.payload, forward)
            case .result(var result):
                result.hops = try hops(after: result.hops, epoch: result.epoch, stepID: result.stepID)
                try pass(Frame(.result(result)), forward, epoch: result.epoch, stepID: result.stepID)
            case .forget(let forget): try receive(forget, forward)
            case .failure(let failure): return failure
            case .hello, .heartbeat: break  // the link's own business
            }
            return nil
        } catch {
            log(error)
            return error
        }
    }

    /// Says each failure of a step, and what keeps the ring from forming when it changes.
    private func log(_ failure: Failure) {
        let isKnown = failure.stepID == 0 && failure.reason == obstacle
        if failure.stepID == 0 { obstacle = failure.reason }
        logger.log(
            level: isKnown ? .debug : .warning, "\(failure.reason)",
            metadata: ["kind": "\(failure.kind)", "step": "\(failure.stepID)"])
    }

    private func receive(_ probe: Probe, _ forward: Forward) throws(Failure) {
        var probe = probe
        probe.hops = try hops(after: probe.hops, probeID: probe.probeID)
        guard probe.shards.count < WireLimits.shardsMax else {
            throw failure(
                .malformed, "the ring has more than \(WireLimits.shardsMax) shards, or the API is not part of it",
                probeID: probe.probeID)
        }
        probe.shards.append(runtime.describe())
        try pass(Frame(.probe(probe)), forward, probeID: probe.probeID)
    }

    private func receive(_ begin: Begin, _ forward: Forward) throws(Failure) {
        var begin = begin
        begin.hops = try hops(after: begin.hops, epoch: begin.epoch)
        guard begin.epoch >= epoch else {
            throw failure(.staleEpoch, "epoch \(begin.epoch) is over; the ring is at \(epoch)", epoch: begin.epoch)
        }
        guard begin.modelFingerprint == modelFingerprint else {
            throw failure(
                .model, "shard \(name) has loaded another model than the API; give every daemon the same -m",
                epoch: begin.epoch)
        }
        // A ring of several rounds brings the same Begin by more than once.
        if begin.epoch > epoch {
            epoch = begin.epoch
            runtime.begin(activations: begin.activations)
            logger.debug("epoch \(epoch) begins")
        }
        try pass(Frame(.begin(begin)), forward, epoch: begin.epoch)
        obstacle = nil
    }

    private func receive(_ step: Step, payload: [UInt8], _ forward: Forward) throws(Failure) {
        var step = step
        step.hops = try hops(after: step.hops, epoch: step.epoch, stepID: step.stepID, nextLayer: step.nextLayer)
        guard step.epoch == epoch else {
            throw failure(
                .staleEpoch, "step \(step.stepID) belongs to epoch \(step.epoch); shard \(name) is at \(epoch)",
                epoch: step.epoch, stepID: step.stepID)
        }
        guard runtime.holds(layer: Int(step.nextLayer)) else {
            return try pass(Frame(.step(step), payload: payload), forward, epoch: step.epoch, stepID: step.stepID)
        }
        guard Checksum.xxh3(of: payload) == step.checksum || payload.isEmpty else {
            throw failure(
                .checksum, "the activations of step \(step.stepID) changed on the way to shard \(name)",
                epoch: step.epoch,
                stepID: step.stepID)
        }
        let onward =
            switch try apply(step, payload: payload) {
            case .onward(let step, let payload): Frame(.step(step), payload: payload)
            case .result(let result): Frame(.result(result))
            }
        try pass(onward, forward, epoch: step.epoch, stepID: step.stepID)
    }

    private func apply(_ step: Step, payload: [UInt8]) throws(Failure) -> StepOutcome {
        do {
            return try runtime.apply(step, payload: payload)
        } catch {
            var named = error
            (named.shard, named.epoch, named.stepID) = (name, step.epoch, step.stepID)
            throw named
        }
    }

    private func receive(_ forget: Forget, _ forward: Forward) throws(Failure) {
        var forget = forget
        forget.hops = try hops(after: forget.hops, epoch: forget.epoch)
        if forget.epoch == epoch { runtime.forget(forget.sequenceIDs) }
        try pass(Frame(.forget(forget)), forward, epoch: forget.epoch)
    }

    // MARK: Passing on

    private func pass(
        _ frame: Frame, _ forward: Forward, epoch: UInt64 = 0, stepID: UInt64 = 0, probeID: UInt64 = 0
    ) throws(Failure) {
        do {
            try forward(frame)
        } catch {
            throw failure(.brokenRing, error.reason, epoch: epoch, stepID: stepID, probeID: probeID)
        }
    }

    private func hops(
        after hops: UInt32, epoch: UInt64 = 0, stepID: UInt64 = 0, probeID: UInt64 = 0, nextLayer: UInt32? = nil
    ) throws(Failure) -> UInt32 {
        guard hops < WireLimits.hopsMax else {
            let held =
                nextLayer.map { "layer \($0) is held by no shard of the ring" }
                ?? "the ring does not lead back to the API"
            throw failure(
                .unheldLayer, "\(held): a frame passed \(hops) daemons", epoch: epoch, stepID: stepID, probeID: probeID)
        }
        return hops + 1
    }

    private func failure(
        _ kind: FailureKind, _ reason: String, epoch: UInt64 = 0, stepID: UInt64 = 0, probeID: UInt64 = 0
    ) -> Failure {
        Failure(kind: kind, reason: reason, shard: name, epoch: epoch, stepID: stepID, probeID: probeID)
    }
}
