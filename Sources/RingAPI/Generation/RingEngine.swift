// Everything between a request and the frames of the ring, as one value. Pure: no I/O, no clock, no locks.

import Cluster
import Logging
import Wire

/// The scheduler, the ring's formation and the watch over its steps, working together.
///
/// Every call says what time it is, as a duration since a fixed moment, and leaves what must be done in ``effects``.
struct RingEngine {
    enum Effect: Equatable {
        case send(Frame)
        case deliver(sequence: UInt64, GenerationEvent)
        case fail(sequence: UInt64, GenerationFailure)
        case log(Logger.Level, String)
    }

    private enum Announcement: Equatable {
        case complete
        case trouble(String)
    }

    private let configuration: RingConfiguration
    private var formation: RingFormation
    private var scheduler: Scheduler
    private var watch = StepWatch()
    private var counters = RingMetrics()
    private var effects: [Effect] = []

    /// When the ring broke while sequences were on it.
    private var brokenSince: Duration?
    private(set) var isDraining = false
    /// What the log said of the ring last: the topic of its trouble, or that it is complete.
    private var announced: Announcement?

    init(_ configuration: RingConfiguration, epochs: EpochCounter) {
        self.configuration = configuration
        formation = RingFormation(
            expecting: configuration.expectation, firstShard: configuration.firstShard,
            activations: configuration.activations, timing: configuration.timing, epochs: epochs)
        scheduler = Scheduler(limits: configuration.limits)
    }

    var isReady: Bool { formation.isReady }
    var isIdle: Bool { scheduler.isIdle }
    var contextTokensMax: Int {
        let ring = formation.topology?.contextTokensMax ?? .max
        return min(configuration.model.contextTokensMax, ring)
    }

    var metrics: RingMetrics {
        var metrics = counters
        metrics.promptTokensEvaluated = scheduler.promptTokensEvaluated
        metrics.promptTokensReused = scheduler.promptTokensReused
        metrics.prefixHits = scheduler.prefixHits
        metrics.tokensDrafted = scheduler.speculation.draftedCount
        metrics.draftsAccepted = scheduler.speculation.acceptedCount
        return metrics
    }

    /// What has to be done since the last call, in order.
    mutating func takeEffects() -> [Effect] {
        defer { effects.removeAll(keepingCapacity: true) }
        return effects
    }

    /// Whether a frame that waits to be sent still means something.
    func isCurrent(_ frame: Frame) -> Bool {
        guard case .step(let step) = frame.message else { return true }
        return formation.isReady && step.epoch == formation.epoch
    }

    /// - Parameter obstacle: why the first shard cannot be reached, where that is known better than here.
    func status(at now: Duration, obstacle: String? = nil) -> RingStatus {
        let topology = formation.topology
        return RingStatus(
            state: topology == nil ? .incomplete(sentence(at: now, obstacle: obstacle)) : .ready,
            shards: formation.sightings.latest, epoch: formation.epoch, active: scheduler.active.count,
            waiting: scheduler.waiting.count, layerCount: configuration.expectation.layerCount,
            rounds: topology?.rounds ?? 0, stages: topology?.stageCount ?? 0, contextTokensMax: contextTokensMax,
            prefixesKept: scheduler.prefixes.kept.count, tokensHeld: scheduler.prefixes.tokensHeld, metrics: metrics)
    }

    private func sentence(at now: Duration, obstacle: String? = nil) -> String {
        if formation.phase == .disconnected, let obstacle {
            return "the first shard cannot be reached: \(obstacle); start it, or correct ring-api's -s"
        }
        let trouble = formation.trouble
        let absent = trouble.absentShard.flatMap { formation.sightings.sentence(about: $0, at: now) }
        return [trouble.reason, absent].compactMap { $0 }.joined(separator: "; ")
    }

    // MARK: Requests

    /// - Parameter obstacle: as for ``status(at:obstacle:)``.
    mutating func admit(
        _ request: GenerationRequest, at now: Duration, obstacle: String? = nil
    ) throws(GenerationRefusal) -> UInt64 {
        guard !isDraining else { throw .ringNotReady("this API is shutting down; ask again when it is back") }
        guard formation.isReady else { throw .ringNotReady(sentence(at: now, obstacle: obstacle)) }
        try request.validate(model: configuration.model, contextTokensMax: contextTokensMax)
        let id = try scheduler.admit(request)
        pump(at: now)
        return id
    }

    mutating func cancel(_ sequence: UInt64, at now: Duration) {
        guard scheduler.remove(sequence) else { return }
        counters.sequencesCancelled += 1
        pump(at: now)
    }

    // MARK: Shutdown

    /// Takes no more requests.
    mutating func drain() {
        isDraining = true
        guard !scheduler.isIdle else { return }
        let count = scheduler.active.count + scheduler.waiting.count
        effects.append(.log(.info, "finishing \(count) sequences before stopping"))
    }

    /// Ends what is left.
    mutating func end(_ reason: String, at now: Duration) {
        take(scheduler.failAll(GenerationFailure(reason: reason)))
        pump(at: now)
    }

    // MARK: Links

    mutating func outgoingConnected(at now: Duration) {
        formation.outgoingConnected(at: now)
        settle(at: now)
    }

    mutating func outgoingLost(reason: String, at now: Duration) {
        let reason = "the first shard, \(configuration.firstShard), cannot be reached: \(reason)"
        formation.outgoingLost(RingTrouble(reason: reason), at: now)
        settle(at: now)
    }

    mutating func inboundConnected(_ link: UInt64, at now: Duration) {
        formation.inboundConnected(link, at: now)
        settle(at: now)
    }

    mutating func inboundLost(_ link: UInt64, reason: String, at now: Duration) {
        formation.inboundLost(link, reason: reason, at: now)
        settle(at: now)
    }

    /// A frame could not be sent.
    mutating func unsent(_ frame: Frame, reason: String, isTooLarge: Bool, at now: Duration) {
        if case .step(let step) = frame.message, isTooLarge {
            fail(step: step.stepID, culprit: nil, .end, GenerationFailure(reason: reason), at: now)
        } else if isCurrent(frame) {
            formation.unsent(RingTrouble(reason: reason), at: now)
        }
        settle(at: now)
    }

    // MARK: Frames

    /// A frame that came round the ring.
    mutating func receive(_ frame: Frame, on link: UInt64, at now: Duration) {
        switch frame.message {
        case .result(let result): receive(result, at: now)
        case .step(let step): relay(step, payload: frame.payload, at: now)
        case .probe(let probe): receive(probe, on: link, at: now)
        case .begin(let begin): formation.returned(begin, at: now)
        case .failure(let failure): return failed(failure, at: now)
        // A Forget has been everywhere when it is back; the others are a link's own business.
        case .forget, .hello, .heartbeat: return
        }
        settle(at: now)
    }

    private mutating func receive(_ result: StepResult, at now: Duration) {
        let record = scheduler.inFlight.first { $0.stepID == result.stepID }
        let outputs = scheduler.apply(result)
        if result.epoch == formation.epoch, let record, let roundTrip = watch.ended(result.stepID, at: now) {
            counters.completed(
                rows: record.rowCount, roundTrip: roundTrip, computeNanoseconds: result.computeNanoseconds)
            scheduler.observe(record, roundTrip: roundTrip, computing: counters.computeLast)
        }
        take(outputs)
    }

    /// Passes a step on to the first shard when its next layer is held by a later round.
    private mutating func relay(_ step: Step, payload: [UInt8], at now: Duration) {
        guard let topology = formation.topology, step.epoch == formation.epoch else {
            effects.append(.log(.debug, "dropping a step of epoch \(step.epoch), which is over"))
            return
        }
        guard !scheduler.dropUnwanted(step: step.stepID) else {
            _ = watch.ended(step.stepID, at: now)
            return
        }
        guard scheduler.inFlight.contains(where: { $0.stepID == step.stepID }) else {
            effects.append(.log(.debug, "dropping step \(step.stepID), which nobody waits for"))
            return
        }
        guard Int(step.hops) + 1 < topology.hopCount else {
            let reason = """
                step \(step.stepID) passed \(step.hops) daemons and none of them applied layer \(step.nextLayer); \
                the ring has changed
                """
            fail(step: step.stepID, culprit: nil, .sendAgain, GenerationFailure(reason: reason), at: now)
            formation.reform(because: RingTrouble(reason: reason), at: now)
            return
        }
        var onward = step
        onward.hops += 1
        effects.append(.send(Frame(.step(onward), payload: payload)))
    }

    private mutating func receive(_ probe: Probe, on link: UInt64, at now: Duration) {
        formation.returned(probe, on: link, at: now)
        guard let topology = formation.topology,
            let lost = watch.probeReturned(probe.probeID, rounds: topology.rounds)
        else { return }
        let reason = "step \(lost) was lost on the ring; a shard must have been restarted"
        formation.reform(because: RingTrouble(reason: reason), at: now)
    }

    /// A failure that came back along the ring.
    mutating func failed(_ failure: Failure, at now: Duration) {
        if failure.stepID == 0 {
            formation.failed(failure, at: now)
        } else if formation.isReady, failure.epoch == formation.epoch {
            stepFailed(failure, at: now)
        } else {
            effects.append(.log(.debug, "ignoring a failure of an epoch that is over: \(failure.reason)"))
        }
        settle(at: now)
    }

    private mutating func stepFailed(_ failure: Failure, at now: Duration) {
        let reason = GenerationFailure(reason: failure.reason, shard: failure.shard)
        let culprit = failure.sequenceID == 0 ? nil : failure.sequenceID
        guard scheduler.inFlight.contains(where: { $0.stepID == failure.stepID }) else {
            let what = "a failure of step \(failure.stepID), which is not on the ring"
            effects.append(.log(.debug, "ignoring \(what): \(failure.reason)"))
            return
        }
        effects.append(.log(.warning, "step \(failure.stepID) failed on \(failure.shard): \(failure.reason)"))
        switch failure.kind {
        case .memory:
            fail(step: failure.stepID, culprit: culprit, .makeRoom, reason, at: now)
        case .compute, .malformed, .model, .version:
            fail(step: failure.stepID, culprit: culprit, .end, reason, at: now)
        case .gap, .checksum:
            fail(step: failure.stepID, culprit: culprit, .sendAgain, reason, at: now)
        case .staleEpoch, .unheldLayer, .brokenRing, .loading:
            var trouble = RingTrouble(failure)
            if failure.kind == .brokenRing { trouble.absentShard = formation.sightings.shard(after: failure.shard) }
            formation.reform(because: trouble, at: now)
        }
    }

    private mutating func fail(
        step stepID: UInt64, culprit: UInt64?, _ remedy: StepRemedy, _ failure: GenerationFailure, at now: Duration
    ) {
        counters.stepsFailed += 1
        _ = watch.ended(stepID, at: now)
        take(scheduler.fail(step: stepID, culprit: culprit, remedy: remedy, failure))
    }

    // MARK: Time

    mutating func tick(at now: Duration) {
        let timing = configuration.timing
        for step in watch.notice(olderThan: timing.stepNotice, at: now) {
            let seconds = timing.stepNotice.components.seconds
            effects.append(.log(.info, "step \(step) has been on the ring for \(seconds) s"))
        }
        if let overdue = watch.overdue(timing.stepDeadline, at: now) {
            let reason = "the ring gave no answer within \(timing.stepDeadline.components.seconds) s; a shard hangs"
            fail(step: overdue, culprit: nil, .end, GenerationFailure(reason: reason), at: now)
            formation.reform(because: RingTrouble(reason: reason), at: now)
        }
        formation.tick(isBusy: !watch.isEmpty, at: now)
        if let since = brokenSince, now - since >= timing.recoveryTimeout, !formation.isReady {
            brokenSince = nil
            let seconds = timing.recoveryTimeout.components.seconds
            let reason = "the ring broke and was not whole again within \(seconds) s: \(sentence(at: now))"
            take(scheduler.failAll(GenerationFailure(reason: reason, shard: formation.trouble.shard)))
        }
        settle(at: now)
    }

    // MARK: Effects

    /// Does what the formation asks for, sends what can be sent, and says what has changed.
    private mutating func settle(at now: Duration) {
        for action in formation.actions {
            switch action {
            case .send(let message):
                if case .probe(let probe) = message { watch.probeSent(probe.probeID) }
                effects.append(.send(Frame(message)))
            case .broke(let failure): suspend(failure, at: now)
            case .opened(let epoch, let topology):
                open(epoch, topology)
            }
        }
        formation.actions.removeAll(keepingCapacity: true)
        announce()
        pump(at: now)
    }

    private mutating func suspend(_ failure: GenerationFailure, at now: Duration) {
        brokenSince = brokenSince ?? now
        announced = nil
        watch.clear()
        take(scheduler.suspend(reason: failure))
        let count = scheduler.active.count + scheduler.waiting.count
        guard count > 0 else { return }
        let what = "the ring broke: \(failure.reason); \(count) sequences wait for it to be whole again"
        effects.append(.log(.warning, what))
    }

    private mutating func open(_ epoch: UInt64, _ topology: RingTopology) {
        brokenSince = nil
        counters.epochsOpened += 1
        watch.clear()
        let policy = PackingPolicy(
            topology: topology, model: configuration.model,
            activations: topology.isExact ? .f32 : configuration.activations, limits: configuration.limits)
        take(scheduler.resume(epoch: epoch, policy: policy))
    }

    /// Says once what the ring waits for, and once that it is complete.
    private mutating func announce() {
        if let topology = formation.topology {
            guard announced != .complete else { return }
            announced = .complete
            let shards = topology.shards.map { "\($0.name) \(RingProblem.layers($0.layers))" }
            let rounds = topology.rounds == 1 ? "" : ", \(topology.rounds) rounds"
            let count = shards.count == 1 ? "1 shard" : "\(shards.count) shards"
            effects.append(.log(.info, "ring complete: \(count)\(rounds): " + shards.joined(separator: "; ")))
            return
        }
        switch formation.phase {
        // What comes of it is not known yet.
        case .probing, .beginning, .ready: break
        case .disconnected, .resting:
            guard announced != .trouble(formation.trouble.topic) else { return }
            announced = .trouble(formation.trouble.topic)
            effects.append(.log(.warning, "waiting for the ring: \(formation.trouble.reason)"))
        }
    }

    private mutating func pump(at now: Duration) {
        while true {
            let step = scheduler.nextStep()
            // Before the step, which may need the room.
            forget()
            guard let step else { return }
            watch.sent(step.stepID, at: now)
            effects.append(.send(Frame(.step(step))))
        }
    }

    /// Has the shards drop what is not needed any more.
    private mutating func forget() {
        guard formation.isReady else { return }
        let forgotten = scheduler.takeForgotten()
        for start in stride(from: 0, to: forgotten.count, by: WireLimits.forgetSequencesMax) {
            let ids = Array(forgotten[start..<min(start + WireLimits.forgetSequencesMax, forgotten.count)])
            effects.append(.send(Frame(.forget(Forget(epoch: formation.epoch, sequenceIDs: ids)))))
        }
    }

    private mutating func take(_ outputs: [SchedulerOutput]) {
        for output in outputs {
            switch output {
            case .event(let sequence, let event):
                count(event)
                effects.append(.deliver(sequence: sequence, event))
            case .failed(let sequence, let failure):
                counters.sequencesFailed += 1
                effects.append(.fail(sequence: sequence, failure))
            case .ignored(let what): effects.append(.log(.debug, "ignoring \(what)"))
            }
        }
    }

    private mutating func count(_ event: GenerationEvent) {
        switch event {
        case .prompt, .predicted: break
        case .token: counters.tokensGenerated += 1
        case .finished(let end):
            counters.sequencesFinished += 1
            if case .stopToken = end { counters.tokensGenerated += 1 }
        }
    }
}
