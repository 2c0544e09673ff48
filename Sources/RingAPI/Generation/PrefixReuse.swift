// What a new sequence takes over from others that begin the same, and what is kept for that.

/// Chooses the sequence whose cache a new one goes on from, among those that ended and those that run, and which of
/// the former are kept.
struct PrefixReuse {
    /// Fewer tokens are computed as soon as shared: a step takes hardly longer with them.
    static let tokensMin = 16

    /// Where the cache of a sequence begins.
    enum Beginning: Equatable {
        /// With nothing.
        case anew
        /// With the first `tokens` tokens of another sequence.
        case shared(with: UInt64, tokens: Int)
        /// Later: a sequence before it is about to send more of the same tokens.
        case wait

        /// Tokens that need not be computed.
        var tokens: Int { if case .shared(_, let tokens) = self { tokens } else { 0 } }
    }

    private(set) var kept: PrefixStore
    private var ledger = CacheLedger()

    init(limits: SchedulerLimits) {
        kept = PrefixStore(countMax: limits.prefixesMax)
    }

    /// Room that all sequences take in the caches, in tokens.
    var tokensHeld: Int { ledger.tokens }

    // MARK: Beginning

    /// - Parameters:
    ///   - sequence: has sent nothing.
    ///   - active: every sequence that runs.
    ///   - rowsBefore: for a sequence with rows in the step that is being packed, its tokens before them: rows of one
    ///     step cannot build on each other.
    func beginning(
        of sequence: SequenceState, among active: [UInt64: SequenceState], rowsBefore: (UInt64) -> Int?
    ) -> Beginning {
        guard let (best, coming) = overlap(of: sequence, among: active, rowsBefore: rowsBefore) else { return .anew }
        if coming >= best.count + Self.tokensMin { return .wait }
        return best.count >= Self.tokensMin ? .shared(with: best.sequenceID, tokens: best.count) : .anew
    }

    /// First tokens that a sequence will not have to compute if all goes on as it is: others have them or are about to.
    func tokensExpected(of sequence: SequenceState, among active: [UInt64: SequenceState]) -> Int {
        guard let (best, coming) = overlap(of: sequence, among: active, rowsBefore: { _ in nil }) else { return 0 }
        let count = max(best.count, coming)
        return count >= Self.tokensMin ? count : 0
    }

    /// The sequence that has sent most of the first tokens of `sequence`, and the most that one before it has to send.
    private func overlap(
        of sequence: SequenceState, among active: [UInt64: SequenceState], rowsBefore: (UInt64) -> Int?
    ) -> (best: (sequenceID: UInt64, count: Int), coming: Int)? {
        guard kept.countMax > 0, sequence.mayReuse else { return nil }
        // The last token is always computed: what comes after it is wanted.
        let wanted = Array(sequence.log.dropLast())
        var best = kept.longestMatch(of: wanted) ?? (0, 0)
        var coming = 0
        for id in active.keys.sorted() where id != sequence.id {
            guard let other = active[id] else { continue }
            let common = other.log.commonPrefix(with: wanted, beyond: best.count)
            let rowsBefore = rowsBefore(id)
            let ready = min(common, rowsBefore ?? other.sentCount)
            if ready > best.count { best = (id, ready) }
            // Only for those before it, so that no two wait for each other.
            if id < sequence.id, other.isPrefilling || rowsBefore != nil { coming = max(coming, common) }
        }
        return (best, coming)
    }

    /// Notes how a sequence began.
    mutating func began(_ id: UInt64, _ beginning: Beginning) {
        guard case .shared(let parent, let tokens) = beginning else { return ledger.begin(id) }
        kept.use(parent)
        ledger.begin(id, parent: parent, shared: tokens)
    }

    /// Notes that a sequence has sent its first `tokens` tokens.
    mutating func sent(_ id: UInt64, tokens: Int) {
        ledger.hold(id, tokens: tokens)
    }

    // MARK: Keeping

    /// Keeps a sequence that ended, where it is worth it.
    /// - Parameter tokens: those that every shard has.
    /// - Returns: sequences to be forgotten.
    mutating func keep(_ id: UInt64, tokens: [UInt32]) -> [UInt64] {
        let dropped = kept.keep(id, tokens: tokens)
        if !dropped.contains(id) { ledger.hold(id, tokens: tokens.count) }
        return dropped
    }

    /// Notes that the shards were told to forget a sequence.
    mutating func forgot(_ id: UInt64) {
        ledger.drop(id)
    }

    /// Gives up what was of no use for longest until all that is held fits into `tokensMax`.
    /// - Parameter isSpared: whether a sequence is needed by what is sent next.
    /// - Returns: sequences to be forgotten.
    mutating func makeRoom(of tokensMax: Int, sparing isSpared: (UInt64) -> Bool) -> [UInt64] {
        var dropped: [UInt64] = []
        while ledger.tokens > tokensMax, let oldest = kept.dropOldest(sparing: isSpared) {
            ledger.drop(oldest)
            dropped.append(oldest)
        }
        return dropped
    }

    /// Gives up half of what is kept, after a shard has run out of memory.
    /// - Returns: sequences to be forgotten; none when nothing was kept.
    mutating func giveUpHalf() -> [UInt64] {
        (0..<(kept.count + 1) / 2).compactMap { _ in kept.dropOldest() }
    }

    /// The shards hold nothing any more.
    mutating func removeAll() {
        kept.removeAll()
        ledger.removeAll()
    }
}
