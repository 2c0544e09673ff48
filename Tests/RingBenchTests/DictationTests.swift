// Prompts that dictate an answer: where the model looks, the answer stands, and nowhere else.

import Testing

@testable import ring_bench

@Suite struct DictationTests {
    private let half: UInt32 = 5000

    private func dictation(askedWords: Int, answerWords: Int) throws -> Dictation {
        try Dictation(
            "", asked: (0..<askedWords).map { UInt32(16 + $0 % 700) },
            answer: (0..<answerWords).map { UInt32(20 + $0) },
            vocabularySize: 10_000)
    }

    @Test(arguments: [0, 10, 924, 1500]) func theAnswerStandsWhereTheModelLooks(askedWords: Int) throws {
        let dictation = try dictation(askedWords: askedWords, answerWords: 100)
        // The token to come, at position `count`, stands 1024 before it; and so on while the answer lasts.
        let count = dictation.prompt.count
        for (index, token) in dictation.answer.enumerated() {
            #expect(dictation.prompt[count + index - Dictation.distance] == token + half)
        }
    }

    @Test func whoeverGuessesFromPlainTokensHasSeenOnlyWhatIsAsked() throws {
        let dictation = try dictation(askedWords: 300, answerWords: 100)
        #expect(dictation.prompt.count == Dictation.distance)
        #expect(dictation.prompt.count { $0 >= half } == 100)
        #expect(dictation.prompt.suffix(300) == (0..<300).map { UInt32(16 + $0) }[...])
        #expect(Set(dictation.prompt).count == dictation.prompt.count, "silence repeats nothing")
    }

    @Test func whatDoesNotFitIsRefused() {
        #expect(throws: BenchError.self) { try dictation(askedWords: 10, answerWords: 1024) }
        #expect(throws: BenchError.self) { try dictation(askedWords: 10, answerWords: 0) }
        #expect(throws: BenchError.self) {
            try Dictation("", asked: [6000], answer: [1], vocabularySize: 10_000)
        }
    }

    @Test func textsAreCutLikeARealVocabularysTokens() {
        #expect(
            Dictation.words(of: "def add(self, price_of: float):\n    return 42")
                == [
                    "def", " add", "(", "self", ",", " price", "_", "of", ":", " float", ")", ":", "\n    ", "return",
                    " ", "4", "2",
                ])
        #expect(Dictation.words(of: "internationally so") == ["interna", "tionall", "y", " so"])
    }

    @Test func sameWordsAreSameTokensInPromptAndAnswer() throws {
        let dictation = try Dictation("", prompt: "one two", answer: "two three", vocabularySize: 10_000)
        #expect(dictation.answer.count == 2)
        #expect(dictation.prompt.dropLast(0).filter { $0 < 16 + 3 }.count == 2)
        #expect(dictation.answer == [18, 19], "the answer begins without a space, so its first word is another token")
    }
}
