// No part of a stop text ever goes out, and nothing else is lost.

import Testing

@testable import RingAPI

@Suite struct StopTextFilterTests {
    /// Pushes pieces and returns what went out with each, and at the end.
    private func outputs(_ pieces: [String], stops: [String]) -> ([String], stopped: Bool) {
        var filter = StopTextFilter(stops: stops)
        var out = pieces.map { filter.push($0) }
        out.append(filter.finish())
        return (out, filter.stopped)
    }

    @Test func passesTextWithoutStops() {
        #expect(outputs(["a", "b"], stops: []).0 == ["a", "b", ""])
    }

    @Test func endsBeforeAStopAcrossPieces() {
        let (out, stopped) = outputs(["one EN", "D", " two"], stops: ["END"])
        #expect(out == ["one ", "", "", ""])
        #expect(stopped)
    }

    @Test func releasesWhatOnlyLookedLikeAStop() {
        #expect(outputs(["one EN", "Q", "EN"], stops: ["END"]).0 == ["one ", "ENQ", "", "EN"])
    }

    @Test func takesTheEarliestOfSeveral() {
        #expect(outputs(["xxabyy"], stops: ["yy", "ab"]).0.joined() == "xx")
    }

    @Test func keepsCharactersWhole() {
        #expect(outputs(["na", "ï", "ve ☃"], stops: ["☃☃"]).0.joined() == "naïve ☃")
    }

    /// Every way to cut a text into pieces gives what cutting the whole text gives.
    @Test func anyCutGivesTheSame() {
        let text = "abcabdabcd."
        for stop in ["abcd", "abd", "zz", "a", "."] {
            let expected = text.split(separator: stop, omittingEmptySubsequences: false).first.map(String.init) ?? text
            for mask in 0..<(1 << (text.count - 1)) {
                var pieces = [""]
                for (index, character) in text.enumerated() {
                    pieces[pieces.count - 1].append(character)
                    if mask >> index & 1 == 1 { pieces.append("") }
                }
                #expect(outputs(pieces, stops: [stop]).0.joined() == expected)
            }
        }
    }
}
