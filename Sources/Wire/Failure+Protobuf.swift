// Forget and Failure as protobuf.

import CRingProto

extension Forget: ProtobufMessage {
    func validate() throws(WireError) {
        try ValueLimit.check(hops: hops, "Forget")
        try CountLimit.forgetSequences.check(sequenceIDs.count)
    }

    func build(in arena: MessageArena) -> UnsafeMutablePointer<Ring__Forget>? {
        arena.message(ring__forget__init) {
            $0.epoch = epoch
            $0.n_sequence_ids = sequenceIDs.count
            $0.sequence_ids = arena.numbers(sequenceIDs)
            $0.hops = hops
        }
    }

    init(reading message: Ring__Forget) throws(WireError) {
        self.init(
            epoch: message.epoch,
            sequenceIDs: try UInt64.list(message.n_sequence_ids, message.sequence_ids, .forgetSequences),
            hops: message.hops)
    }
}

extension Failure: ProtobufMessage {
    func validate() throws(WireError) {
        try CountLimit.failureReason.check(reason.utf8.count)
        try CountLimit.failureShard.check(shard.utf8.count)
    }

    func build(in arena: MessageArena) -> UnsafeMutablePointer<Ring__Failure>? {
        arena.message(ring__failure__init) {
            $0.kind = Ring__FailureKind(kind.rawValue)
            $0.reason = arena.text(reason)
            $0.shard = arena.text(shard)
            $0.epoch = epoch
            $0.step_id = stepID
            $0.sequence_id = sequenceID
            $0.probe_id = probeID
        }
    }

    init(reading message: Ring__Failure) throws(WireError) {
        guard let kind = FailureKind(rawValue: message.kind.rawValue) else {
            throw .field(message: "Failure", field: "kind", found: "\(message.kind.rawValue)", allowed: "1 to 10")
        }
        self.init(
            kind: kind, reason: try CountLimit.failureReason.text(message.reason),
            shard: try CountLimit.failureShard.text(message.shard), epoch: message.epoch, stepID: message.step_id,
            sequenceID: message.sequence_id, probeID: message.probe_id)
    }

    /// The same failure with a reason short enough to travel: why something went wrong must not be lost for its length.
    func shortened() -> Failure {
        guard reason.utf8.count > WireLimits.reasonBytesMax else { return self }
        let ellipsis = "…"
        var short = self
        // Cutting whole characters may leave some bytes unused, which is no loss.
        var kept = 0
        let room = WireLimits.reasonBytesMax - ellipsis.utf8.count
        short.reason =
            String(
                reason.prefix { character in
                    kept += character.utf8.count
                    return kept <= room
                }) + ellipsis
        return short
    }
}
