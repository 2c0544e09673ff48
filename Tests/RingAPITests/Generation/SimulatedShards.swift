// The shards of a ring in one value: each frame goes round them at once, by the rules that real ones follow.

import Wire

@testable import RingAPI

/// Shards in ring order. Frames go in where the API sends them and come out where it receives them, or backward as a
/// failure.
struct SimulatedShards {
    enum Outcome: Equatable {
        case forward(Frame)
        case backward(Failure)
        /// The first shard cannot be reached.
        case unreachable
        /// Lost with a shard.
        case lost
    }

    struct Shard {
        var description: ShardDescription
        var epoch: UInt64 = 0
        var model = SimulatedModel()
        var isDown = false
        var isLoading = false
        var layersLoaded = 0
        /// Frames are taken and never seen again, as by a shard that was killed with them in its queue.
        var swallows = false
        /// Refuses the step that holds this sequence, once.
        var refuses: (sequence: UInt64, kind: FailureKind)?

        mutating func restart() {
            epoch = 0
            model.forgetAll()
            swallows = false
            isDown = false
        }
    }

    var shards: [Shard]
    let layerCount: UInt32 = 4

    init(_ descriptions: [ShardDescription]) {
        shards = descriptions.map { Shard(description: $0) }
    }

    /// Sequences whose caches any shard holds.
    var held: Set<UInt64> { shards.reduce(into: []) { $0.formUnion($1.model.caches.keys) } }

    mutating func handle(_ frame: Frame) -> Outcome {
        var frame = frame
        for index in shards.indices {
            if shards[index].isDown {
                guard index > 0 else { return .unreachable }
                let previous = shards[index - 1].description.name
                let reason = "\(previous) cannot pass on: \(shards[index].description.address) is not connected"
                return .backward(frame.failure(.brokenRing, reason, by: previous))
            }
            if shards[index].swallows { return .lost }
            if shards[index].isLoading {
                let name = shards[index].description.name
                shards[index].layersLoaded += 1
                let reason = "shard \(name) is still loading its weights, \(shards[index].layersLoaded) layers so far"
                return .backward(frame.failure(.loading, reason, by: name))
            }
            do throws(Failure) {
                frame = try shards[index].handle(frame, layerCount: layerCount)
            } catch {
                return .backward(error)
            }
        }
        return .forward(frame)
    }
}

extension SimulatedShards.Shard {
    fileprivate mutating func handle(_ frame: Frame, layerCount: UInt32) throws(Failure) -> Frame {
        let name = description.name
        switch frame.message {
        case .probe(var probe):
            probe.hops += 1
            probe.shards.append(description)
            return Frame(.probe(probe))
        case .begin(var begin):
            begin.hops += 1
            guard begin.epoch >= epoch else {
                throw frame.failure(.staleEpoch, "epoch \(begin.epoch) is over; the ring is at \(epoch)", by: name)
            }
            if begin.epoch > epoch { model.forgetAll() }
            epoch = begin.epoch
            return Frame(.begin(begin))
        case .step(var step):
            step.hops += 1
            guard step.epoch == epoch else { throw frame.failure(.staleEpoch, "\(name) is at \(epoch)", by: name) }
            if let refuses, step.runs.contains(where: { $0.sequenceID == refuses.sequence }) {
                self.refuses = nil
                var failure = frame.failure(refuses.kind, "\(name) refuses", by: name)
                failure.sequenceID = refuses.sequence
                throw failure
            }
            guard let range = description.layers.first(where: { $0.contains(step.nextLayer) }) else {
                return Frame(.step(step), payload: frame.payload)
            }
            do {
                try model.apply(step)
            } catch {
                throw error.named(name)
            }
            step.nextLayer = range.upperBound + 1
            guard step.nextLayer == layerCount else {
                // One column of float32.
                step.hiddenSize = 1
                return Frame(.step(step), payload: [UInt8](repeating: UInt8(step.nextLayer), count: step.rowCount * 4))
            }
            var result = model.result(of: step)
            result.computeNanoseconds = 1_000_000
            return Frame(.result(result))
        case .result(var result):
            result.hops += 1
            return Frame(.result(result))
        case .forget(var forget):
            forget.hops += 1
            if forget.epoch == epoch { model.forget(forget.sequenceIDs) }
            return Frame(.forget(forget))
        case .failure, .hello, .heartbeat: return frame
        }
    }
}

extension Failure {
    fileprivate func named(_ shard: String) -> Failure {
        var failure = self
        failure.shard = shard
        return failure
    }
}

extension Frame {
    fileprivate func failure(_ kind: FailureKind, _ reason: String, by shard: String) -> Failure {
        var failure = Failure(kind: kind, reason: reason, shard: shard)
        switch message {
        case .probe(let probe): failure.probeID = probe.probeID
        case .begin(let begin): failure.epoch = begin.epoch
        case .step(let step): (failure.epoch, failure.stepID) = (step.epoch, step.stepID)
        case .forget(let forget): failure.epoch = forget.epoch
        case .result(let result): (failure.epoch, failure.stepID) = (result.epoch, result.stepID)
        case .failure, .hello, .heartbeat: break
        }
        return failure
    }
}
