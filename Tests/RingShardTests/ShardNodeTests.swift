// The relay rule and what a shard refuses, with a runtime that only takes notes.

import Logging
import Synchronization
import Testing
import Wire

@testable import RingShard

/// Holds the layers it is told to and applies them by counting.
private final class NotingRuntime: StepRuntime {
    let held: Set<Int>
    let layerCount: Int
    var applied: [UInt32] = []
    var begun: [ActivationFormat] = []
    var forgotten: [UInt64] = []
    var failure: Failure?

    init(held: some Sequence<Int>, of layerCount: Int) {
        self.held = Set(held)
        self.layerCount = layerCount
    }

    func holds(layer: Int) -> Bool { held.contains(layer) }
    func begin(activations: ActivationFormat) { begun.append(activations) }
    func forget(_ sequenceIDs: [UInt64]) { forgotten += sequenceIDs }

    func apply(_ step: Step, payload: [UInt8]) throws(Failure) -> StepOutcome {
        if let failure { throw failure }
        var step = step
        while held.contains(Int(step.nextLayer)) {
            applied.append(step.nextLayer)
            step.nextLayer += 1
        }
        guard Int(step.nextLayer) == layerCount else {
            let payload = payload + [UInt8(step.nextLayer)]
            step.checksum = Checksum.xxh3(of: payload)
            return .onward(step, payload: payload)
        }
        return .result(StepResult(epoch: step.epoch, stepID: step.stepID, hops: step.hops, runs: []))
    }

    func describe() -> ShardDescription {
        var description = ShardDescription()
        description.name = "noting"
        return description
    }
}

@Suite struct ShardNodeTests {
    private let fingerprint = [UInt8](repeating: 7, count: WireLimits.fingerprintBytes)

    private func node(_ runtime: NotingRuntime) -> ShardNode {
        ShardNode(name: "a", modelFingerprint: fingerprint, runtime: runtime, logger: Logger(label: "test"))
    }

    private func begin(_ node: ShardNode, epoch: UInt64 = 1) {
        let begin = Begin(epoch: epoch, modelFingerprint: fingerprint, activations: .f32)
        #expect(node.receive(Frame(.begin(begin)), forward: { _ in }) == nil)
    }

    /// Gives a frame to a node and returns what it passed on and what it reported.
    private func deliver(_ frame: Frame, to node: ShardNode) -> (passed: [Frame], failure: Failure?) {
        var passed: [Frame] = []
        let failure = node.receive(frame) { passed.append($0) }
        return (passed, failure)
    }

    private func step(next: UInt32, epoch: UInt64 = 1, hops: UInt32 = 0, payload: [UInt8] = []) -> Frame {
        let runs = [SequenceRun(sequenceID: 1, position: 0, tokens: [5], promptCount: 1)]
        let checksum = payload.isEmpty ? 0 : Checksum.xxh3(of: payload)
        return Frame(
            .step(Step(epoch: epoch, stepID: 9, nextLayer: next, hops: hops, runs: runs, checksum: checksum)),
            payload: payload)
    }

    @Test func appliesTheConsecutiveLayersItHolds() throws {
        let runtime = NotingRuntime(held: [0, 1, 4], of: 6)
        let node = node(runtime)
        begin(node)
        let (passed, failure) = deliver(step(next: 0), to: node)
        #expect(failure == nil && runtime.applied == [0, 1])
        guard case .step(let onward) = try #require(passed.first).message else {
            Issue.record("a step goes on")
            return
        }
        #expect(onward.nextLayer == 2 && onward.hops == 1)
    }

    @Test func passesOnUntouchedWhatItDoesNotHold() {
        let runtime = NotingRuntime(held: [0], of: 6)
        let node = node(runtime)
        begin(node)
        let frame = step(next: 3, hops: 4, payload: [1, 2, 3])
        let (passed, _) = deliver(frame, to: node)
        #expect(runtime.applied.isEmpty)
        #expect(passed == [step(next: 3, hops: 5, payload: [1, 2, 3])])
    }

    @Test func theLastLayerGivesAResult() {
        let node = node(NotingRuntime(held: [4, 5], of: 6))
        begin(node)
        let (passed, _) = deliver(step(next: 4, payload: [1]), to: node)
        #expect(passed == [Frame(.result(StepResult(epoch: 1, stepID: 9, hops: 1, runs: [])))])
    }

    @Test func resultsGoOnWithAnotherHop() {
        let node = node(NotingRuntime(held: [0], of: 6))
        let result = StepResult(epoch: 1, stepID: 9, hops: 2, runs: [])
        let (passed, _) = deliver(Frame(.result(result)), to: node)
        #expect(passed == [Frame(.result(StepResult(epoch: 1, stepID: 9, hops: 3, runs: [])))])
    }

    @Test func aFrameThatCirclesIsStopped() {
        let node = node(NotingRuntime(held: [0], of: 6))
        begin(node)
        let (passed, failure) = deliver(step(next: 3, hops: WireLimits.hopsMax), to: node)
        #expect(passed.isEmpty)
        #expect(failure?.kind == .unheldLayer && failure?.stepID == 9)
        #expect(failure?.reason.contains("layer 3") == true)
    }

    @Test func frameOfAnotherEpochIsRefused() {
        let runtime = NotingRuntime(held: [0], of: 1)
        let node = node(runtime)
        begin(node, epoch: 5)
        for epoch: UInt64 in [4, 6] {
            let (passed, failure) = deliver(step(next: 0, epoch: epoch), to: node)
            #expect(passed.isEmpty && failure?.kind == .staleEpoch && failure?.epoch == epoch)
        }
        #expect(runtime.applied.isEmpty)
    }

    @Test func aNewEpochBeginsOnceAndAnOldOneNot() {
        let runtime = NotingRuntime(held: [0], of: 1)
        let node = node(runtime)
        begin(node, epoch: 5)
        // A second round of the ring brings the same frame by again.
        begin(node, epoch: 5)
        #expect(runtime.begun == [.f32])
        let old = Begin(epoch: 4, modelFingerprint: fingerprint, activations: .f32)
        #expect(deliver(Frame(.begin(old)), to: node).failure?.kind == .staleEpoch)
    }

    @Test func anotherModelIsRefused() {
        let node = node(NotingRuntime(held: [0], of: 1))
        let other = Begin(epoch: 1, modelFingerprint: [UInt8](repeating: 8, count: 16), activations: .f32)
        let (passed, failure) = deliver(Frame(.begin(other)), to: node)
        #expect(passed.isEmpty && failure?.kind == .model)
    }

    @Test func changedActivationsAreNoticed() {
        let runtime = NotingRuntime(held: [1], of: 3)
        let node = node(runtime)
        begin(node)
        var frame = step(next: 1, payload: [1, 2, 3, 4])
        for bit in 0..<32 {
            frame.payload[bit / 8] ^= 1 << (bit % 8)
            #expect(deliver(frame, to: node).failure?.kind == .checksum)
            frame.payload[bit / 8] ^= 1 << (bit % 8)
        }
        #expect(runtime.applied.isEmpty)
        #expect(deliver(frame, to: node).failure == nil)
    }

    @Test func probesCollectShards() {
        let node = node(NotingRuntime(held: [0], of: 1))
        let (passed, _) = deliver(Frame(.probe(Probe(probeID: 3))), to: node)
        guard case .probe(let probe) = passed.first?.message else {
            Issue.record("the probe goes on")
            return
        }
        #expect(probe.probeID == 3 && probe.hops == 1 && probe.shards.map(\.name) == ["noting"])
    }

    @Test func forgettingConcernsOnlyThisEpoch() {
        let runtime = NotingRuntime(held: [0], of: 1)
        let node = node(runtime)
        begin(node, epoch: 2)
        #expect(deliver(Frame(.forget(Forget(epoch: 1, sequenceIDs: [7]))), to: node).passed.count == 1)
        #expect(runtime.forgotten.isEmpty)
        _ = deliver(Frame(.forget(Forget(epoch: 2, sequenceIDs: [7, 8]))), to: node)
        #expect(runtime.forgotten == [7, 8])
    }

    @Test func whatTheRuntimeReportsNamesTheStep() {
        let runtime = NotingRuntime(held: [0], of: 1)
        runtime.failure = Failure(kind: .memory, reason: "full", shard: "", sequenceID: 1)
        let node = node(runtime)
        begin(node)
        let (passed, failure) = deliver(step(next: 0), to: node)
        #expect(passed.isEmpty)
        #expect(
            failure == Failure(kind: .memory, reason: "full", shard: "a", epoch: 1, stepID: 9, sequenceID: 1))
    }

    @Test func aBrokenRingIsReportedForWhatCouldNotBePassed() {
        let node = node(NotingRuntime(held: [0], of: 2))
        begin(node)
        let failure = node.receive(step(next: 0)) { _ throws(ShardNode.NextUnreachable) in
            throw ShardNode.NextUnreachable(reason: "b is gone")
        }
        #expect(failure == Failure(kind: .brokenRing, reason: "b is gone", shard: "a", epoch: 1, stepID: 9))
    }

    /// The API asks every few seconds whether the ring is whole.
    @Test func whatKeepsTheRingFromFormingIsSaidWhenItChanges() {
        let log = KeptLog()
        let node = ShardNode(
            name: "a", modelFingerprint: fingerprint, runtime: NotingRuntime(held: [0], of: 2),
            logger: Logger(label: "test") { _ in log })
        let probe = { (id: UInt64, reason: String) in
            _ = node.receive(Frame(.probe(Probe(probeID: id)))) { _ throws(ShardNode.NextUnreachable) in
                throw ShardNode.NextUnreachable(reason: reason)
            }
        }
        for id: UInt64 in 1...5 { probe(id, "b is gone") }
        #expect(log.warnings == ["b is gone"])
        for id: UInt64 in 6...9 { probe(id, "b does not answer") }
        #expect(log.warnings == ["b is gone", "b does not answer"])
        begin(node)
        for id: UInt64 in 10...12 { probe(id, "b does not answer") }
        #expect(log.warnings == ["b is gone", "b does not answer", "b does not answer"], "it was there in between")

        let runtime = NotingRuntime(held: [0], of: 1)
        runtime.failure = Failure(kind: .memory, reason: "full", shard: "")
        let other = ShardNode(
            name: "a", modelFingerprint: fingerprint, runtime: runtime, logger: Logger(label: "test") { _ in log })
        begin(other)
        for _ in 0..<2 { _ = deliver(step(next: 0), to: other) }
        #expect(log.warnings.suffix(2) == ["full", "full"], "each failure of a step is said")
    }
}

/// Keeps the warnings.
private final class KeptLog: LogHandler {
    private let lines = Mutex<[String]>([])
    var logLevel: Logger.Level {
        get { .debug }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }

    var warnings: [String] { lines.withLock { $0 } }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) {
        if event.level == .warning { lines.withLock { $0.append("\(event.message)") } }
    }
}
