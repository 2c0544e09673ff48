// A ring of shards in one process: the same bits however the model is cut.

import Logging
import Testing
import Weights
import Wire

@testable import RingShard

/// Shards of one model, each with its own weights and cache, passed to by hand.
private final class LoopRing {
    private var nodes: [ShardNode] = []
    private var stepID: UInt64 = 0
    private(set) var failures: [Failure] = []

    init(
        _ layers: [String], of directory: RandomModel, window: Int? = nil, threads: Int = 1, exact: Bool = false
    ) throws {
        for (index, list) in layers.enumerated() {
            let configuration = ShardConfiguration(
                name: "shard-\(index)", modelDirectory: directory.path, layers: try LayerList(parsing: list),
                windowLayers: window, threads: threads, exact: exact, cacheBytesMax: 64 << 20)
            let model = try ShardModel(configuration)
            let runtime = try LayerRuntime(configuration, model: model)
            nodes.append(
                ShardNode(
                    name: configuration.name, modelFingerprint: model.fingerprint.bytes, runtime: runtime,
                    logger: Logger(label: "test")))
            let begin = Begin(epoch: 1, modelFingerprint: model.fingerprint.bytes, activations: .f32)
            _ = nodes[index].receive(Frame(.begin(begin)), forward: { _ in })
        }
    }

    /// Makes every shard forget sequences.
    func forget(_ ids: [UInt64]) {
        let frame = Frame(.forget(Forget(epoch: 1, sequenceIDs: ids)))
        for node in nodes { _ = node.receive(frame, forward: { _ in }) }
    }

    /// Bytes of caches over all shards.
    var cacheBytes: UInt64 {
        var probe = Frame(.probe(Probe(probeID: 1)))
        for node in nodes { _ = node.receive(probe, forward: { probe = $0 }) }
        guard case .probe(let answer) = probe.message else { return .max }
        return answer.shards.reduce(0) { $0 + $1.cacheBytes }
    }

    /// Sends a step round until its result comes.
    func run(_ runs: [SequenceRun]) -> StepResult? {
        stepID += 1
        var frame = Frame(.step(Step(epoch: 1, stepID: stepID, runs: runs)))
        for lap in 0..<16 * nodes.count {
            if case .result(var result) = frame.message {
                (result.hops, result.computeNanoseconds, result.stepID) = (0, 0, 0)
                return result
            }
            var passed: Frame?
            if let failure = nodes[lap % nodes.count].receive(frame, forward: { passed = $0 }) {
                failures.append(failure)
                return nil
            }
            guard let passed else { return nil }
            frame = passed
        }
        return nil
    }
}

@Suite struct LayerRuntimeTests {
    private let model: RandomModel

    init() throws {
        model = try RandomModel()
    }

    private func greedy(logprobs: Int = 3) -> Sampling {
        var sampling = Sampling()
        (sampling.logprobs, sampling.topLogprobs) = (true, UInt32(logprobs))
        return sampling
    }

    /// A prompt, some decode steps, and the results of all.
    private func talk(_ ring: LoopRing, sequence: UInt64, prompt: [UInt32], chunk: Int = .max) throws -> [TokenChoice] {
        var choices: [TokenChoice] = []
        var position = 0
        var tokens = prompt
        while choices.count < 8 {
            let part = Array(tokens.prefix(min(chunk, tokens.count)))
            tokens.removeFirst(part.count)
            let run = SequenceRun(
                sequenceID: sequence, position: UInt32(position), tokens: part,
                sampling: tokens.isEmpty ? greedy() : nil, promptCount: UInt32(prompt.count))
            let result = try #require(ring.run([run]))
            position += part.count
            if let choice = result.runs.first?.sampled.first {
                choices.append(choice)
                tokens = [choice.token]
            }
        }
        return choices
    }

    private let prompt: [UInt32] = (0..<90).map { UInt32($0 * 13 % 95 + 1) }

    @Test(arguments: [false, true])
    func theSameHoweverItIsCut(exact: Bool) throws {
        let whole = try talk(LoopRing(["0-3"], of: model, exact: exact), sequence: 1, prompt: prompt)
        #expect(Set(whole.map(\.logprob)).count > 1)
        for cut in [["0-1", "2-3"], ["0", "1-3"], ["0,2", "1,3"], ["2-3", "0-1"], ["0", "1", "2", "3"]] {
            #expect(
                try talk(LoopRing(cut, of: model, exact: exact), sequence: 1, prompt: prompt) == whole, "cut \(cut)")
        }
        for window in [1, 2, 3] {
            let ring = try LoopRing(["0-3"], of: model, window: window, exact: exact)
            #expect(try talk(ring, sequence: 1, prompt: prompt) == whole, "window \(window)")
        }
        #expect(
            try talk(LoopRing(["0-1", "2-3"], of: model, threads: 2, exact: exact), sequence: 1, prompt: prompt)
                == whole)
        for chunk in [1, 7, 64] {
            let ring = try LoopRing(["0-1", "2-3"], of: model, exact: exact)
            #expect(try talk(ring, sequence: 1, prompt: prompt, chunk: chunk) == whole, "chunks of \(chunk)")
        }
    }

    @Test func earlierPositionsReplaceWhatIsCached() throws {
        let ring = try LoopRing(["0,2", "1,3"], of: model)
        let first = try talk(ring, sequence: 1, prompt: prompt)
        #expect(try talk(ring, sequence: 1, prompt: prompt, chunk: 40) == first, "a replay over the old cache")
    }

    @Test func aGapIsRefused() throws {
        let ring = try LoopRing(["0-1", "2-3"], of: model)
        #expect(ring.run([SequenceRun(sequenceID: 4, position: 3, tokens: [1], promptCount: 4)]) == nil)
        #expect(ring.failures.first?.kind == .gap)
        #expect(ring.failures.first?.reason.contains("sequence 4") == true)
    }

    @Test func strangeTokensAreRefusedAndNothingIsLost() throws {
        let ring = try LoopRing(["0-3"], of: model)
        let expected = try talk(ring, sequence: 1, prompt: prompt)
        let strange = SequenceRun(sequenceID: 1, position: 5, tokens: [1_000_000], promptCount: 6)
        #expect(ring.run([strange]) == nil)
        #expect(ring.failures.first?.reason.contains("1000000") == true)
        #expect(try talk(ring, sequence: 1, prompt: prompt) == expected)
    }

    @Test func promptLogprobsAreThoseOfTheTokensThatFollow() throws {
        let ring = try LoopRing(["0-1", "2-3"], of: model)
        let answer = try talk(ring, sequence: 1, prompt: Array(prompt.prefix(5)))
        let whole = prompt.prefix(5) + answer.map(\.token)
        let run = SequenceRun(
            sequenceID: 2, position: 0, tokens: Array(whole.dropLast()), sampling: greedy(),
            promptCount: UInt32(whole.count), promptLogprobs: PromptLogprobs(top: 3, nextToken: whole.last))
        let result = try #require(ring.run([run])?.runs.first)
        #expect(result.prompt.map(\.token) == Array(whole.dropFirst()))
        #expect(result.prompt.suffix(answer.count).map(\.logprob) == answer.map(\.logprob))
    }

    // MARK: Sequences that begin as another does

    /// Draws with penalties, which depend on every token before.
    private var drawn: Sampling {
        var sampling = greedy()
        (sampling.temperature, sampling.seed) = (1, 5)
        (sampling.repetitionPenalty, sampling.frequencyPenalty) = (1.3, 0.5)
        return sampling
    }

    /// A sequence that takes its first `shared` tokens from `parent`, or none.
    private func child(
        _ ring: LoopRing, _ id: UInt64, of parent: UInt64?, _ tokens: [UInt32], shared: Int
    ) throws -> [TokenChoice] {
        let run = SequenceRun(
            sequenceID: id, position: UInt32(shared), tokens: Array(tokens[shared...]), sampling: drawn,
            promptCount: UInt32(tokens.count - 2), parentID: parent)
        var choices = [try #require(ring.run([run])?.runs.first?.sampled.first)]
        for position in tokens.count..<tokens.count + 6 {
            let run = SequenceRun(
                sequenceID: id, position: UInt32(position), tokens: [choices[choices.count - 1].token],
                sampling: drawn, promptCount: UInt32(tokens.count - 2))
            choices.append(try #require(ring.run([run])?.runs.first?.sampled.first))
        }
        return choices
    }

    @Test(arguments: [["0-3"], ["0-1", "2-3"], ["0,2", "1,3"], ["2-3", "0-1"]], [20, 64, 89])
    func aSharedBeginningGivesTheSameBits(cut: [String], shared: Int) throws {
        let tokens = Array(prompt[..<shared] + [3, 1, 4, 1, 5])
        let ring = try LoopRing(cut, of: model)
        let alone = try child(ring, 9, of: nil, tokens, shared: 0)
        ring.forget([9])
        #expect(ring.cacheBytes == 0)

        let parent = try talk(ring, sequence: 1, prompt: prompt)
        #expect(try child(ring, 2, of: 1, tokens, shared: shared) == alone)
        #expect(try talk(ring, sequence: 1, prompt: prompt) == parent, "the parent has not changed")
        ring.forget([1])
        #expect(try child(ring, 3, of: 2, tokens, shared: shared) == alone, "from a child of one that is gone")
        ring.forget([2, 3])
        #expect(ring.cacheBytes == 0)
        #expect(ring.failures.isEmpty)
    }

    @Test func aParentThatIsGoneOrTooShortIsAGap() throws {
        let ring = try LoopRing(["0-1", "2-3"], of: model)
        _ = try talk(ring, sequence: 1, prompt: Array(prompt.prefix(5)))
        for (parent, position) in [(UInt64(7), UInt32(3)), (1, 50)] {
            let run = SequenceRun(
                sequenceID: 2, position: position, tokens: [1], promptCount: position + 1, parentID: parent)
            #expect(ring.run([run]) == nil)
            #expect(ring.failures.last?.kind == .gap && ring.failures.last?.sequenceID == 2)
        }
        ring.forget([1])
        #expect(ring.cacheBytes == 0)
    }

    /// A step that failed on a later shard comes again with its first run; what the earlier shard made then stays.
    @Test func aFirstRunThatComesAgainIsTakenAsItIs() throws {
        let ring = try LoopRing(["0-1", "2-3"], of: model)
        _ = try talk(ring, sequence: 1, prompt: prompt)
        let first = try child(ring, 2, of: 1, prompt + [9], shared: 70)
        ring.forget([1])
        #expect(try child(ring, 2, of: 1, prompt + [9], shared: 70) == first)
        #expect(ring.failures.isEmpty)
    }

    // MARK: Drafts

    private static let samplings: [Sampling] = {
        var greedy = Sampling()
        (greedy.logprobs, greedy.topLogprobs) = (true, 3)
        var drawn = greedy
        (drawn.temperature, drawn.topP, drawn.seed) = (0.8, 0.95, 11)
        var penalized = drawn
        (penalized.repetitionPenalty, penalized.presencePenalty, penalized.frequencyPenalty) = (1.2, 0.4, 0.3)
        penalized.logitBias = [LogitBias(token: 7, bias: 2)]
        return [greedy, drawn, penalized]
    }()

    /// `count` choices, with what `guess` gives for the tokens chosen so far as drafts.
    private func talk(
        _ ring: LoopRing, sampling: Sampling, prompt: [UInt32], count: Int, guess: ([TokenChoice]) -> [UInt32]
    ) throws -> (choices: [TokenChoice], steps: Int) {
        var choices: [TokenChoice] = []
        var steps = 0
        var position = 0
        var tokens = prompt
        while choices.count < count {
            let drafts = guess(choices)
            let run = SequenceRun(
                sequenceID: 1, position: UInt32(position), tokens: tokens + drafts, draftCount: drafts.count,
                sampling: sampling, promptCount: UInt32(prompt.count))
            let result = try #require(ring.run([run])?.runs.first)
            position += tokens.count
            #expect(result.position == UInt32(position))
            #expect(result.sampled.count <= drafts.count + 1)
            choices += result.sampled
            position += result.sampled.count - 1
            tokens = [try #require(result.sampled.last).token]
            steps += 1
        }
        return (Array(choices.prefix(count)), steps)
    }

    @Test(arguments: samplings.indices) func draftsDoNotChangeWhatIsChosen(index: Int) throws {
        let sampling = Self.samplings[index]
        let one = try LoopRing(["0-3"], of: model)
        let expected = try talk(one, sampling: sampling, prompt: prompt, count: 60) { _ in [] }.choices
        let tokens = expected.map(\.token)
        #expect(Set(tokens).count > 3)

        func right(_ choices: [TokenChoice], _ count: Int) -> [UInt32] {
            Array(tokens.dropFirst(choices.count).prefix(count))
        }
        for cut in [["0-3"], ["0-1", "2-3"], ["0,2", "1,3"]] {
            let ring = try LoopRing(cut, of: model)
            let all = try talk(ring, sampling: sampling, prompt: prompt, count: 60) { right($0, 40) }
            #expect(all.choices == expected, "all right, cut \(cut)")
            #expect(all.steps == 2)
            let none = try talk(ring, sampling: sampling, prompt: prompt, count: 60) {
                right($0, 5).map { ($0 + 1) % 96 }
            }
            #expect(none.choices == expected, "all wrong, cut \(cut)")
            #expect(none.steps == 60)
            let some = try talk(ring, sampling: sampling, prompt: prompt, count: 60) { choices in
                // So many right, then one wrong, then right again: too late.
                let count = choices.count % 7
                return right(choices, count) + [(right(choices, count + 1).last ?? 0) / 2 + 1] + right(choices, 3)
            }
            #expect(some.choices == expected, "some right, cut \(cut)")
            #expect((10..<60).contains(some.steps))
        }
    }

    @Test func draftsOfOneSequenceAreNothingToAnother() throws {
        let ring = try LoopRing(["0,2", "1,3"], of: model)
        func run(_ id: UInt64, _ tokens: [UInt32], drafts: Int) -> SequenceRun {
            SequenceRun(
                sequenceID: id, position: 0, tokens: tokens, draftCount: drafts, sampling: Self.samplings[2],
                promptCount: UInt32(tokens.count - drafts))
        }
        let alone = try (1...3).map { id in
            try #require(ring.run([run(UInt64(id), Array(prompt.prefix(id * 9)), drafts: 0)])?.runs.first)
        }
        let guesses = alone.map { [$0.sampled[0].token] + Array(prompt.prefix(40)) }
        let runs = (1...3).map { id in
            run(UInt64(id), prompt.prefix(id * 9) + guesses[id - 1], drafts: guesses[id - 1].count)
        }
        let together = try #require(ring.run(runs)?.runs)
        #expect(together.map { $0.sampled[0] } == alone.map { $0.sampled[0] })
        #expect(together.allSatisfy { $0.sampled.count >= 2 }, "the first guess was right")
        #expect(together.map(\.position) == [9, 18, 27])
    }
}
