// Regular expressions: compiled or interpreted, the same matches, and no text on which the search does not end.

import Testing

@testable import Text

@Suite("Regular expression")
struct RegularExpressionTests {
    @Test(
        "Matches, wherever the search starts",
        arguments: [
            (#"\s+$"#, "a  \n b  ", [1..<3, 6..<8]), (#"\p{L}+"#, "é一 x", [0..<5, 6..<7]),
            ("(?<=b)a", "aba", [2..<3]), ("x", "", []),
            ("(?m:a.)b", "a\nb", [0..<3]), (#"\bab\b"#, "ab cab ab", [0..<2, 7..<9]),
        ])
    func matches(pattern: String, text: String, expected: [Range<Int>]) throws {
        for toMachineCode in [true, false] {
            let expression = try RegularExpression(oniguruma: pattern, toMachineCode: toMachineCode)
            #expect(matches(of: expression, in: text) == expected)
        }
    }

    @Test("A long run of blanks costs no more than its length, compiled or not", arguments: [true, false])
    func longRun(toMachineCode: Bool) throws {
        let expression = try RegularExpression(oniguruma: #"\s+$"#, toMachineCode: toMachineCode)
        let count = 2_000_000
        let text = String(repeating: " ", count: count) + "1" + String(repeating: " ", count: 3)
        #expect(matches(of: expression, in: text) == [count + 1..<count + 4])
    }

    @Test("A search without end is given up, compiled or not", arguments: [true, false])
    func endless(toMachineCode: Bool) throws {
        let expression = try RegularExpression(oniguruma: "(?:(?:a+)+)+b", toMachineCode: toMachineCode)
        #expect(matches(of: expression, in: String(repeating: "a", count: 60)).isEmpty)
    }

    @Test("Groups repeated more often than a compiled pattern's stack holds are matched all the same")
    func deepStack() throws {
        let expression = try RegularExpression(oniguruma: "(?:a|(b))+c")
        let count = 100_000
        let text = String(repeating: "ab", count: count) + "c"
        #expect(matches(of: expression, in: text) == [0..<2 * count + 1])
    }

    private func matches(of expression: RegularExpression, in text: String) -> [Range<Int>] {
        let scratch = RegularExpressionScratch()
        var ranges: [Range<Int>] = []
        var text = text
        text.withUTF8 { bytes in
            var start = 0
            while let match = expression.firstMatch(in: bytes, from: start, scratch), !match.isEmpty {
                ranges.append(match.start..<match.end)
                start = match.end
            }
        }
        return ranges
    }
}
