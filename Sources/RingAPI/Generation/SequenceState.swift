// One sequence on its way: what was sent, what came back, what is next.

import Wire

/// The log of a sequence's tokens and how far the ring has come with it.
struct SequenceState {
    let id: UInt64
    let promptCount: Int
    let sampling: Sampling
    let tokensMax: Int
    let stopTokens: Set<UInt32>
    /// Alternatives wanted for each prompt token; `nil`: no log-probabilities wanted.
    let promptLogprobs: Int?

    /// Every token, prompt first: all that is needed to rebuild the shards' caches.
    private(set) var log: [UInt32]
    /// Tokens of the log that went onto the ring in this epoch.
    private(set) var sentCount = 0
    /// Tokens of the log whose results came back in this epoch.
    private(set) var confirmedCount = 0
    /// Tokens to be sent in chunks before one follows another singly: the log as it was when the epoch began.
    private(set) var backlogCount: Int
    /// Counts the times the sequence went back; results of runs from before do not count.
    private(set) var attempt = 0
    /// Times the ring broke with rows of this sequence on it since it last got a token.
    var replays = 0
    /// First tokens that came from another sequence's cache in this attempt.
    private(set) var reusedCount = 0
    /// Whether it may take over the beginning of another sequence's cache.
    var mayShare = true

    private var parentID: UInt64?
    /// Guesses what comes next; `nil` where nobody wants guesses.
    private(set) var drafter: Drafter?

    private var promptChoices: [TokenChoice] = []
    private var isPromptReported = false

    init(id: UInt64, request: GenerationRequest, drafts: Bool = false) {
        self.id = id
        promptCount = request.prompt.count
        sampling = request.sampling
        tokensMax = request.tokensMax
        stopTokens = request.stopTokens
        promptLogprobs = request.promptLogprobs
        log = request.prompt
        backlogCount = request.prompt.count
        drafter = drafts && request.mayDraft && request.tokensMax > 1 ? Drafter(prediction: request.prediction) : nil
    }

    var unsentCount: Int { log.count - sentCount }
    var isPrefilling: Bool { sentCount < backlogCount }
    /// Nothing of it is on the ring.
    var isIdle: Bool { sentCount == confirmedCount }

    /// Whether its beginning can come from elsewhere: rows that must answer are computed here.
    var mayReuse: Bool { mayShare && sentCount == 0 && (promptLogprobs == nil || isPromptReported) }
    /// The tokens that every shard has, sent by itself.
    var confirmedTokens: [UInt32] { confirmedCount > reusedCount ? Array(log[..<confirmedCount]) : [] }

    private var generatedCount: Int { log.count - promptCount }

    // MARK: Sending

    /// Begins after the first `count` tokens, which the shards take from `parent`. Nothing must have been sent.
    mutating func begin(with count: Int, of parent: UInt64) {
        parentID = parent
        reusedCount = count
        sentCount = count
        confirmedCount = count
    }

    /// Takes the next run of at most `rowsMax` tokens. There must be unsent tokens.
    mutating func takeRun(rowsMax: Int) -> SequenceRun {
        let end = min(sentCount + rowsMax, log.count)
        var run = SequenceRun(
            sequenceID: id, position: UInt32(sentCount), tokens: Array(log[sentCount..<end]),
            promptCount: UInt32(promptCount))
        if sentCount == reusedCount { run.parentID = parentID }
        if end == log.count, generatedCount < tokensMax { run.sampling = sampling }
        if let promptLogprobs, !isPromptReported, sentCount < promptCount {
            run.promptLogprobs = PromptLogprobs(
                top: UInt32(promptLogprobs), nextToken: end < promptCount ? log[end] : nil)
        }
        sentCount = end
        // Chunk by chunk, so that a long prompt is not read all at once.
        if let read = drafter?.readCount, read < end { drafter?.read(log[read..<end]) }
        if end >= promptCount { drafter?.endPrompt() }
        return run
    }

    /// Most guesses that a run of its latest token may carry: each could bring a token beside the run's own.
    func draftsMax(contextTokensMax: Int) -> Int {
        let room = min(tokensMax - generatedCount, contextTokensMax - log.count)
        return drafter == nil || !isPromptReported ? 0 : max(0, min(room - 1, WireLimits.draftsMax))
    }

    // MARK: Going back

    /// Goes back to `position`, from which it will be sent again; further where earlier results are still on their way,
    /// which do not count any more, and to the start where its first run would have to come again, as what that took
    /// over may be gone.
    mutating func rewind(to position: Int) {
        let position = min(position, confirmedCount) > reusedCount ? min(position, confirmedCount) : 0
        if position == 0 { (reusedCount, parentID) = (0, nil) }
        attempt += 1
        // What is sent again goes in chunks, but for a single token that goes as any other.
        if position + 1 < log.count { backlogCount = log.count }
        sentCount = min(sentCount, position)
        confirmedCount = min(confirmedCount, position)
        if !isPromptReported, promptLogprobs != nil {
            // Row i answers for the token after it, so `position` rows have given as many choices.
            promptChoices.removeLast(max(0, promptChoices.count - sentCount))
        }
    }

    // MARK: Results

    /// Takes in the result of its oldest run on the ring, which ended at `end`; `nil` for a run that wanted nothing.
    /// - Parameter confidence: learns whether guesses were right.
    /// - Returns: what the client learns; ``GenerationEvent/finished(_:)`` when the sequence is over.
    mutating func apply(
        _ result: RunResult?, end: Int, contextTokensMax: Int, confidence: inout DraftConfidence
    ) -> [GenerationEvent] {
        confirmedCount = end
        var events: [GenerationEvent] = []
        if let result, !isPromptReported { promptChoices += result.prompt }
        if end >= promptCount, !isPromptReported {
            isPromptReported = true
            replays = 0
            events.append(.prompt(choices: promptChoices, cachedTokens: min(reusedCount, promptCount - 1)))
            promptChoices = []
            if tokensMax == 0 { events.append(.finished(.length)) }
        }
        for choice in result?.sampled ?? [] {
            replays = 0
            // The shards hold all tokens but the last: those before it were drafts.
            (sentCount, confirmedCount) = (log.count, log.count)
            log.append(choice.token)
            let predictedBefore = drafter?.predictedCount
            drafter?.follow(choice.token, common: &confidence)
            if stopTokens.contains(choice.token) {
                events.append(.finished(.stopToken(choice.token)))
                return events
            }
            if let count = drafter?.predictedCount, count != predictedBefore { events.append(.predicted(count)) }
            events.append(.token(choice))
            guard generatedCount < tokensMax, log.count < contextTokensMax else {
                events.append(.finished(.length))
                return events
            }
        }
        return events
    }
}
