// The scheduler against a simulated ring, with arrivals, cancellations, failures and broken rings drawn from one seed.

import Testing
import Wire

@testable import RingAPI

/// A ring of `rounds` rounds on which frames keep their order, as a queue.
private struct SimulatedRing {
    enum Item {
        case step(Step, round: Int)
        case forget([UInt64])
    }

    let rounds: Int
    var queue: [Item] = []
    /// What the shards hold for the layers of each round.
    var caches: [SimulatedModel]

    init(rounds: Int) {
        self.rounds = rounds
        caches = [SimulatedModel](repeating: SimulatedModel(), count: rounds)
    }

    /// Sequences that shards hold for some round.
    var held: Set<UInt64> { caches.reduce(into: []) { $0.formUnion($1.caches.keys) } }

    mutating func lose() {
        queue = []
        for round in caches.indices { caches[round].forgetAll() }
    }
}

/// One run of the simulation and what it must hold to.
private struct Simulation {
    private var numbers: SeededNumbers
    private var scheduler: Scheduler
    private var ring: SimulatedRing
    private let shards: [ShardDescription]
    private let limits: SchedulerLimits
    private var epoch: UInt64 = 1

    private var requests: [UInt64: GenerationRequest] = [:]
    private(set) var events: [UInt64: [GenerationEvent]] = [:]
    private(set) var ended: Set<UInt64> = []
    private(set) var failed: Set<UInt64> = []
    private(set) var cancelled: Set<UInt64> = []
    private(set) var refusals = 0
    private(set) var lostRings = 0
    private(set) var failedSteps = 0
    var prefixHits: UInt64 { scheduler.prefixHits }
    /// Steps sent since a sequence got its latest token, while it has more to send.
    private var stepsWaited: [UInt64: Int] = [:]
    private(set) var stepsWaitedMax = 0
    var draftsAccepted: UInt64 { scheduler.speculation.acceptedCount }

    init(seed: UInt64, shards: [ShardDescription], limits: SchedulerLimits) throws {
        numbers = SeededNumbers(seed: seed)
        self.shards = shards
        self.limits = limits
        scheduler = Scheduler(limits: limits)
        ring = SimulatedRing(rounds: 0)
        let policy = try policy()
        ring = SimulatedRing(rounds: policy.rounds)
        _ = scheduler.resume(epoch: epoch, policy: policy)
    }

    /// With room for the sequences that run and a few more.
    private func policy() throws -> PackingPolicy {
        var policy = try EngineFixtures.policy(shards, limits: limits)
        policy.cacheTokensMax = 2560
        return policy
    }

    mutating func run(turns: Int, requestsMax: Int) throws {
        for _ in 0..<turns {
            switch Int.random(in: 0..<100, using: &numbers) {
            case 0..<20 where requests.count < requestsMax: admit()
            case 20..<22: cancel()
            case 22: try loseRing()
            default: answer(failing: Int.random(in: 0..<100, using: &numbers) == 0)
            }
            pump()
            checkBounds()
        }
        while !ring.queue.isEmpty || !scheduler.isIdle {
            answer(failing: false)
            pump()
        }
    }

    // MARK: What may happen

    private mutating func admit() {
        let longest = Bool.random(using: &numbers) ? 8 : 200
        var request = EngineFixtures.request(
            prompt: Int.random(in: 1...longest, using: &numbers),
            salt: UInt32.random(in: 0..<4, using: &numbers), tokensMax: Int.random(in: 0...30, using: &numbers),
            stopTokens: Set((0..<20).map { _ in UInt32.random(in: 0..<1000, using: &numbers) }))
        if Bool.random(using: &numbers) { request.promptLogprobs = Int.random(in: 0...3, using: &numbers) }
        do {
            requests[try scheduler.admit(request)] = request
        } catch {
            refusals += 1
        }
    }

    private mutating func cancel() {
        let running = requests.keys.filter { !ended.contains($0) && !failed.contains($0) && !cancelled.contains($0) }
        guard let id = running.sorted().randomElement(using: &numbers) else { return }
        scheduler.remove(id)
        cancelled.insert(id)
    }

    private mutating func loseRing() throws {
        lostRings += 1
        take(scheduler.suspend(reason: GenerationFailure(reason: "the ring broke")))
        ring.lose()
        #expect(scheduler.nextStep() == nil)
        epoch += 1
        take(scheduler.resume(epoch: epoch, policy: try policy()))
        stepsWaited = [:]
    }

    private mutating func answer(failing: Bool) {
        guard !ring.queue.isEmpty else { return }
        switch ring.queue.removeFirst() {
        case .forget(let ids): for round in ring.caches.indices { ring.caches[round].forget(ids) }
        case .step(let step, let round):
            if failing, let victim = step.runs.randomElement(using: &numbers) {
                failedSteps += 1
                let failure = GenerationFailure(reason: "no room for the cache")
                let remedy = Bool.random(using: &numbers) ? StepRemedy.end : .makeRoom
                // Later rounds have not seen the step.
                for index in ring.caches.indices where index <= round { try? ring.caches[index].apply(step) }
                take(scheduler.fail(step: step.stepID, culprit: victim.sequenceID, remedy: remedy, failure))
                return
            }
            do throws(Failure) {
                try ring.caches[round].apply(step)
            } catch {
                let failure = GenerationFailure(reason: error.reason)
                take(scheduler.fail(step: step.stepID, culprit: error.sequenceID, remedy: .sendAgain, failure))
                return
            }
            if round + 1 == ring.rounds {
                take(scheduler.apply(ring.caches[round].result(of: step)))
            } else if !scheduler.dropUnwanted(step: step.stepID) {
                ring.queue.append(.step(step, round: round + 1))
            }
        }
    }

    private mutating func pump() {
        while true {
            let step = scheduler.nextStep()
            let forgotten = scheduler.takeForgotten()
            if !forgotten.isEmpty { ring.queue.append(.forget(forgotten)) }
            guard let step else { return }
            ring.queue.append(.step(step, round: 0))
            note(step)
        }
    }

    private mutating func take(_ outputs: [SchedulerOutput]) {
        for output in outputs {
            switch output {
            case .event(let id, let event):
                #expect(!ended.contains(id) && !failed.contains(id) && !cancelled.contains(id))
                events[id, default: []].append(event.plain)
                stepsWaited[id] = 0
                if case .finished = event {
                    ended.insert(id)
                    stepsWaited[id] = nil
                }
            case .failed(let id, _):
                failed.insert(id)
                stepsWaited[id] = nil
            case .ignored: break
            }
        }
    }

    // MARK: What must hold

    private mutating func note(_ step: Step) {
        #expect(!step.runs.isEmpty)
        #expect(step.rowCount <= limits.rowsPerStepMax)
        #expect(Set(step.runs.map(\.sequenceID)).count == step.runs.count, "a sequence rides once in a step")
        for run in step.runs { stepsWaited[run.sequenceID] = nil }
        for id in stepsWaited.keys where scheduler.active[id] != nil {
            stepsWaited[id, default: 0] += 1
            stepsWaitedMax = max(stepsWaitedMax, stepsWaited[id] ?? 0)
        }
    }

    private func checkBounds() {
        #expect(scheduler.inFlight.count <= ring.caches.count + shards.count)
        #expect(scheduler.active.count <= limits.sequencesActiveMax)
        #expect(scheduler.waiting.count <= limits.waitingMax)
    }

    /// Every sequence got exactly its tokens, and nothing is left behind.
    func check() {
        for (id, request) in requests {
            let expected = SimulatedModel.expectedEvents(
                of: request, contextTokensMax: EngineFixtures.model.contextTokensMax)
            let got = events[id] ?? []
            if ended.contains(id) {
                #expect(got == expected)
            } else {
                #expect(failed.contains(id) || cancelled.contains(id), "sequence \(id) neither ended nor was ended")
                #expect(got == Array(expected.prefix(got.count)))
            }
        }
        #expect(ring.held == Set(scheduler.prefixes.kept.prefixes.map(\.sequenceID)), "the shards hold what is kept")
        for prefix in scheduler.prefixes.kept.prefixes {
            for round in ring.caches {
                #expect(round.caches[prefix.sequenceID]?.starts(with: prefix.tokens) == true)
            }
        }
        #expect(scheduler.prefixes.tokensHeld <= 2560)
        #expect(scheduler.inFlight.isEmpty && scheduler.takeNothing)
    }
}

extension Scheduler {
    fileprivate var takeNothing: Bool {
        var copy = self
        return copy.nextStep() == nil && copy.takeForgotten().isEmpty
    }
}

@Suite struct SchedulerSimulationTests {
    private static var limits: SchedulerLimits {
        var limits = SchedulerLimits()
        limits.sequencesActiveMax = 5
        limits.waitingMax = 2
        limits.rowsPerStepMax = 48
        // Rings break far more often here than a sequence gets a token.
        limits.replaysMax = 1000
        return limits
    }

    @Test(arguments: 0..<24) func everySequenceGetsItsTokensWhateverHappens(seed: UInt64) throws {
        let shards = EngineFixtures.rings[Int(seed % 4)]
        var limits = Self.limits
        limits.speculation = SpeculationMode.allCases[Int(seed % 3)]
        var simulation = try Simulation(seed: seed, shards: shards, limits: limits)
        try simulation.run(turns: 1500, requestsMax: 120)
        simulation.check()
        // The run must have met what it is about.
        #expect(simulation.prefixHits > 3)
        #expect(simulation.ended.count > 20)
        #expect(simulation.lostRings > 3 && simulation.failedSteps > 0 && !simulation.cancelled.isEmpty)
        #expect(simulation.refusals > 0)
        #expect(simulation.draftsAccepted > 0 || limits.speculation != .on)
        // A sequence with a token to send waits while the others of its share go, never longer.
        #expect(simulation.stepsWaitedMax < shards.count)
    }
}
