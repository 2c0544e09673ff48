// Counts follow the tokens through growth, rollback and a moved border.

import Testing

@testable import Sampling

@Suite struct TokenHistoryTests {
    /// Counted afresh from the tokens.
    private func recounted(_ history: TokenHistory) -> TokenHistory {
        var fresh = TokenHistory(promptCount: history.promptCount)
        fresh.append(contentsOf: history.tokens)
        return fresh
    }

    @Test func countsPromptAndOutputApart() {
        var history = TokenHistory(promptCount: 2)
        history.append(contentsOf: [7, 8, 7, 7])
        #expect(history.count == 4)
        #expect(history.occurrences[7] == TokenHistory.Occurrences(prompt: 1, output: 2))
        #expect(history.occurrences[8] == TokenHistory.Occurrences(prompt: 1, output: 0))
        #expect(history.occurrences[9] == nil)
    }

    @Test func truncationIsExact() {
        var history = TokenHistory(promptCount: 2)
        history.append(contentsOf: [1, 2, 3])
        let before = history
        history.append(contentsOf: [1, 4, 3])
        history.truncate(to: 3)
        #expect(history == before)
        history.truncate(to: 10)
        #expect(history == before)
        history.truncate(to: -1)
        #expect(history == TokenHistory(promptCount: 2))
    }

    @Test func aChunkReplacesWhatLayBeyondItsPosition() {
        var history = TokenHistory()
        history.append([1, 2, 3, 4], at: 0, promptCount: 3)
        history.append([9, 8], at: 2, promptCount: 3)
        #expect(history.tokens == [1, 2, 9, 8])
        #expect(history == recounted(history))
        history.append([5], at: 4, promptCount: 4)
        #expect(history.occurrences[8] == TokenHistory.Occurrences(prompt: 1, output: 0))
        #expect(history == recounted(history))
    }

    @Test func randomEditsKeepTheCountsRight() {
        var random = SplitMix(state: 11)
        var history = TokenHistory(promptCount: 5)
        for _ in 0..<500 {
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                history.append(
                    contentsOf: (0..<Int.random(in: 0..<6, using: &random)).map { _ in
                        UInt32.random(in: 0..<5, using: &random)
                    })
            case 1: history.truncate(to: history.count - Int.random(in: 0..<6, using: &random))
            default: history.setPromptCount(Int.random(in: -2...history.count + 3, using: &random))
            }
            #expect(history == recounted(history))
        }
    }
}
