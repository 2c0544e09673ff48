// A generator that answers with tokens decided beforehand, and remembers what it was asked.

import Cluster
import Synchronization
import Wire

@testable import RingAPI

final class ScriptedGenerator: TokenGenerator {
    let contextTokensMax = 100
    private let tokens: [UInt32]
    private let end: GenerationEnd
    private let refusal: GenerationRefusal?
    private let failure: GenerationFailure?
    private let state: RingStatus.State
    let requests = Mutex<[GenerationRequest]>([])

    init(
        tokens: [UInt32] = [], end: GenerationEnd = .length, refusal: GenerationRefusal? = nil,
        failure: GenerationFailure? = nil, state: RingStatus.State = .ready
    ) {
        self.tokens = tokens
        self.end = end
        self.refusal = refusal
        self.failure = failure
        self.state = state
    }

    func generate(
        _ request: GenerationRequest
    ) throws(GenerationRefusal) -> AsyncThrowingStream<GenerationEvent, any Error> {
        if let refusal { throw refusal }
        requests.withLock { $0.append(request) }
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: GenerationEvent.self)
        let echoed = request.promptLogprobs == nil ? [] : request.prompt.dropFirst().map(Self.choice)
        continuation.yield(.prompt(choices: echoed))
        for (index, token) in tokens.prefix(request.tokensMax).enumerated() {
            // As a ring that guesses does it, as long as all is as predicted.
            if request.prediction.starts(with: tokens[...index]) { continuation.yield(.predicted(index + 1)) }
            continuation.yield(.token(Self.choice(token)))
        }
        if let failure {
            continuation.finish(throwing: failure)
        } else {
            continuation.yield(.finished(end))
            continuation.finish()
        }
        return stream
    }

    /// A token whose log-probability tells which it is.
    static func choice(_ token: UInt32) -> TokenChoice {
        TokenChoice(
            token: token, logprob: -Float(token) / 8,
            top: [TokenLogprob(token: token, logprob: -Float(token) / 8), TokenLogprob(token: 1, logprob: -100)])
    }

    func status() -> RingStatus {
        RingStatus(state: state, shards: [], epoch: 1, active: 0, waiting: 0, layerCount: 2)
    }
}
