// How the ring comes to be complete, and how it is noticed that it no longer is. Pure: no I/O, no clock, no locks.

import Cluster
import Wire

/// From links to a ring that serves: probe it, check what answers, open an epoch, probe again from time to time.
///
/// Times are durations since a fixed moment. What must be done is appended to ``actions`` for the owner to take.
struct RingFormation {
    enum Phase: Equatable, Sendable {
        /// The first shard cannot be reached; its link dials on.
        case disconnected
        /// Something is missing; the next probe goes out at `until`.
        case resting(until: Duration)
        case probing(since: Duration)
        /// The ring is whole; each shard is told the new epoch.
        case beginning(RingTopology, since: Duration)
        case ready(RingTopology)
    }

    enum Action: Equatable {
        case send(Message)
        /// The ring serves from now on.
        case opened(epoch: UInt64, RingTopology)
        /// The ring no longer serves; what is on it is lost.
        case broke(GenerationFailure)
    }

    private let expectation: RingTopology.Expectation
    private let timing: RingTiming
    private let activations: ActivationFormat

    private(set) var phase = Phase.disconnected
    private(set) var trouble: RingTrouble
    private(set) var sightings = RingSightings()
    private(set) var epoch: UInt64 = 0
    var actions: [Action] = []

    private var epochs: EpochCounter
    private var lastProbeID: UInt64 = 0
    /// Answers to probes before it say nothing any more, as a link has changed since.
    private var oldestProbeID: UInt64 = 1
    /// The probe of a ready ring that has not come back.
    private var refresh: (probeID: UInt64, sentAt: Duration)?
    private var nextRefreshAt: Duration = .zero
    private var probeDelay: Duration
    /// Links on which the last shard may send, and the one on which the latest probe came back.
    private var inboundLinks: Set<UInt64> = []
    private var lastShardLink: UInt64?

    /// - Parameter firstShard: `host:port` that the API dials.
    init(
        expecting expectation: RingTopology.Expectation, firstShard: String, activations: ActivationFormat,
        timing: RingTiming, epochs: EpochCounter
    ) {
        self.expectation = expectation
        self.activations = activations
        self.timing = timing
        self.epochs = epochs
        probeDelay = timing.probeDelayFirst
        trouble = RingTrouble(
            reason: "the first shard, \(firstShard), is not connected yet; start it, or correct ring-api's -s")
    }

    var isReady: Bool { topology != nil }

    /// The ring that serves now.
    var topology: RingTopology? {
        if case .ready(let topology) = phase { topology } else { nil }
    }

    // MARK: Links

    mutating func outgoingConnected(at now: Duration) {
        // A link reports each loss before the next connection, so there is nothing on the ring here.
        probeDelay = timing.probeDelayFirst
        trouble = RingTrouble(reason: "the first shard is connected; the ring has not answered yet")
        probe(at: now)
    }

    mutating func outgoingLost(_ trouble: RingTrouble, at now: Duration) {
        breakUp(trouble)
        oldestProbeID = lastProbeID + 1
        phase = .disconnected
    }

    mutating func inboundConnected(_ link: UInt64, at now: Duration) {
        inboundLinks.insert(link)
        switch phase {
        case .disconnected, .beginning: break
        case .resting, .probing:
            probeDelay = timing.probeDelayFirst
            probe(at: now)
        // Whether it changes the ring is seen by who is in it.
        case .ready: nextRefreshAt = now
        }
    }

    mutating func inboundLost(_ link: UInt64, reason: String, at now: Duration) {
        inboundLinks.remove(link)
        guard link == lastShardLink else { return }
        lastShardLink = nil
        oldestProbeID = lastProbeID + 1
        switch phase {
        case .disconnected, .resting: break
        // A new connection may have come before the old one was found to be dead; its probe is sent anew.
        case .probing: if !inboundLinks.isEmpty { probe(at: now) }
        case .beginning, .ready:
            rest(RingTrouble(reason: "the last shard's connection to this API is lost: \(reason)"), at: now)
        }
    }

    // MARK: What comes back

    mutating func returned(_ probe: Probe, on link: UInt64, at now: Duration) {
        guard probe.probeID >= oldestProbeID, probe.probeID <= lastProbeID else { return }
        sightings.saw(probe.shards, at: now)
        guard phase != .disconnected else { return }
        lastShardLink = link
        if refresh?.probeID == probe.probeID {
            refresh = nil
            nextRefreshAt = now + timing.probeInterval
        }
        do {
            let found = try RingTopology(shards: probe.shards, expecting: expectation)
            switch phase {
            case .disconnected, .beginning: break
            case .resting, .probing: begin(found, at: now)
            case .ready(let topology) where topology.isSameRing(as: found): phase = .ready(found)
            case .ready:
                breakUp(RingTrouble(reason: "the ring has changed"))
                begin(found, at: now)
            }
        } catch {
            var trouble = RingTrouble(reason: error.reason)
            if case .layersMissing(let layers) = error {
                trouble.absentShard = sightings.formerHolder(of: layers, besides: probe.shards)
            }
            rest(trouble, at: now)
        }
    }

    mutating func returned(_ begin: Begin, at now: Duration) {
        guard case .beginning(let topology, _) = phase, begin.epoch == epoch else { return }
        phase = .ready(topology)
        nextRefreshAt = now + timing.probeInterval
        probeDelay = timing.probeDelayFirst
        actions.append(.opened(epoch: epoch, topology))
    }

    /// A failure that concerns no step.
    mutating func failed(_ failure: Failure, at now: Duration) {
        if failure.probeID != 0 {
            guard failure.probeID >= oldestProbeID, failure.probeID <= lastProbeID else { return }
        } else if failure.epoch != 0 {
            guard failure.epoch == epoch else { return }
        }
        var trouble = RingTrouble(failure)
        if failure.kind == .brokenRing { trouble.absentShard = sightings.shard(after: failure.shard) }
        switch phase {
        case .disconnected: break
        case .resting: self.trouble = trouble
        case .probing:
            if failure.kind == .loading { probeDelay = timing.probeDelayLoading }
            rest(trouble, at: now)
        case .beginning:
            if failure.kind == .staleEpoch { epochs.leapAhead() }
            if failure.probeID == 0 { rest(trouble, at: now) }
        case .ready:
            // Anything else, such as a Forget of an epoch that is over, does not keep the ring from serving.
            let isEnd = failure.probeID != 0 || failure.kind == .brokenRing || failure.kind == .loading
            if isEnd { rest(trouble, at: now) }
        }
    }

    /// A frame could not be sent.
    mutating func unsent(_ trouble: RingTrouble, at now: Duration) {
        guard phase != .disconnected else { return }
        oldestProbeID = lastProbeID + 1
        rest(trouble, at: now)
    }

    /// The owner found that the ring does not work: forms it anew.
    mutating func reform(because trouble: RingTrouble, at now: Duration) {
        guard phase != .disconnected else { return }
        probeDelay = timing.probeDelayFirst
        breakUp(trouble)
        oldestProbeID = lastProbeID + 1
        probe(at: now)
    }

    // MARK: Time

    /// - Parameter isBusy: whether steps are on the ring, which a probe must wait for.
    mutating func tick(isBusy: Bool, at now: Duration) {
        switch phase {
        case .disconnected: break
        case .resting(let until):
            if now >= until { probe(at: now) }
        case .probing(let since):
            if now - since >= timing.lapTimeout { rest(unanswered, at: now) }
        case .beginning(_, let since):
            if now - since >= timing.lapTimeout {
                rest(RingTrouble(reason: "the ring did not take up epoch \(epoch) in time"), at: now)
            }
        case .ready:
            guard let refresh else {
                if now >= nextRefreshAt { sendRefresh(at: now) }
                return
            }
            guard now - refresh.sentAt >= timing.lapTimeout else { return }
            // A probe waits behind a step that is being computed, so its absence says nothing then. But it may have got
            // lost with a connection, and another one finds out.
            if isBusy { sendRefresh(at: now) } else { rest(unanswered, at: now) }
        }
    }

    private var unanswered: RingTrouble {
        let seconds = timing.lapTimeout.components.seconds
        guard inboundLinks.isEmpty else {
            return RingTrouble(reason: "the ring did not answer within \(seconds) s; a shard or the network hangs")
        }
        return RingTrouble(
            reason: """
                no shard is connected to this API; give the last ring-shard -n \(expectation.ringAddress) and see that \
                it runs
                """)
    }

    // MARK: Changes

    /// A late answer to an earlier probe is as good as one to this, unless a link has changed in between.
    private mutating func probe(at now: Duration) {
        lastProbeID += 1
        phase = .probing(since: now)
        actions.append(.send(.probe(Probe(probeID: lastProbeID))))
    }

    private mutating func sendRefresh(at now: Duration) {
        lastProbeID += 1
        refresh = (lastProbeID, now)
        actions.append(.send(.probe(Probe(probeID: lastProbeID))))
    }

    private mutating func begin(_ topology: RingTopology, at now: Duration) {
        epoch = epochs.next()
        phase = .beginning(topology, since: now)
        actions.append(
            .send(
                .begin(
                    Begin(
                        epoch: epoch, modelFingerprint: expectation.modelFingerprint,
                        activations: topology.isExact ? .f32 : activations))))
    }

    /// Waits before the next probe, longer each time.
    private mutating func rest(_ trouble: RingTrouble, at now: Duration) {
        breakUp(trouble)
        phase = .resting(until: now + probeDelay)
        probeDelay = min(probeDelay * 2, timing.probeDelayMax)
    }

    private mutating func breakUp(_ trouble: RingTrouble) {
        self.trouble = trouble
        refresh = nil
        if isReady { actions.append(.broke(GenerationFailure(reason: trouble.reason, shard: trouble.shard))) }
    }
}

/// Why the ring does not serve.
struct RingTrouble: Equatable, Sendable {
    /// One sentence for people, with what to do.
    var reason: String
    /// The daemon that reported it.
    var shard: String?
    /// A shard that was there before and may be the one that is missing.
    var absentShard: String?
    /// The same while only numbers in the reason change, so that the log says it once.
    var topic: String

    init(reason: String, shard: String? = nil) {
        self.reason = reason
        self.shard = shard
        topic = reason
    }

    init(_ failure: Failure) {
        self.init(reason: failure.reason, shard: failure.shard)
        if failure.kind == .loading { topic = "loading \(failure.shard)" }
    }
}
