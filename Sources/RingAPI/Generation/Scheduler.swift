// Which sequences run and what rides in the next step. Pure: no I/O, no clock, no locks, token ids only.

import Wire

/// Packs the tokens of many sequences into steps and hands the steps' results back to the sequences.
///
/// Sequences wait in order of arrival for one of ``SchedulerLimits/sequencesActiveMax`` places. A step takes one token
/// each of sequences that decode, longest ready first, then chunks of prompts in the order of a ``PromptQueue``. Chunks
/// of one prompt follow each other onto the ring without waiting for results; a decoding sequence needs its token back
/// first. ``PackingPolicy`` bounds the steps that are out and the rows of each.
///
/// The log of tokens each sequence keeps is enough to rebuild the shards' caches: after ``suspend(reason:)`` and
/// ``resume(epoch:policy:)`` every sequence is sent again from its beginning and goes on where it was.
struct Scheduler {
    let limits: SchedulerLimits
    /// Sequences that wait for a place, first come first.
    private(set) var waiting: [SequenceState] = []
    /// Sequences that have a place.
    private(set) var active: [UInt64: SequenceState] = [:]
    /// Steps on the ring, oldest first.
    private(set) var inFlight: [StepRecord] = []
    /// Tokens of prompts whose evaluation is finished, without those taken over from other sequences.
    private(set) var promptTokensEvaluated: UInt64 = 0
    /// Tokens of those prompts that were taken over from other sequences' caches, and prompts that had such.
    private(set) var promptTokensReused: UInt64 = 0
    private(set) var prefixHits: UInt64 = 0

    private(set) var speculation: Speculation

    private var epoch: UInt64 = 0
    /// `nil` while there is no ring.
    private(set) var policy: PackingPolicy?
    private var lastSequenceID: UInt64 = 0
    private var lastStepID: UInt64 = 0
    /// Active sequences whose next token may be sent, longest ready first.
    private var readyToDecode: [UInt64] = []
    /// Active sequences with a backlog.
    private var readyToPrefill = PromptQueue()
    /// What new sequences take over from others.
    private(set) var prefixes: PrefixReuse
    /// Sequences whose caches the shards are to drop.
    private var forgotten: [UInt64] = []

    init(limits: SchedulerLimits) {
        self.limits = limits
        prefixes = PrefixReuse(limits: limits)
        speculation = Speculation(mode: limits.speculation)
    }

    var isIdle: Bool { active.isEmpty && waiting.isEmpty }
    /// Active sequences past their backlog.
    var decodingCount: Int { active.values.reduce(0) { $0 + ($1.isPrefilling ? 0 : 1) } }

    // MARK: Sequences

    /// Takes a sequence in.
    /// - Throws: ``GenerationRefusal/busy(waiting:)``.
    mutating func admit(_ request: GenerationRequest) throws(GenerationRefusal) -> UInt64 {
        promote()
        guard active.count < limits.sequencesActiveMax || waiting.count < limits.waitingMax else {
            throw .busy(waiting: waiting.count)
        }
        lastSequenceID += 1
        waiting.append(SequenceState(id: lastSequenceID, request: request, drafts: limits.speculation != .off))
        promote()
        return lastSequenceID
    }

    /// Ends a sequence nobody wants any more.
    /// - Parameter keepsCache: whether its cache is sound and may serve others.
    /// - Returns: whether there was one.
    @discardableResult mutating func remove(_ id: UInt64, keepsCache: Bool = true) -> Bool {
        if let index = waiting.firstIndex(where: { $0.id == id }) {
            waiting.remove(at: index)
            return true
        }
        guard let sequence = active.removeValue(forKey: id) else { return false }
        readyToDecode.removeAll { $0 == id }
        readyToPrefill.remove(id)
        promote()
        guard policy != nil else { return true }
        forget(keepsCache ? prefixes.keep(id, tokens: sequence.confirmedTokens) : [id])
        return true
    }

    private mutating func forget(_ ids: [UInt64]) {
        for id in ids {
            prefixes.forgot(id)
            // In a ring of one round frames keep their order, so a Forget comes after the steps that need the sequence.
            // With several rounds, a step would come by again after it: then the Forget waits for the step.
            let isOnRing = inFlight.contains { $0.needs(id) }
            if !isOnRing || policy?.rounds == 1 { forgotten.append(id) }
        }
    }

    /// Sequences to be dropped from the shards' caches, once.
    mutating func takeForgotten() -> [UInt64] {
        defer { forgotten.removeAll(keepingCapacity: true) }
        return forgotten
    }

    private mutating func promote() {
        while active.count < limits.sequencesActiveMax, !waiting.isEmpty {
            let sequence = waiting.removeFirst()
            active[sequence.id] = sequence
            if policy != nil { awaitTurn(sequence.id) }
        }
    }

    // MARK: The ring comes and goes

    /// There is no ring any more: what was on it is lost.
    /// - Returns: the failures of sequences that were lost with it too often.
    mutating func suspend(reason: GenerationFailure) -> [SchedulerOutput] {
        guard policy != nil else { return [] }
        var outputs: [SchedulerOutput] = []
        for id in active.keys.sorted() where active[id]?.isIdle == false {
            active[id]?.replays += 1
            if let replays = active[id]?.replays, replays > limits.replaysMax {
                active[id] = nil
                outputs.append(.failed(sequence: id, reason))
            }
        }
        policy = nil
        inFlight.removeAll()
        readyToDecode.removeAll()
        readyToPrefill.removeAll()
        // A new epoch makes the shards drop everything.
        forgotten.removeAll()
        prefixes.removeAll()
        return outputs
    }

    /// There is a ring on which no sequence is known.
    ///
    /// All sequences are sent again, first come first, in chunks as a prompt is, and a token is drawn after the last
    /// alone. A draw depends on the seed and the position, and a row's bits do not depend on the rows beside it, so
    /// every stream goes on as if nothing had happened.
    mutating func resume(epoch: UInt64, policy: PackingPolicy) -> [SchedulerOutput] {
        var outputs = suspend(reason: GenerationFailure(reason: "the ring was formed anew while it worked"))
        self.epoch = epoch
        self.policy = policy
        speculation.ringFormed(policy)
        for id in active.keys.sorted() {
            guard let count = active[id]?.log.count, count <= policy.contextTokensMax else {
                active[id] = nil
                let limit = policy.contextTokensMax
                let reason = "the ring came back with a context of \(limit) tokens, too few for this sequence"
                outputs.append(.failed(sequence: id, GenerationFailure(reason: reason)))
                continue
            }
            active[id]?.rewind(to: 0)
            awaitTurn(id)
        }
        promote()
        return outputs
    }

    /// Ends every sequence.
    mutating func failAll(_ failure: GenerationFailure) -> [SchedulerOutput] {
        let ids = active.keys.sorted() + waiting.map(\.id)
        waiting.removeAll()
        ids.forEach { remove($0, keepsCache: false) }
        return ids.map { .failed(sequence: $0, failure) }
    }

    // MARK: Packing

    /// The next step, if there is one to send now. What ``takeForgotten()`` names then must be dropped before it.
    mutating func nextStep() -> Step? {
        guard let policy, !readyToDecode.isEmpty || !readyToPrefill.isEmpty else { return nil }
        let decoding = decodingCount
        guard inFlight.count < policy.stepsInFlightMax(isAnyDecoding: decoding > 0) else { return nil }
        var packer = StepPacker(policy: policy)

        var decodeRows = policy.decodeRowsMax(decoding: decoding, isAnyPrefilling: !readyToPrefill.isEmpty)
        while decodeRows > 0, let id = readyToDecode.first, let sequence = active[id], packer.hasRoom(for: sequence) {
            readyToDecode.removeFirst()
            take(id, rowsMax: 1, into: &packer)
            decodeRows -= 1
        }

        let prefillRowsMax = policy.prefillRowsMax(
            promptRows: promptRows, decodeRows: packer.rows, isAnyDecoding: decoding > 0)
        let prefillRows = min(prefillRowsMax, policy.rowsMax - packer.rows)
        addDrafts(to: &packer, besidePrefillRows: min(prefillRows, readyToPrefill.rows), decoding: decoding)
        addPrompts(to: &packer, rowsMax: min(prefillRows, policy.rowsMax - packer.rows))
        guard packer.rows > 0 else { return nil }

        lastStepID += 1
        let record = StepRecord(stepID: lastStepID, runs: packer.records)
        inFlight.append(record)
        if let tokensMax = policy.cacheTokensMax {
            forget(prefixes.makeRoom(of: tokensMax) { record.needs($0) })
        }
        return Step(epoch: epoch, stepID: lastStepID, runs: packer.runs)
    }

    /// Lets prompts ride, in the order of their turns.
    private mutating func addPrompts(to packer: inout StepPacker, rowsMax: Int) {
        let oldest = readyToPrefill.oldest
        var rowsForOldest = readyToPrefill.rowsForOldest(of: rowsMax)
        var rowsLeft = rowsMax
        var last: PromptQueue.Place?
        while rowsLeft > 0, let place = readyToPrefill.next(after: last) {
            last = place
            let rowsMax = place.id == oldest ? rowsLeft : rowsLeft - rowsForOldest
            guard rowsMax > 0 else { continue }
            guard let sequence = active[place.id], packer.hasRoom(for: sequence) else { return }
            if sequence.sentCount == 0 {
                let beginning = prefixes.beginning(of: sequence, among: active) { id in
                    packer.records.first { $0.sequenceID == id }?.position
                }
                guard beginning != .wait else { continue }
                // What it was to take over may be gone: then others that are nearer to their end go first.
                let rows = sequence.backlogCount - beginning.tokens
                guard !readyToPrefill.put(place.id, rows: rows) || readyToPrefill.next(after: place)?.id == place.id
                else { continue }
                begin(place.id, beginning)
            }
            rowsLeft -= take(place.id, rowsMax: rowsMax, into: &packer)
            awaitTurn(place.id)
            if place.id == oldest { rowsForOldest = 0 }
        }
    }

    /// Gives a sequence that has sent nothing what can be taken over from another.
    private mutating func begin(_ id: UInt64, _ beginning: PrefixReuse.Beginning) {
        if case .shared(let parent, let tokens) = beginning { active[id]?.begin(with: tokens, of: parent) }
        prefixes.began(id, beginning)
    }

    /// Puts a sequence among those that wait for their turn, as far as it has a backlog.
    private mutating func awaitTurn(_ id: UInt64) {
        guard let sequence = active[id] else { return }
        let done = sequence.sentCount > 0 ? sequence.sentCount : prefixes.tokensExpected(of: sequence, among: active)
        readyToPrefill.put(id, rows: sequence.backlogCount - done)
    }

    /// Lets guesses ride with the runs packed so far, which all decode.
    private mutating func addDrafts(to packer: inout StepPacker, besidePrefillRows prefillRows: Int, decoding: Int) {
        guard let policy, speculation.mode != .off else { return }
        let sequences = packer.runs.map { run in
            let sequence = active[run.sequenceID]
            let countMax = sequence?.draftsMax(contextTokensMax: policy.contextTokensMax) ?? 0
            return (sequence?.drafter, run.promptLogprobs == nil ? countMax : 0)
        }
        let counts = speculation.counts(
            for: sequences, rows: packer.rows + prefillRows, rowsMax: policy.rowsMax,
            areOthersWaiting: prefillRows > 0 || decoding > packer.runs.count)
        for (index, count) in counts.enumerated() where count > 0 {
            packer.add(drafts: sequences[index].0?.guesses(count) ?? [], toRun: index)
            let run = packer.runs[index]
            prefixes.sent(run.sequenceID, tokens: Int(run.position) + run.tokens.count)
        }
    }

    /// Rows of the prompts that are being evaluated, with those already sent: so chunks keep their size.
    private var promptRows: Int {
        readyToPrefill.ids.reduce(0) { rows, id in
            rows + (active[id].map { $0.backlogCount - $0.reusedCount } ?? 0)
        }
    }

    /// - Returns: the rows taken.
    @discardableResult private mutating func take(_ id: UInt64, rowsMax: Int, into packer: inout StepPacker) -> Int {
        guard let run = active[id]?.takeRun(rowsMax: rowsMax), let attempt = active[id]?.attempt else { return 0 }
        packer.append(run, attempt: attempt)
        prefixes.sent(id, tokens: Int(run.position) + run.tokens.count)
        return run.tokens.count
    }

    // MARK: Results

    /// Hands a step's result to its sequences.
    mutating func apply(_ result: StepResult) -> [SchedulerOutput] {
        guard let policy, result.epoch == epoch else {
            return [.ignored("a result of epoch \(result.epoch), which is over")]
        }
        guard let record = finish(step: result.stepID) else {
            return [.ignored("a result of step \(result.stepID), which is not on the ring")]
        }
        self.policy?.cost.observe(rows: record.rowCount, nanoseconds: result.computeNanoseconds)
        do {
            let results = try record.matched(with: result.runs, vocabularySize: policy.vocabularySize)
            return zip(record.runs, results).flatMap { run, result in apply(run, result, policy) }
        } catch {
            let reason = "the shard with the last layer answered step \(record.stepID) with \(error.reason)"
            return end(record.runs, GenerationFailure(reason: reason))
        }
    }

    private mutating func apply(
        _ run: StepRecord.Run, _ result: RunResult?, _ policy: PackingPolicy
    ) -> [SchedulerOutput] {
        let id = run.sequenceID
        // A removed sequence or a run from before the sequence went back.
        guard active[id]?.attempt == run.attempt else { return [] }
        guard active[id]?.confirmedCount == run.position else {
            return end([run], GenerationFailure(reason: "the ring answered the steps of a sequence out of order"))
        }
        speculation.count(drafted: run.drafts.count, accepted: max(0, (result?.sampled.count ?? 0) - 1))
        let events =
            active[id]?.apply(
                result, end: run.end, contextTokensMax: policy.contextTokensMax, confidence: &speculation.confidence)
            ?? []
        if case .prompt(_, let cachedTokens)? = events.first {
            promptTokensEvaluated += UInt64((active[id]?.promptCount ?? 0) - cachedTokens)
            promptTokensReused += UInt64(cachedTokens)
            prefixHits += cachedTokens > 0 ? 1 : 0
        }
        if case .finished? = events.last {
            remove(id)
        } else if let sequence = active[id], !sequence.isPrefilling, sequence.unsentCount > 0 {
            readyToDecode.append(id)
        }
        return events.map { .event(sequence: id, $0) }
    }

    /// Learns how long a step took that has brought its result.
    mutating func observe(_ record: StepRecord, roundTrip: Duration, computing: Duration) {
        guard record.isDecoding else { return }
        speculation.observe(rows: record.rowCount, roundTrip: roundTrip, computing: computing)
    }

    // MARK: Failures

    /// A step brings no result.
    /// - Parameter culprit: the sequence at fault; the others of the step are sent again. `nil`: the remedy is for all.
    mutating func fail(
        step stepID: UInt64, culprit: UInt64?, remedy: StepRemedy, _ failure: GenerationFailure
    ) -> [SchedulerOutput] {
        guard let record = finish(step: stepID) else {
            return [.ignored("a failure of step \(stepID), which is not on the ring: \(failure.reason)")]
        }
        let culprits = record.runs.filter { culprit == nil || $0.sequenceID == culprit }
        // A culprit that did not ride in the step leaves nobody else to blame than all.
        guard !culprits.isEmpty else { return end(record.runs, failure) }
        for run in record.runs where culprit != nil && run.sequenceID != culprit { sendAgain(run, from: run.position) }
        switch remedy {
        case .end: return end(culprits, failure)
        case .makeRoom:
            let current = culprits.filter { active[$0.sequenceID]?.attempt == $0.attempt }
            guard !current.isEmpty else { return [] }
            let givenUp = prefixes.giveUpHalf()
            guard !givenUp.isEmpty else { return end(current, failure) }
            forget(givenUp)
            for run in current { sendAgain(run, from: run.position) }
            return []
        case .sendAgain: return culprits.flatMap { sendAgainFromStart($0, failure) }
        }
    }

    private mutating func sendAgainFromStart(
        _ run: StepRecord.Run, _ failure: GenerationFailure
    ) -> [SchedulerOutput] {
        guard let sequence = active[run.sequenceID], sequence.attempt == run.attempt else { return [] }
        // What it took over may have been lost on the way. That happens once and is nobody's fault.
        if sequence.reusedCount == 0 {
            guard sequence.replays < limits.replaysMax else { return end([run], failure) }
            active[run.sequenceID]?.replays += 1
        }
        active[run.sequenceID]?.mayShare = false
        sendAgain(run, from: 0)
        return []
    }

    /// Takes a step off the ring that nobody waits for any more.
    /// - Returns: whether there was such a step.
    mutating func dropUnwanted(step stepID: UInt64) -> Bool {
        guard let record = inFlight.first(where: { $0.stepID == stepID }),
            !record.runs.contains(where: { active[$0.sequenceID]?.attempt == $0.attempt })
        else { return false }
        _ = finish(step: stepID)
        return true
    }

    private mutating func end(_ runs: [StepRecord.Run], _ failure: GenerationFailure) -> [SchedulerOutput] {
        runs.compactMap { run in
            guard active[run.sequenceID]?.attempt == run.attempt else { return nil }
            remove(run.sequenceID, keepsCache: false)
            return .failed(sequence: run.sequenceID, failure)
        }
    }

    /// Sends a sequence again, from `position` on; shards drop what they hold of it beyond.
    private mutating func sendAgain(_ run: StepRecord.Run, from position: Int) {
        let id = run.sequenceID
        guard active[id]?.attempt == run.attempt else { return }
        active[id]?.rewind(to: position)
        readyToDecode.removeAll { $0 == id }
        readyToPrefill.remove(id)
        if active[id]?.isPrefilling == true { awaitTurn(id) } else { readyToDecode.append(id) }
    }

    /// Takes a step off the ring.
    private mutating func finish(step stepID: UInt64) -> StepRecord? {
        guard let index = inFlight.firstIndex(where: { $0.stepID == stepID }) else { return nil }
        let record = inFlight.remove(at: index)
        // The last of a removed sequence's steps may have brought it back to a shard's cache. With several rounds the
        // Forget has waited for the last step that needs it.
        let waits = policy?.rounds != 1
        for run in record.runs {
            for id in [run.sequenceID] + (waits ? [run.parentID].compactMap { $0 } : []) {
                guard active[id] == nil, !prefixes.kept.contains(id) else { continue }
                guard !inFlight.contains(where: { waits ? $0.needs(id) : $0.carries(id) }) else { continue }
                forgotten.append(id)
            }
        }
        return record
    }
}

/// What to do about sequences whose step failed.
enum StepRemedy: Equatable, Sendable {
    /// They end with the failure.
    case end
    /// Caches kept for later are given up and the step is sent again; where none are, the sequences end.
    case makeRoom
    /// They are sent again from the beginning, at most ``SchedulerLimits/replaysMax`` times without a token in between.
    case sendAgain
}

/// What becomes of sequences.
enum SchedulerOutput: Equatable, Sendable {
    case event(sequence: UInt64, GenerationEvent)
    case failed(sequence: UInt64, GenerationFailure)
    /// Something came from the ring that means nothing any more; for the log.
    case ignored(String)
}
