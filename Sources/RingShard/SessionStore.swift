// The sequences a shard knows: their caches, and on the shard that samples their tokens.

import Models
import Sampling
import Tensors
import Wire

/// One sequence on this shard.
final class Session {
    let cache: SequenceCache
    /// Kept by the shard that samples, for penalties.
    var history: TokenHistory

    init(cache: SequenceCache, promptCount: Int) {
        self.cache = cache
        history = TokenHistory(promptCount: promptCount)
    }

    /// Adds a run's settled tokens to the history, in place of what was there from its position on.
    func remember(_ run: SequenceRun) {
        history.truncate(to: Int(run.position))
        history.setPromptCount(Int(run.promptCount))
        history.append(contentsOf: run.settledTokens)
    }
}

/// Sessions by sequence id. Not thread-safe.
final class SessionStore {
    private let model: ShardModel
    let pool: CacheBlockPool
    private var sessions: [UInt64: Session] = [:]

    init(model: ShardModel, pool: CacheBlockPool) {
        self.model = model
        self.pool = pool
    }

    var count: Int { sessions.count }

    /// Bytes that a token takes in the caches of all layers held here.
    var bytesPerToken: Int {
        model.cacheBytesPerToken(as: pool.type)
    }

    /// The session of a run, which begins now if the run is at its start, or where its parent's tokens end.
    /// - Parameter layers: the layers the run is about to enter here.
    /// - Throws: ``Failure`` of kind gap when tokens before the run are missing, of kind memory when there are too many
    ///   sequences.
    func session(for run: SequenceRun, layers: Range<Int>) throws(Failure) -> Session {
        let session: Session
        if let known = sessions[run.sequenceID] {
            session = known
        } else {
            guard sessions.count < ShardConfiguration.sequencesMax else {
                throw Failure(
                    kind: .memory, reason: "\(sessions.count) sequences are open, which is the limit of a shard",
                    shard: "",
                    sequenceID: run.sequenceID)
            }
            session = Session(
                cache: SequenceCache(layers: model.layers.layers, shape: model.model.shape, pool: pool),
                promptCount: Int(run.promptCount))
        }
        if let parent = run.parentID.flatMap({ sessions[$0] }) {
            inherit(Int(run.position), from: parent, to: session, layers: layers)
        }
        let held = session.cache[layers.lowerBound].length
        guard Int(run.position) <= held else {
            throw Failure(
                kind: .gap,
                reason:
                    "sequence \(run.sequenceID) continues at token \(run.position), but only \(held) are in the cache",
                shard: "", sequenceID: run.sequenceID)
        }
        sessions[run.sequenceID] = session
        return session
    }

    /// Only the layers that the run is about to enter: where a shard is passed more than once, the parent's own steps
    /// may not have reached the others yet.
    private func inherit(_ count: Int, from parent: Session, to session: Session, layers: Range<Int>) {
        session.cache.inherit(count, from: parent.cache, layers: layers)
        if layers.upperBound == model.model.shape.layerCount, session.history.count < count {
            session.history = parent.history.prefix(count)
        }
    }

    func remove(_ sequenceIDs: [UInt64]) {
        for id in sequenceIDs { sessions.removeValue(forKey: id) }
    }

    func removeAll() {
        sessions.removeAll()
        pool.freeSpare()
    }
}
