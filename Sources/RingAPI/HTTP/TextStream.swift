// One answer as it comes from the ring: tokens in, text out.

import Text
import Wire

/// What happens to an answer, in order.
enum TextEvent: Equatable, Sendable {
    /// The prompt is evaluated; holds its log-probabilities when they were asked for. The first `cachedTokens` tokens
    /// were not computed anew.
    case prompt([TokenChoice], cachedTokens: Int)
    /// So many of the answer's tokens, with the next, are as the request predicted.
    case predicted(Int)
    /// A token, and the text that is complete with it; empty while a character or a possible stop text is open.
    case token(TokenChoice, text: String)
    /// The last event, with text that was held back and turned out to be part of the answer.
    case end(FinishReason, text: String)
}

enum FinishReason: String, Sendable {
    case stop
    case length
}

/// The text of one generation. Dropping its iterator stops the generation on every shard.
struct TextStream: AsyncSequence, Sendable {
    let events: AsyncThrowingStream<GenerationEvent, any Error>
    /// `nil` where a model has no tokenizer: then there are tokens, but no text.
    let tokenizer: Tokenizer?
    let stops: [String]

    func makeAsyncIterator() -> Iterator {
        Iterator(
            events: events.makeAsyncIterator(),
            decoder: tokenizer.map { StreamingDecoder(tokenizer: $0, skipSpecialTokens: true) },
            filter: StopTextFilter(stops: stops))
    }

    struct Iterator: AsyncIteratorProtocol {
        /// `nil` once the answer has ended.
        fileprivate var events: AsyncThrowingStream<GenerationEvent, any Error>.Iterator?
        fileprivate var decoder: StreamingDecoder?
        fileprivate var filter: StopTextFilter
        private var ending: TextEvent?

        fileprivate init(
            events: AsyncThrowingStream<GenerationEvent, any Error>.Iterator, decoder: StreamingDecoder?,
            filter: StopTextFilter
        ) {
            self.events = events
            self.decoder = decoder
            self.filter = filter
        }

        mutating func next() async throws -> TextEvent? {
            if let ending {
                self.ending = nil
                return ending
            }
            guard events != nil else { return nil }
            guard let event = try await events?.next() else {
                // A cancelled stream ends without its last event.
                throw CancellationError()
            }
            switch event {
            case .prompt(let choices, let cachedTokens): return .prompt(choices, cachedTokens: cachedTokens)
            case .predicted(let count): return .predicted(count)
            case .token(let choice):
                let text = filter.push(decoder?.push(choice.token) ?? "")
                if filter.stopped {
                    ending = .end(.stop, text: "")
                    events = nil
                }
                return .token(choice, text: text)
            case .finished(let end):
                events = nil
                var text = filter.push(decoder?.finish() ?? "")
                if filter.stopped { return .end(.stop, text: text) }
                text += filter.finish()
                if case .stopToken = end { return .end(.stop, text: text) }
                return .end(.length, text: text)
            }
        }
    }
}
