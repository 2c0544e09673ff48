// The tokens of a sequence so far, as penalties see them.

/// A sequence's tokens, prompt first, with how often each occurs. Grows by chunks and can be cut back to any length.
public struct TokenHistory: Equatable, Sendable {
    /// How often a token occurs.
    struct Occurrences: Equatable, Sendable {
        var prompt = 0
        var output = 0
    }

    public private(set) var tokens: [UInt32] = []
    /// Tokens before this position are prompt, those from it on were generated.
    public private(set) var promptCount: Int
    private(set) var occurrences: [UInt32: Occurrences] = [:]

    public init(promptCount: Int = 0) {
        self.promptCount = max(promptCount, 0)
    }

    public var count: Int { tokens.count }

    /// The first `count` tokens, as another sequence that begins with them goes on from.
    public func prefix(_ count: Int) -> TokenHistory {
        var prefix = self
        prefix.truncate(to: count)
        return prefix
    }

    public mutating func append(contentsOf chunk: some Sequence<UInt32>) {
        for token in chunk { append(token) }
    }

    public mutating func append(_ token: UInt32) {
        let isPrompt = tokens.count < promptCount
        occurrences[token, default: Occurrences()].count(isPrompt, 1)
        tokens.append(token)
    }

    /// Appends a chunk whose first token stands at `position`; what lay beyond is forgotten first. There must be no gap
    /// before it.
    /// - Parameter promptCount: tokens of the sequence that are prompt.
    public mutating func append(_ chunk: some Sequence<UInt32>, at position: Int, promptCount: Int) {
        truncate(to: position)
        setPromptCount(promptCount)
        append(contentsOf: chunk)
    }

    /// Forgets all tokens from position `length` on, as if they had never been appended.
    public mutating func truncate(to length: Int) {
        while tokens.count > max(length, 0), let token = tokens.popLast() {
            let isPrompt = tokens.count < promptCount
            occurrences[token]?.count(isPrompt, -1)
            if occurrences[token] == Occurrences() { occurrences[token] = nil }
        }
    }

    /// Moves the border between prompt and output: what a turn generated is prompt to the next.
    public mutating func setPromptCount(_ promptCount: Int) {
        let moved = max(promptCount, 0)
        // Only the tokens between the old border and the new change sides.
        for position in min(moved, self.promptCount, count)..<min(max(moved, self.promptCount), count) {
            let becomesPrompt = position < moved
            occurrences[tokens[position]]?.count(!becomesPrompt, -1)
            occurrences[tokens[position]]?.count(becomesPrompt, 1)
        }
        self.promptCount = moved
    }
}

extension TokenHistory.Occurrences {
    fileprivate mutating func count(_ isPrompt: Bool, _ step: Int) {
        if isPrompt { prompt += step } else { output += step }
    }
}
