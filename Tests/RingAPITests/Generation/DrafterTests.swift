// What is guessed, and how sure the guess is.

import Testing

@testable import RingAPI

@Suite struct DrafterTests {
    private var common = DraftConfidence(observations: 1024)

    @Test func theTokensAfterTheSamePassageAreGuessed() {
        var drafter = Drafter()
        drafter.read([1, 2, 3, 4, 5, 6, 7, 9, 9, 2, 3, 4])
        #expect(drafter.matchLength == 3)
        #expect(drafter.guesses(3) == [5, 6, 7])
    }

    @Test func withoutAnEarlierPassageNothingIsGuessed() {
        var drafter = Drafter()
        drafter.read([1, 2, 3])
        #expect(drafter.guesses(4) == [])
        #expect(drafter.probability(ofGuess: 0, common: common) == 0)
    }

    @Test func aLoopIsGuessedOnAndOn() {
        var drafter = Drafter()
        drafter.read([8, 1, 2, 3, 1, 2, 3])
        #expect(drafter.guesses(8) == [1, 2, 3, 1, 2, 3, 1, 2])
    }

    @Test mutating func aCopyIsFollowedThoughALaterPassageBeginsTheSame() {
        var drafter = Drafter()
        // "5 6" occurs again later, followed by something else.
        drafter.read([1, 2, 3, 4, 5, 6, 7, 8, 100, 5, 6, 50, 101, 1, 2, 3])
        for token in [4, 5, 6] as [UInt32] { drafter.follow(token, common: &common) }
        #expect(drafter.guesses(2) == [7, 8])
        #expect(drafter.matchLength == 6)
    }

    @Test mutating func aWrongGuessEndsTheCopy() {
        var drafter = Drafter()
        drafter.read([1, 2, 3, 4, 5, 6, 7, 1, 2, 3])
        drafter.follow(90, common: &common)
        #expect(drafter.guesses(2) == [])
        drafter.follow(4, common: &common)
        drafter.follow(5, common: &common)
        #expect(drafter.guesses(2) == [6, 7], "and where the text goes on as before, so do the guesses")
    }

    @Test mutating func whatIsPredictedIsGuessedFromTheFirstTokenOn() {
        var drafter = Drafter(prediction: [11, 12, 13, 14, 15, 16])
        drafter.read([1, 2, 3])
        #expect(drafter.guessesMax == 0)
        drafter.endPrompt()
        #expect(drafter.readCount == 3, "the prediction is none of the sequence's tokens")
        #expect(drafter.guesses(min(9, drafter.guessesMax)) == [11, 12, 13, 14, 15, 16])
        #expect(drafter.probability(ofGuess: 0, common: common) > 0.5)
        for token in [11, 12, 90] as [UInt32] { drafter.follow(token, common: &common) }
        #expect(drafter.predictedCount == 2)
        // Where the answer comes back to what was predicted, so do the guesses.
        drafter.follow(14, common: &common)
        #expect(drafter.guesses(drafter.guessesMax) == [15, 16])
        for token in [15, 16] as [UInt32] { drafter.follow(token, common: &common) }
        #expect(drafter.predictedCount == 4)
        #expect(drafter.guessesMax == 0, "nothing is known of what comes after")
    }

    @Test mutating func aTextThatKeepsNothingItPromisesIsNotTrusted() {
        var drafter = Drafter()
        var numbers = SeededNumbers(seed: 5)
        drafter.read([7, 7])
        // Every pair of tokens comes again, and never with the same third.
        for _ in 0..<400 { drafter.follow(UInt32.random(in: 0..<12, using: &numbers), common: &common) }
        #expect(drafter.probability(ofGuess: 0, common: common) < 0.25)
        var other = Drafter()
        other.read([1, 2, 3, 1, 2])
        #expect(other.probability(ofGuess: 0, common: common) < 0.2, "nor is another text with it at once")
        for token in (0..<300).map({ UInt32($0 % 10) }) { other.follow(token, common: &common) }
        #expect(other.probability(ofGuess: 0, common: common) > 0.9, "until it shows that it repeats itself")
    }
}
